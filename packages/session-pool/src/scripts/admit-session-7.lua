-- Makes a freshly opened session idle. A keeper may have seen its PostgreSQL row first and quarantined it: nobody has
-- used it yet, so it is taken out again. When this comes late, the session may have been lent since: then a call of that
-- lease may still run, and it stays where it is.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] holders   KEYS[4] quarantine   KEYS[5] cases   KEYS[6] answered   KEYS[7] returned
-- ARGV[1] session id   ARGV[2] channel
-- returns 1 idle   0 it is on loan already, or was
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = ARGV[1]
if redis.call('ZSCORE', KEYS[2], id) then return 0 end
local case = redis.call('HGET', KEYS[5], id)
if case then
  local open, lease = string.match(case, '^%d+|%d+|%d+|(%d)|[^|]*|(.*)$')
  if open ~= '0' or lease ~= '' then return 0 end
end
redis.call('HDEL', KEYS[3], id)
redis.call('ZREM', KEYS[4], id)
redis.call('HDEL', KEYS[5], id)
redis.call('HDEL', KEYS[7], id)
redis.call('HSET', KEYS[6], id, now)
redis.call('ZADD', KEYS[1], now, id)
redis.call('PUBLISH', ARGV[2], 'freed')
return 1
