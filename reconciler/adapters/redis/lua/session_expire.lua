-- ARGV: 6 id
local found = look(ARGV[6])
if not found then return false end
if found[6] == 'ACTIVE' then
  redis.call('HSET', session_key(ARGV[6]), 'status', 'EXPIRED')
  found[6] = 'EXPIRED'
end
trim(index_key(found[2]))
return found
