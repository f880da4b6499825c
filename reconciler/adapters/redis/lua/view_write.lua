-- ARGV: 1 budget, 2 entries the stream keeps, 3 and 4 commit and digest that have to be here, 5 to 7 commit, digest and
-- height from here on, 8 what the stream says instead of its rows ('' nothing), 9 and 10 height and commit for the stream, then for each row:
-- op, kind, name, id, JSON ('' when it goes), bytes, order
-- Gives -1, and nothing has changed, when something else is here, or keys of a newer format; else whether all of it
-- has room.
local here = redis.call('HMGET', META, 'commit', 'digest')
if format() > FORMAT or (here[1] or '') ~= ARGV[3] or (here[2] or '') ~= ARGV[4] then return -1 end

local USE = 1e14 -- what one more step of use is in an order

local REBUILT = ARGV[8] ~= '' -- one entry for all rows: nobody is told of 100,000 that may well be as they were

local function tell_row(kind, name, op)
  if not REBUILT then tell(ARGV[2], kind, name, op, ARGV[10], ARGV[9]) end
end

-- First all old names go: two rows may have changed theirs for one another's
for at = 11, #ARGV, 7 do
  local kind, name, id, json = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local old = text(id_key(kind, id))
  if old and (old ~= name or json == '') then
    local member = kind .. ':' .. quoted(old)
    local _, owner = entry(member)
    if owner == id then forget(member) end
  end
  local was_dropped = undrop_row(kind, id)
  if json == '' then
    local member = kind .. ':' .. quoted(name)
    redis.call('DEL', id_key(kind, id))
    -- The name may have been given to another row, there was no room for that either
    if not was_dropped and not absent(member) then was_dropped = undrop(member) end
    if was_dropped or old then tell_row(kind, name, ARGV[at]) end
  end
end

for at = 11, #ARGV, 7 do
  local kind, name, id, json, bytes = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  if json ~= '' then
    local member = kind .. ':' .. quoted(name)
    local size, owner = entry(member)
    local use = math.floor(tonumber(ARGV[at + 6]) / USE)
    local other = owner and owner ~= id
    local order = redis.call('ZSCORE', ROWS, member)
    if order and not size then size = tonumber(bytes) end -- its entry was lost: it has been counted
    -- The name of what left git may have been given again: it is the live one's, with room for it or without
    local is_taken = use == 0 and absent(member)
    if not is_taken and (not other or use >= math.floor(tonumber(order or '0') / USE)) then
      local before = text('config:' .. member)
      if other and text(id_key(kind, owner)) == name then redis.call('DEL', id_key(kind, owner)) end
      count(tonumber(bytes) - (size or 0))
      undrop(member)
      redis.call('SET', 'config:' .. member, json)
      redis.call('SET', id_key(kind, id), name)
      redis.call('HSET', SIZES, member, bytes .. ' ' .. id)
      redis.call('ZADD', ROWS, ARGV[at + 6], member)
      if before ~= json then tell_row(kind, name, ARGV[at]) end
    end
  end
end

redis.call('HSET', META, 'commit', ARGV[5], 'digest', ARGV[6], 'height', ARGV[7], 'format', FORMAT)
if REBUILT and ARGV[5] ~= '' then tell(ARGV[2], '', '', ARGV[8], ARGV[10], ARGV[9]) end
return fit(tonumber(ARGV[1]), 256)
