-- The server says that it refuses "a key", never which one; of errors like that this tells command and key. The id of
-- a session is left out: whoever has it is signed in.
local server = redis
local redis = {pcall = server.pcall, sha1hex = server.sha1hex}

function redis.call(...)
  local answer = server.pcall(...)
  if type(answer) == 'table' and answer.err then
    local command, key = ...
    if key and not string.find(answer.err, key, 1, true) then
      local shown = string.gsub(key, '^session:.*', 'session:…')
      answer.err = string.format('%s [%s %s]', answer.err, command, shown)
    end
    error(answer)
  end
  return answer
end
