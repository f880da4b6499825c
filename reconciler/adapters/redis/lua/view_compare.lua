-- ARGV: for each row that should be here its kind:name, its id, SHA-1 of id, zero byte and JSON, and 1 if it left git
-- Gives a letter for each: . as it should be, L lost, A altered
local members, rows, ids = {}, {}, {}
for at = 1, #ARGV, 4 do
  members[#members + 1] = ARGV[at]
  rows[#rows + 1] = 'config:' .. ARGV[at]
  ids[#ids + 1] = id_key(kind_of(ARGV[at]), ARGV[at + 1])
end
-- One call for all: each costs more than what it does for one row. MGET has nothing for what is no text
local texts, names = redis.call('MGET', unpack(rows)), redis.call('MGET', unpack(ids))
local entries, orders = redis.call('HMGET', SIZES, unpack(members)), redis.call('ZMSCORE', ROWS, unpack(members))
local any_dropped = redis.call('SCARD', DROPPED) > 0

local function is_dropped(member) return any_dropped and redis.call('SISMEMBER', DROPPED, member) == 1 end

local function letter(number, id, digest, is_gone)
  local member, text, name = members[number], texts[number], names[number]
  local owner = entries[number] and string.match(entries[number], '^%d+ (.*)$')
  local holder = owner or is_gone and absent(member)
  if is_gone and holder and holder ~= id then return '.' end -- its name was given again
  if not text and redis.call('EXISTS', rows[number]) == 0 then
    return is_dropped(member) and (names[number] and 'A' or '.') or 'L' -- its id may stand for nothing then
  end
  if owner ~= id or not name or not orders[number] then return 'L' end
  local is_right = text and not is_dropped(member) and redis.sha1hex(id .. '\0' .. text) == digest
  return is_right and kind_of(member) .. ':' .. quoted(name) == member and '.' or 'A'
end

local found = {}
for number = 1, #members do
  local at = 4 * number
  found[number] = letter(number, ARGV[at - 2], ARGV[at - 1], ARGV[at] == '1')
end
return table.concat(found)
