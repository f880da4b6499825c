-- ARGV: 1 digest that has to be here, then kind:name of rows that are no more
if redis.call('HGET', META, 'digest') ~= ARGV[1] then return -1 end
for at = 2, #ARGV do take_away(ARGV[at]) end
return 1
