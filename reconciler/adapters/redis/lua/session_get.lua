-- ARGV: 6 id
local found = look(ARGV[6])
if not found then return false end
trim(index_key(found[2]))
return found
