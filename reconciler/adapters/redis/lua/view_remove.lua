-- ARGV: 1 digest that has to be here, 2 entries the stream keeps, 3 and 4 height and commit for it, then what follows config: in
-- keys that are no row's. Whoever read one of them is told to look at everything.
if redis.call('HGET', META, 'digest') ~= ARGV[1] then return -1 end
local bytes = redis.call('HGET', META, 'bytes') -- what is no row's was not counted
for at = 5, #ARGV do take_away(ARGV[at]) end
redis.call('HSET', META, 'bytes', bytes or '0')
tell(ARGV[2], '', '', 'rebuild', ARGV[4], ARGV[3])
return 1
