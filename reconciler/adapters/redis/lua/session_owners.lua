-- ARGV: 6 from which rank on, 7 how many
trim(OWNERS)
return redis.call('ZRANGE', OWNERS, ARGV[6], tonumber(ARGV[6]) + tonumber(ARGV[7]) - 1)
