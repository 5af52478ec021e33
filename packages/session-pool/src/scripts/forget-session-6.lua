-- Drops whatever Redis knows of a session that PostgreSQL no longer lends, unless it is on loan.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] quarantine   KEYS[4] cases   KEYS[5] answered   KEYS[6] returned
-- ARGV[1] session id
-- returns 1 dropped   0 on loan
local id = ARGV[1]
if redis.call('ZSCORE', KEYS[2], id) then return 0 end
redis.call('ZREM', KEYS[1], id)
redis.call('ZREM', KEYS[3], id)
redis.call('HDEL', KEYS[4], id)
redis.call('HDEL', KEYS[5], id)
redis.call('HDEL', KEYS[6], id)
return 1
