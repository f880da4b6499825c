-- ARGV: 6 owner. From here on all that were there are EXPIRED; gives the moment up to which.
local index = index_key(ARGV[6])
trim(index)
local newest = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')
if not newest[2] then return '-1' end
local till = digits(math.max(NOW, tonumber(newest[2]), ended(ARGV[6])))
redis.call('SET', index .. ':ended', till, 'PX', digits(RETENTION))
return till
