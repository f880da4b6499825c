-- What somebody wrote over is lost, and so is the view: whoever writes it begins anew
if overwritten()[1] then return {'', '', '0', 0, 0, 0, 1} end
local meta = redis.call('HMGET', META, 'commit', 'digest', 'height')
local rows, dropped = redis.call('ZCARD', ROWS), redis.call('SCARD', DROPPED)
return {meta[1] or '', meta[2] or '', meta[3] or '0', taken(), rows, dropped, format()}
