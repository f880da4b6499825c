-- ARGV: 1 budget
return fit(tonumber(ARGV[1]), 256)
