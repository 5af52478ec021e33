-- take-read-1.lua: one read from the budget of this second, live work first.
-- KEYS[1] the budget (hash: second, live, recovery, before, waited)
-- ARGV[1] reads a second   ARGV[2] 'live' | 'recovery'
-- returns 0 taken   n > 0: milliseconds until it is worth asking again
--
-- Recovery takes at most half, no more than live work of this second and the last one leaves, and nothing while live
-- work has had to wait in this second or the last one. Seconds are this server's.
local now = redis.call('TIME')
local second = tonumber(now[1])
local rest = 1000 - math.floor(tonumber(now[2]) / 1000)
local budget = tonumber(ARGV[1])
local kept = redis.call('HMGET', KEYS[1], 'second', 'live', 'recovery', 'before', 'waited')
local live, recovery, before = tonumber(kept[2]) or 0, tonumber(kept[3]) or 0, tonumber(kept[4]) or 0
local waited = tonumber(kept[5]) or 0
local last = tonumber(kept[1]) or 0
if last ~= second then
  before = (last == second - 1) and live or 0
  live, recovery = 0, 0
end
local answer = 0
if ARGV[2] == 'live' then
  if live + recovery < budget then
    live = live + 1
  else
    waited = second
    answer = rest
  end
else
  local room = math.min(math.max(1, math.floor(budget / 2)), budget - math.max(live, before))
  if waited >= second - 1 or recovery >= room or live + recovery >= budget then
    answer = rest
  else
    recovery = recovery + 1
  end
end
redis.call('HSET', KEYS[1], 'second', second, 'live', live, 'recovery', recovery, 'before', before, 'waited', waited)
redis.call('PEXPIRE', KEYS[1], 10000)
return answer
