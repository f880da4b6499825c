-- ARGV: 1 where to go on, 2 about how many keys to look at, then the kinds
-- Gives where to go on, 0 at the end, and what follows config: in keys of these kinds that are no row's and no id's.
local kinds = {}
for at = 3, #ARGV do kinds[ARGV[at]] = true end

local function is_unknown(kind, rest)
  local id = string.match(rest, '^id:(.*)$')
  if not id then return not redis.call('ZSCORE', ROWS, kind .. ':' .. rest) end
  local name = text(id_key(kind, id))
  local _, owner = entry(kind .. ':' .. quoted(name or ''))
  return owner ~= id
end

local found = redis.call('SCAN', ARGV[1], 'MATCH', 'config:*:*', 'COUNT', ARGV[2])
local unknown = {found[1]}
for _, key in ipairs(found[2]) do
  local kind, rest = string.match(key, '^config:([^:]+):(.*)$')
  if kind and kinds[kind] and is_unknown(kind, rest) then unknown[#unknown + 1] = kind .. ':' .. rest end
end
return unknown
