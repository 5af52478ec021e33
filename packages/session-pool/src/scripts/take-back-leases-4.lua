-- Takes back leases that have run out, and those named by the caller (their owner died): all into quarantine.
-- KEYS[1] leases   KEYS[2] holders   KEYS[3] quarantine   KEYS[4] cases
-- ARGV[1] quarantine ms: what has run out is not lent again before
-- ARGV[2..] fours: session id, lease id, reason, not lent again before so many ms
-- returns {session id, reason, ...} what was taken back
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken = {}

local function take(id, lease, reason, holdMs)
  local notBefore = now + tonumber(holdMs)
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZADD', KEYS[3], notBefore, id)
  redis.call('HSET', KEYS[4], id, now .. '|0|' .. notBefore .. '|1|' .. reason .. '|' .. lease)
  taken[#taken + 1] = id
  taken[#taken + 1] = reason
end

for at = 2, #ARGV, 4 do
  local mark = ARGV[at + 1] .. '|'
  local holder = redis.call('HGET', KEYS[2], ARGV[at])
  if holder and string.sub(holder, 1, #mark) == mark then
    take(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  local holder = redis.call('HGET', KEYS[2], id) or ''
  take(id, string.match(holder, '^[^|]*'), 'expired', ARGV[1])
end
return taken
