-- Lends one idle session to the caller, oldest waiter of all processes first.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] holders   KEYS[4] returned   KEYS[5] line   KEYS[6] line-seen
-- ARGV[1] lease id   ARGV[2] owner   ARGV[3] lease ms   ARGV[4] idle ms: unused longer is not lent
-- ARGV[5] pool instance   ARGV[6] ms the caller's head has waited   ARGV[7] ms the next one has waited, -1: nobody
-- ARGV[8] turn ms: how long after an answer an older waiter elsewhere keeps the right   ARGV[9] line stale ms
-- ARGV[10] channel
-- returns {1, others, session id, lease given back last or ''} lent
--   {0, others, -1} nothing to lend   {0, others, ms} not your turn yet
--   others: instances that wait beside this one
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me = ARGV[5]

local gone = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now - tonumber(ARGV[9]))
for _, instance in ipairs(gone) do
  redis.call('ZREM', KEYS[5], instance)
  redis.call('ZREM', KEYS[6], instance)
end
local joined = redis.call('ZADD', KEYS[5], now - tonumber(ARGV[6]), me)
redis.call('ZADD', KEYS[6], now, me)
local others = redis.call('ZCARD', KEYS[5]) - 1

-- Whoever hands sessions on among its own callers has to hear that somebody else waits.
local function refuse(turnInMs)
  if joined == 1 then redis.call('PUBLISH', ARGV[10], 'waiting ' .. me) end
  return {0, others, turnInMs}
end

-- The most recently used first: what is not needed grows old and is closed.
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if #newest == 0 then return refuse(-1) end
local id = newest[1]
local age = now - tonumber(newest[2])
if age >= tonumber(ARGV[4]) then return refuse(-1) end

local ahead = redis.call('ZRANK', KEYS[5], me)
local lendable = redis.call('ZCOUNT', KEYS[1], '(' .. (now - tonumber(ARGV[4])), '+inf')
local turn = tonumber(ARGV[8])
if ahead >= lendable and age < turn then return refuse(math.max(1, turn - math.max(0, age))) end

redis.call('ZREM', KEYS[1], id)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), id)
redis.call('HSET', KEYS[3], id, ARGV[1] .. '|' .. ARGV[2])
if tonumber(ARGV[7]) >= 0 then
  redis.call('ZADD', KEYS[5], now - tonumber(ARGV[7]), me)
else
  redis.call('ZREM', KEYS[5], me)
  redis.call('ZREM', KEYS[6], me)
end
return {1, others, id, redis.call('HGET', KEYS[4], id) or ''}
