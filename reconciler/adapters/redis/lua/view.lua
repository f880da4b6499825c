-- What the scripts of the live view share
-- config:meta (hash)    commit, digest, height: whose state this is; without a commit it is being written.
--                       bytes: what the rows here take. format: that of all these keys; none is 1
-- config:rows (set)     kind:name of each row, sorted by how much it is missed
-- config:sizes (hash)   kind:name -> bytes and id
-- config:dropped (set)  kind:name of the live rows that are not here for want of room
-- config:absent (hash)   both ways whose name that is: kind:name -> id, kind:id:ID -> kind:name

local FORMAT = 1
local META, ROWS, SIZES, DROPPED = 'config:meta', 'config:rows', 'config:sizes', 'config:dropped'
local ABSENT = 'config:absent'

-- A name in a key, as RFC 3986 quotes it: a colon or a line break in one is no part of the key's form
local function quoted(name)
  return (string.gsub(name, '[^%w%-%._~]', function(c) return string.format('%%%02X', string.byte(c)) end))
end

local function format() return tonumber(redis.call('HGET', META, 'format') or '') or 1 end

-- 0 where the number was lost, or is none that could be
local function taken()
  local bytes = tonumber(redis.call('HGET', META, 'bytes') or '')
  return bytes and bytes > 0 and bytes < 2 ^ 53 and bytes or 0
end

local function count(bytes)
  if bytes ~= 0 then redis.call('HSET', META, 'bytes', string.format('%.0f', taken() + bytes)) end
end

-- How each of these is read where nothing else stands there
local OWN = {{'HGET', META, 'commit'}, {'ZCARD', ROWS}, {'HGET', SIZES, ''}, {'SCARD', DROPPED}, {'HGET', ABSENT, ''}}

local function is_of_another_type(answer)
  return type(answer) == 'table' and answer.err and string.find(answer.err, 'WRONGTYPE', 1, true)
end

-- Those of them in whose place another program wrote something else; none where all are something else: then it is not
-- our view that this server holds
local function overwritten()
  local found, ours = {}, false
  for _, own in ipairs(OWN) do
    if is_of_another_type(redis.pcall(unpack(own))) then
      found[#found + 1] = own[2]
    elseif redis.call('EXISTS', own[2]) == 1 then
      ours = true
    end
  end
  return ours and found or {}
end

-- The text under a key; false where there is none, or something else that another program wrote
local function text(key)
  local found = redis.pcall('GET', key)
  return type(found) == 'string' and found
end

-- Bytes and id of a row that is here
local function entry(member)
  local found = redis.call('HGET', SIZES, member)
  if not found then return nil end
  local bytes, id = string.match(found, '^(%d+) (.*)$')
  return tonumber(bytes), id
end

local function kind_of(member) return string.match(member, '^([^:]*)') end

local function id_key(kind, id) return 'config:' .. kind .. ':id:' .. id end

-- The id of the row that has no room under a name
local function absent(member) return redis.call('HGET', ABSENT, member) end

local function drop(member, id)
  redis.call('SADD', DROPPED, member)
  if id then redis.call('HSET', ABSENT, member, id, kind_of(member) .. ':id:' .. id, member) end
end

-- Whether there was no room under a name: whose it was is known no more
local function undrop(member)
  local id = absent(member)
  if id then redis.call('HDEL', ABSENT, member, kind_of(member) .. ':id:' .. id) end
  return redis.call('SREM', DROPPED, member) == 1
end

-- The same for a row, under whichever name
local function undrop_row(kind, id)
  local member = absent(kind .. ':id:' .. id)
  return member and undrop(member)
end

local function forget(member)
  local bytes = entry(member)
  redis.call('DEL', 'config:' .. member)
  redis.call('HDEL', SIZES, member)
  redis.call('ZREM', ROWS, member)
  count(-(bytes or 0))
  undrop(member)
end

-- A row that is no more, and the key of its id, unless that is another row's
local function take_away(member)
  local _, id = entry(member)
  if id then
    local kind = kind_of(member)
    local name = text(id_key(kind, id))
    if not name or kind .. ':' .. quoted(name) == member then redis.call('DEL', id_key(kind, id)) end
  end
  forget(member)
end

-- Take what is missed least away, so many at a time; whether it fits now
local function fit(budget, most)
  for _ = 1, most do
    if taken() <= budget then return 1 end
    local least = redis.call('ZRANGE', ROWS, 0, 0)[1]
    if not least then return 1 end
    local _, id = entry(least)
    take_away(least)
    drop(least, id)
  end
  return 0
end

local function tell(most, kind, name, op, commit, height)
  local fields = {'MAXLEN', '~', most, '*', 'kind', kind, 'name', name, 'op', op, 'commit', commit, 'height', height}
  local answer = redis.pcall('XADD', 'config:changes', unpack(fields))
  if is_of_another_type(answer) then redis.call('UNLINK', 'config:changes') end
  if type(answer) == 'table' then redis.call('XADD', 'config:changes', unpack(fields)) end
end
