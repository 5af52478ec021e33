-- Tells whether the lease still holds its session, and if so renews its deadline.
-- KEYS[1] leases   KEYS[2] holders   KEYS[3] answered
-- ARGV[1] session id   ARGV[2] lease id   ARGV[3] lease ms   ARGV[4] ms since the last answered call of the lease, -1: none
-- returns 1 yes, renewed   0 no: taken back, run out, or forgotten by Redis
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = ARGV[2] .. '|'
local holder = redis.call('HGET', KEYS[2], ARGV[1])
if not holder or string.sub(holder, 1, #mark) ~= mark then return 0 end
local deadline = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not deadline or tonumber(deadline) <= now then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
if tonumber(ARGV[4]) >= 0 then redis.call('HSET', KEYS[3], ARGV[1], now - tonumber(ARGV[4])) end
return 1
