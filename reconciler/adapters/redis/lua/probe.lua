-- ARGV: keys of each form that reconciler writes, under names that nobody has
-- Gives what this login may not do there. A script is one step: nobody sees what is written in between.
local refused = {}

local function may(key, command, ...)
  local answer = redis.pcall(command, ...)
  local error = type(answer) == 'table' and answer.err or ''
  local is_refused = string.find(error, 'permission', 1, true) or string.find(error, 'ACL failure', 1, true)
  if is_refused then refused[#refused + 1] = string.gsub(command .. ' ' .. key, ' $', '') end
  return not is_refused
end

for _, key in ipairs(ARGV) do
  if may(key, 'DEL', key) then -- else what is written would stay
    may(key, 'SET', key, '', 'PX', '1')
    for _, command in ipairs({'GET', 'EXISTS', 'MGET', 'PTTL', 'UNLINK'}) do may(key, command, key) end
    if may(key, 'HSET', key, 'x', '1') then
      may(key, 'HGET', key, 'x')
      may(key, 'HMGET', key, 'x')
      may(key, 'HINCRBY', key, 'x', '1')
      may(key, 'HDEL', key, 'x')
    end
    redis.call('DEL', key)
    if may(key, 'ZADD', key, '1', 'x') then
      may(key, 'ZRANGE', key, '0', '-1')
      may(key, 'ZMSCORE', key, 'x')
      may(key, 'ZCARD', key)
      may(key, 'ZREM', key, 'x')
    end
    redis.call('DEL', key)
    if may(key, 'SADD', key, 'x') then
      may(key, 'SISMEMBER', key, 'x')
      may(key, 'SCARD', key)
      may(key, 'SREM', key, 'x')
    end
    redis.call('DEL', key)
    if may(key, 'XADD', key, '*', 'x', '1') then
      may(key, 'XRANGE', key, '-', '+')
      may(key, 'XREVRANGE', key, '+', '-')
    end
    redis.call('DEL', key)
  end
end
may('', 'SCAN', '0', 'COUNT', '1')
may('', 'TIME')
return refused
