-- Claims the quarantined sessions whose look is due, so that one keeper looks at each. The number of the look is the
-- claim: settling asks for it again.
-- KEYS[1] quarantine   KEYS[2] cases   KEYS[3] answered
-- ARGV[1] claim ms: after that another keeper may look   ARGV[2] how many at most
-- returns a list of {session id, look, ms in quarantine, ms until it may be lent, 1: a call may be unanswered,
--   ms since its last answered call, reason, the lease that the case is about or ''}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claimed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))) do
  local case = redis.call('HGET', KEYS[2], id) or (now .. '|0|' .. now .. '|1|lost|')
  local since, looks, notBefore, open, rest = string.match(case, '^(%d+)|(%d+)|(%d+)|(%d)|(.*)$')
  looks = tonumber(looks) + 1
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), id)
  redis.call('HSET', KEYS[2], id, since .. '|' .. looks .. '|' .. notBefore .. '|' .. open .. '|' .. rest)
  local answered = tonumber(redis.call('HGET', KEYS[3], id) or 0)
  local reason, lease = string.match(rest, '^([^|]*)|?(.*)$')
  claimed[#claimed + 1] = {
    id, looks, now - tonumber(since), math.max(0, tonumber(notBefore) - now), tonumber(open), now - answered, reason,
    lease,
  }
end
return claimed
