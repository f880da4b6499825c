-- What all session scripts share. Moments are whole milliseconds since 1970.
-- ARGV: 1 now (empty: this server's time), 2 idle timeout, 3 retention, 4 owner column, 5 owner prefix

local RETENTION, IDLE = tonumber(ARGV[3]), tonumber(ARGV[2])
local OWNERS = 'sessions:owners'
local TRIMMED = 1000 -- index entries removed at a time: nobody waits for the removal of 100,000

local function time()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

local NOW = time()

-- A number of 13 digits as text: Lua's own would be 1.7e+12
local function digits(number) return string.format('%.0f', number) end

-- RFC 3339, as the rest of the program writes moments. The calendar is Howard Hinnant's civil_from_days.
local function stamp(moment)
  local day = math.floor(moment / 86400000)
  local rest = moment - day * 86400000
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local second = math.floor(rest / 1000)
  local text = string.format('%04d-%02d-%02dT%02d:%02d:%02d', year, month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(second / 3600), math.floor(second / 60) % 60, second % 60)
  local fraction = rest % 1000
  return text .. (fraction == 0 and 'Z' or string.format('.%03d000Z', fraction))
end

-- The other way round, days_from_civil; nil for anything else
local function moment(text)
  local y, m, d, hour, minute, second, fraction =
    string.match(text or '', '^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)%.?(%d*)Z$')
  if not y then return nil end
  y, m, d = tonumber(y), tonumber(m), tonumber(d)
  if m <= 2 then y = y - 1 end
  local era = math.floor(y / 400)
  local yoe = y - era * 400
  local doy = math.floor((153 * (m > 2 and m - 3 or m + 9) + 2) / 5) + d - 1
  local doe = yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy
  local days = era * 146097 + doe - 719468
  local thousandths = tonumber(string.sub(fraction .. '000', 1, 3))
  return ((days * 24 + tonumber(hour)) * 60 + tonumber(minute)) * 60000 + tonumber(second) * 1000 + thousandths
end

local function session_key(id) return 'session:' .. id end
local function index_key(owner) return ARGV[5] .. owner .. ':sessions' end

-- Until when an owner's sessions were all ended: those last used up to then are EXPIRED, written down or not
local function ended(owner) return tonumber(redis.call('GET', index_key(owner) .. ':ended') or '-1') end

-- The record by column, its moment, and whether it was found ACTIVE and is not any more. What cannot be read is gone:
-- it is nobody's permission. What was ended together with all others of its owner is written down by whoever `settles`
-- that, as they count: nobody who looks meanwhile takes one out of their number.
local function look(id, settles)
  local key = session_key(id)
  local found = redis.call('HMGET', key, 'session_id', ARGV[4], 'ip_address', 'last_active', 'device_fingerprint', 'status')
  local last = moment(found[4])
  if not (last and found[1] and found[2] and found[3] and found[5] and found[6]) then return nil end
  if last + RETENTION <= NOW then
    redis.call('DEL', key)
    return nil
  end
  local idle = last + IDLE <= NOW
  if found[6] == 'ACTIVE' and (idle or last <= ended(found[2])) then
    if idle or settles then redis.call('HSET', key, 'status', 'EXPIRED') end
    found[6] = 'EXPIRED'
    return found, last, true
  end
  if found[6] ~= 'ACTIVE' then found[6] = 'EXPIRED' end
  return found, last, false
end

-- Entries of sessions that are gone leave, the oldest first
local function trim(index)
  local old = redis.call('ZCOUNT', index, '-inf', digits(NOW - RETENTION))
  if old > 0 then redis.call('ZREMRANGEBYRANK', index, 0, math.min(old, TRIMMED) - 1) end
end

-- An index lasts as long as the newest of its sessions
local function keep(index, till)
  if redis.call('PEXPIREAT', index, till, 'GT') == 0 and redis.call('PTTL', index) == -1 then
    redis.call('PEXPIREAT', index, till) -- to GT, a key without an end lasts longer than any
  end
end

local function enter(id, owner, last)
  local index, till = index_key(owner), digits(last + RETENTION)
  redis.call('PEXPIREAT', session_key(id), till)
  redis.call('ZADD', index, digits(last), id)
  keep(index, till)
  trim(index)
  -- The owner's own entry may lag behind: it is written once an hour, of seven days
  if last - tonumber(redis.call('ZSCORE', OWNERS, owner) or '0') > RETENTION / 168 then
    redis.call('ZADD', OWNERS, 'GT', digits(last), owner)
    keep(OWNERS, till)
    trim(OWNERS)
  end
end

