-- Takes back leases that have run out, and those named by the caller (their owner died): all into quarantine.
-- KEYS[1] leases   KEYS[2] holders   KEYS[3] quarantine   KEYS[4] cases
-- ARGV[1] quarantine ms: not lent again before   ARGV[2..] triples: session id, lease id, reason
-- returns {session id, reason, ...} what was taken back
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local notBefore = now + tonumber(ARGV[1])
local taken = {}

local function take(id, reason)
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZADD', KEYS[3], notBefore, id)
  redis.call('HSET', KEYS[4], id, now .. '|0|' .. notBefore .. '|1|' .. reason)
  taken[#taken + 1] = id
  taken[#taken + 1] = reason
end

for at = 2, #ARGV, 3 do
  local mark = ARGV[at + 1] .. '|'
  local holder = redis.call('HGET', KEYS[2], ARGV[at])
  if holder and string.sub(holder, 1, #mark) == mark then take(ARGV[at], ARGV[at + 2]) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do take(id, 'expired') end
return taken
