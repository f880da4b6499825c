-- ARGV: 6 id
local found, last = look(ARGV[6])
if not found then return false end
if found[6] == 'ACTIVE' then
  last = math.max(last, NOW)
  found[4] = stamp(last)
  redis.call('HSET', session_key(ARGV[6]), 'last_active', found[4])
  enter(ARGV[6], found[2], last)
end
return found
