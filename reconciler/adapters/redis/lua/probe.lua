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

for at, key in ipairs(ARGV) do
  local is_view = at == 1
  if may(key, 'DEL', key) then -- else what is written would stay
    may(key, 'GET', key)
    may(key, 'SET', key, '', 'PX', '1')
    if is_view then
      for _, command in ipairs({'EXISTS', 'MGET', 'UNLINK'}) do may(key, command, key) end
    else
      may(key, 'PTTL', key)
      may(key, 'PEXPIREAT', key, '1')
    end
    redis.call('DEL', key)
    if may(key, 'HSET', key, 'x', '1') then
      may(key, 'HMGET', key, 'x')
      if is_view then
        may(key, 'HGET', key, 'x')
        may(key, 'HSETNX', key, 'x', '1')
        may(key, 'HDEL', key, 'x')
      end
    end
    redis.call('DEL', key)
    if may(key, 'ZADD', key, '1', 'x') then
      may(key, 'ZCARD', key)
      may(key, 'ZRANGE', key, '0', '-1')
      may(key, 'ZSCORE', key, 'x')
      may(key, 'ZREM', key, 'x')
      if is_view then
        may(key, 'ZMSCORE', key, 'x')
      else
        may(key, 'ZCOUNT', key, '0', '1')
        may(key, 'ZREVRANGE', key, '0', '-1')
        may(key, 'ZREVRANK', key, 'x')
        may(key, 'ZREMRANGEBYRANK', key, '0', '0')
      end
    end
    redis.call('DEL', key)
    if is_view then
      if may(key, 'SADD', key, 'x') then
        for _, command in ipairs({'SISMEMBER', 'SREM'}) do may(key, command, key, 'x') end
        may(key, 'SCARD', key)
      end
      redis.call('DEL', key)
      may(key, 'XADD', key, '*', 'x', '1')
      redis.call('DEL', key)
    end
  end
end
may('', 'SCAN', '0', 'COUNT', '1')
may('', 'TIME')
return refused
