-- ARGV: 6 id, 7 owner, 8 address, 9 fingerprint
if look(ARGV[6]) then return false end
local last = math.max(NOW, ended(ARGV[7]) + 1)
local text = stamp(last)
redis.call('DEL', session_key(ARGV[6]))
redis.call('HSET', session_key(ARGV[6]), 'session_id', ARGV[6], ARGV[4], ARGV[7], 'ip_address', ARGV[8],
  'last_active', text, 'device_fingerprint', ARGV[9], 'status', 'ACTIVE')
enter(ARGV[6], ARGV[7], last)
return {ARGV[6], ARGV[7], ARGV[8], text, ARGV[9], 'ACTIVE'}
