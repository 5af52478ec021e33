-- Takes idle sessions that are too old to be lent out of the lending, to be closed. They sit in quarantine meanwhile:
-- if the caller dies, a keeper looks at them after the claim has run out.
-- KEYS[1] idle   KEYS[2] quarantine   KEYS[3] cases   KEYS[4] returned
-- ARGV[1] idle ms   ARGV[2] claim ms
-- returns {session id, lease given back last or '', ...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[1]))) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), id)
  local returned = redis.call('HGET', KEYS[4], id) or ''
  redis.call('HSET', KEYS[3], id, now .. '|0|' .. now .. '|0|old|' .. returned)
  taken[#taken + 1] = id
  taken[#taken + 1] = returned
end
return taken
