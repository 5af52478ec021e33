-- Makes a freshly opened session idle. A keeper may have seen its PostgreSQL row first and quarantined it: nobody can
-- have used it yet, so it is taken out again.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] holders   KEYS[4] quarantine   KEYS[5] cases   KEYS[6] answered   KEYS[7] returned
-- ARGV[1] session id   ARGV[2] channel
-- returns 1 idle   0 it is on loan already
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = ARGV[1]
if redis.call('ZSCORE', KEYS[2], id) then return 0 end
redis.call('HDEL', KEYS[3], id)
redis.call('ZREM', KEYS[4], id)
redis.call('HDEL', KEYS[5], id)
redis.call('HDEL', KEYS[7], id)
redis.call('HSET', KEYS[6], id, now)
redis.call('ZADD', KEYS[1], now, id)
redis.call('PUBLISH', ARGV[2], 'freed')
return 1
