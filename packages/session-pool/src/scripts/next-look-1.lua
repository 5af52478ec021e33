-- When the next quarantined session is due to be looked at.
-- KEYS[1] quarantine
-- returns ms from now, 0 when one is due   -1 none is quarantined
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if #first == 0 then return -1 end
return math.max(0, math.ceil(tonumber(first[2]) - now))
