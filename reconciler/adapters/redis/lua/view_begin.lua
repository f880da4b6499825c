-- ARGV: 1 digest from here on: whatever was here, somebody is writing it anew
redis.call('HSET', META, 'commit', '', 'digest', ARGV[1], 'height', '0', 'format', FORMAT)
redis.call('HSETNX', META, 'bytes', '0')
redis.call('UNLINK', DROPPED)
return redis.call('ZCARD', ROWS)
