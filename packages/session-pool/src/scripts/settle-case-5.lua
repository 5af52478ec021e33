-- Ends, postpones or begins anew a quarantine, if the look is still the claimed one.
-- KEYS[1] idle   KEYS[2] quarantine   KEYS[3] cases   KEYS[4] answered   KEYS[5] returned
-- ARGV[1] session id   ARGV[2] look   ARGV[3] idle | later | forget | anew
-- ARGV[4] later: ms to the next look; anew: not lent again before, ms   ARGV[5] channel
-- ARGV[6] anew: the lease that the case is about from now on
-- returns 1 settled   0 somebody else's look, or no case
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = ARGV[1]
local case = redis.call('HGET', KEYS[3], id)
if not case then return 0 end
local looks = string.match(case, '^%d+|(%d+)|')
if looks ~= ARGV[2] then return 0 end
if ARGV[3] == 'later' then
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), id)
  return 1
end
if ARGV[3] == 'anew' then
  local notBefore = now + tonumber(ARGV[4])
  redis.call('ZADD', KEYS[2], notBefore, id)
  redis.call('HSET', KEYS[3], id, now .. '|0|' .. notBefore .. '|1|contradiction|' .. ARGV[6])
  return 1
end
redis.call('ZREM', KEYS[2], id)
redis.call('HDEL', KEYS[3], id)
redis.call('HDEL', KEYS[5], id)
if ARGV[3] == 'forget' then
  redis.call('HDEL', KEYS[4], id)
  return 1
end
redis.call('ZADD', KEYS[1], tonumber(redis.call('HGET', KEYS[4], id) or 0), id)
redis.call('PUBLISH', ARGV[5], 'freed')
return 1
