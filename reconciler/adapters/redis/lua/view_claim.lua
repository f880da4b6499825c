-- ARGV: 1 who asks, 2 the height of what it would write, 3 milliseconds that it may be silent
-- Gives '' when it may write, else who writes: somebody who is as far or further, and was heard of a moment ago.
local kept = redis.pcall('GET', 'config:keeper')
if type(kept) == 'table' then -- something else stands there: ours to write over where the view is ours
  local is_other = string.find(kept.err, 'WRONGTYPE', 1, true)
  if not is_other or not redis.call('HGET', 'config:meta', 'digest') then redis.call('GET', 'config:keeper') end
end
if type(kept) == 'string' then
  local height, who = string.match(kept, '^(%d+) (.*)$')
  if who and who ~= ARGV[1] and tonumber(height) >= tonumber(ARGV[2]) then return who end
end
redis.call('SET', 'config:keeper', ARGV[2] .. ' ' .. ARGV[1], 'PX', ARGV[3])
return ''
