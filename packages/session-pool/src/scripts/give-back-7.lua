-- Ends a lease. Only its own holder can, and one that has run out only reaches quarantine.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] holders   KEYS[4] quarantine   KEYS[5] cases   KEYS[6] answered   KEYS[7] returned
-- ARGV[1] session id   ARGV[2] lease id   ARGV[3] idle: its call was answered | unused: no call was made
--   | quarantine: a call may be unanswered | gone: FileMaker does not know the token
-- ARGV[4] quarantine ms: not lent again before   ARGV[5] channel   ARGV[6] reason, when quarantined
-- ARGV[7] the lease that the quarantine is about
-- returns 1 done as told   2 had run out: quarantined instead   0 refused: not the holder
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = ARGV[1]
local how = ARGV[3]
local mark = ARGV[2] .. '|'
local holder = redis.call('HGET', KEYS[3], id)
if not holder or string.sub(holder, 1, #mark) ~= mark then return 0 end
local deadline = redis.call('ZSCORE', KEYS[2], id)
redis.call('ZREM', KEYS[2], id)
redis.call('HDEL', KEYS[3], id)

if how == 'gone' then
  redis.call('HDEL', KEYS[6], id)
  redis.call('HDEL', KEYS[7], id)
  return 1
end

local late = not deadline or tonumber(deadline) <= now
if how == 'quarantine' or late then
  local notBefore = now + tonumber(ARGV[4])
  local reason = ARGV[6]
  if late and how ~= 'quarantine' then reason = 'expired' end
  if how == 'idle' then redis.call('HSET', KEYS[6], id, now) end
  redis.call('ZADD', KEYS[4], notBefore, id)
  redis.call('HSET', KEYS[5], id, now .. '|0|' .. notBefore .. '|1|' .. reason .. '|' .. ARGV[7])
  if late and how ~= 'quarantine' then return 2 end
  return 1
end

local answered = now
if how == 'unused' then answered = tonumber(redis.call('HGET', KEYS[6], id) or now) end
redis.call('HSET', KEYS[6], id, answered)
redis.call('HSET', KEYS[7], id, ARGV[2])
redis.call('ZADD', KEYS[1], answered, id)
redis.call('PUBLISH', ARGV[5], 'freed')
return 1
