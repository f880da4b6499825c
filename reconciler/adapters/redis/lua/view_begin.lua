-- ARGV: 1 digest from here on: whatever was here, somebody is writing it anew
for _, key in ipairs(overwritten()) do redis.call('UNLINK', key) end
redis.call('HSET', META, 'commit', '', 'digest', ARGV[1], 'height', '0', 'format', FORMAT)
-- Where nobody knows what the rows take, each is counted again when it is written
if redis.call('HSETNX', META, 'bytes', '0') == 1 or taken() == 0 then redis.call('UNLINK', ROWS, SIZES) end
redis.call('UNLINK', DROPPED, ABSENT)
return redis.call('ZCARD', ROWS)
