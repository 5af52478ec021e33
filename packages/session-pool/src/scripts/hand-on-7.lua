-- The holder's call was answered and another caller of its process waits: renews the lease for that one, or gives the
-- session back when a caller of another process has clearly waited longer and nothing else is idle for it.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] holders   KEYS[4] answered   KEYS[5] returned   KEYS[6] line   KEYS[7] line-seen
-- ARGV[1] session id   ARGV[2] lease id   ARGV[3] lease ms   ARGV[4] pool instance
-- ARGV[5] ms the next caller here has waited   ARGV[6] ms the one after it has waited, -1: nobody
-- ARGV[7] let go after ms: so much longer must a caller elsewhere have waited   ARGV[8] line stale ms   ARGV[9] channel
-- returns {1, others} renewed   {2, others} given back   {0, others} not the holder, or the lease has run out
--   others: instances that wait beside this one
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = ARGV[1]
local me = ARGV[4]

for _, instance in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', now - tonumber(ARGV[8]))) do
  redis.call('ZREM', KEYS[6], instance)
  redis.call('ZREM', KEYS[7], instance)
end
local arrived = now - tonumber(ARGV[5])
redis.call('ZADD', KEYS[6], arrived, me)
redis.call('ZADD', KEYS[7], now, me)
local others = redis.call('ZCARD', KEYS[6]) - 1

local mark = ARGV[2] .. '|'
local holder = redis.call('HGET', KEYS[3], id)
if not holder or string.sub(holder, 1, #mark) ~= mark then return {0, others} end
local deadline = redis.call('ZSCORE', KEYS[2], id)
if not deadline or tonumber(deadline) <= now then return {0, others} end

redis.call('HSET', KEYS[4], id, now)
local older = redis.call('ZCOUNT', KEYS[6], '-inf', '(' .. (arrived - tonumber(ARGV[7])))
if older > redis.call('ZCARD', KEYS[1]) then
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id)
  redis.call('HSET', KEYS[5], id, ARGV[2])
  redis.call('ZADD', KEYS[1], now, id)
  redis.call('PUBLISH', ARGV[9], 'freed')
  return {2, others}
end

redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), id)
if tonumber(ARGV[6]) >= 0 then
  redis.call('ZADD', KEYS[6], now - tonumber(ARGV[6]), me)
else
  redis.call('ZREM', KEYS[6], me)
  redis.call('ZREM', KEYS[7], me)
end
return {1, others}
