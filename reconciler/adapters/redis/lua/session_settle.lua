-- ARGV: 6 owner, 7 up to which moment, 8 from which rank on, 9 how many at a time
-- Writes down what `session_end` decided. Gives how many were looked at, and how many of them were not EXPIRED before.
local index = index_key(ARGV[6])
local till, from = tonumber(ARGV[7]), tonumber(ARGV[8])
local entries = redis.call('ZRANGE', index, from, from + tonumber(ARGV[9]) - 1, 'WITHSCORES')
local looked, changed = 0, 0
for at = 1, #entries, 2 do
  if tonumber(entries[at + 1]) > till then break end
  looked = looked + 1
  local _, _, now_expired = look(entries[at], true)
  if now_expired then changed = changed + 1 end
end
if looked < tonumber(ARGV[9]) then
  local newest = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')
  if not newest[2] or tonumber(newest[2]) <= till then redis.call('ZREM', OWNERS, ARGV[6]) end
end
return {looked, changed}
