-- ARGV: 6 owner, 7 how many, 8 moment and 9 id of the last one before, empty for the first page
-- Gives the records, then whether there may be more. Entries without a record leave on the way; the page that meets a
-- thousand of them is short.
local index = index_key(ARGV[6])
local limit = tonumber(ARGV[7])
trim(index)
local start = 0
if ARGV[8] ~= '' then
  if tonumber(redis.call('ZSCORE', index, ARGV[9]) or '-1') == tonumber(ARGV[8]) then
    start = redis.call('ZREVRANK', index, ARGV[9]) + 1
  else -- it was used again, or is gone: go on with what is as old as it was
    start = redis.call('ZCOUNT', index, '(' .. ARGV[8], '+inf')
  end
end
local records, missing = {}, 0
repeat
  local ids = redis.call('ZREVRANGE', index, start + #records, start + limit - 1)
  for _, id in ipairs(ids) do
    local found = look(id)
    if found then
      records[#records + 1] = found
    else
      redis.call('ZREM', index, id)
      missing = missing + 1
    end
  end
until #ids == 0 or #records == limit or missing >= 1000
return {records, redis.call('ZCARD', index) > start + #records and 1 or 0}
