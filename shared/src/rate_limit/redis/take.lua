-- Counts a request, unless as many as the limit were admitted within the window.
-- KEYS: a list of the times of the last admissions in microseconds, the newest first.
-- ARGV: the limit; the window in microseconds; the time in microseconds, or nothing for this server's.
-- Returns whether it is admitted, how many more are at once, and the microseconds until one more is.
local key, limit, window = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function at(index)
  return tonumber(redis.call('LINDEX', key, index) or nil)
end

-- After a clock was set back, what was counted is taken for as late as it can have been: the newest
-- for now, the others as far before it as they were.
local ahead = (at(0) or now) - now
if ahead > 0 then
  local times = redis.call('LRANGE', key, 0, -1)
  redis.call('DEL', key)
  for _, time in ipairs(times) do
    redis.call('RPUSH', key, string.format('%.0f', tonumber(time) - ahead))
  end
end

local oldest = at(-1)
while oldest and now - oldest >= window do
  redis.call('RPOP', key)
  oldest = at(-1)
end
local count = redis.call('LLEN', key)
local is_admitted = count < limit
if is_admitted then
  redis.call('LPUSH', key, string.format('%.0f', now))
  count = count + 1
end
-- A millisecond more than the window, as the server rounds down.
redis.call('PEXPIRE', key, math.ceil(window / 1000) + 1)
-- With less room than before, more than the oldest must go.
local next = at(math.min(count, limit) - 1)
return { is_admitted and 1 or 0, math.max(limit - count, 0), next + window - now }
