-- Puts a session into quarantine: one that Redis has lost, or (forced) whatever it is doing.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] holders   KEYS[4] quarantine   KEYS[5] cases   KEYS[6] answered
-- ARGV[1] session id   ARGV[2] missing: only if Redis does not know it | force   ARGV[3] ms to the first look
-- ARGV[4] not lent again before, ms   ARGV[5] 1: a call may be unanswered   ARGV[6] reason
-- ARGV[7] ms since its last answered call, used when Redis does not know it
-- ARGV[8] the lease that PostgreSQL knows last, or '': the one that the case is about
-- returns 1 quarantined   0 Redis knows it already
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = ARGV[1]
local leased = redis.call('ZSCORE', KEYS[2], id)
local held = redis.call('ZSCORE', KEYS[4], id)
local open = '0'
if ARGV[5] == '1' or leased then open = '1' end
if redis.call('ZSCORE', KEYS[1], id) or leased or held then
  if ARGV[2] == 'missing' then return 0 end
end
if held then
  -- What is known of the running case stays: it may have a call unanswered.
  local case = redis.call('HGET', KEYS[5], id)
  if case then
    redis.call('ZADD', KEYS[4], now + tonumber(ARGV[3]), id)
    return 1
  end
end
redis.call('ZREM', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
redis.call('HDEL', KEYS[3], id)
if not redis.call('HGET', KEYS[6], id) then redis.call('HSET', KEYS[6], id, now - tonumber(ARGV[7])) end
local notBefore = now
if open == '1' then notBefore = now + tonumber(ARGV[4]) end
redis.call('ZADD', KEYS[4], now + tonumber(ARGV[3]), id)
redis.call('HSET', KEYS[5], id, now .. '|0|' .. notBefore .. '|' .. open .. '|' .. ARGV[6] .. '|' .. ARGV[8])
return 1
