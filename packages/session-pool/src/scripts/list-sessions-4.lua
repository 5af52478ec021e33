-- Everything Redis lends, at one moment.
-- KEYS[1] idle   KEYS[2] leases   KEYS[3] holders   KEYS[4] quarantine
-- returns {{idle ids}, {leased id, '<lease id>|<owner>', ...}, {quarantined ids}}
local leased = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  leased[#leased + 1] = id
  leased[#leased + 1] = redis.call('HGET', KEYS[3], id) or '|'
end
return {redis.call('ZRANGE', KEYS[1], 0, -1), leased, redis.call('ZRANGE', KEYS[4], 0, -1)}
