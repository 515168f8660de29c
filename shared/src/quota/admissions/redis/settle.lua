-- Counts what a call has used, once for each reservation.
-- KEYS: the lease. ARGV: the lease's id, the call's id, the number that the ledger names, tokens,
-- micro-dollars, now in milliseconds.
-- Returns whether it was counted, and whether the caller is to bring the quota up to date.
local key, field = KEYS[1], 'call:' .. ARGV[2]
if redis.call('HGET', key, 'lease') ~= ARGV[1] then
  return { 0, 0 }
end

local function number_of(name)
  return tonumber(redis.call('HGET', key, name) or '0')
end

local first, latest, tokens, cost =
  string.match(redis.call('HGET', key, field) or '', '^(%d+) (%d+) (%d+) (%d+) %d+$')
local number, now = tonumber(ARGV[3]), tonumber(ARGV[6])
if not first or number < tonumber(first) or number > tonumber(latest) then
  return { 0, 0 }
end
local open_tokens = number_of('openTokens') - tonumber(tokens)
redis.call('HDEL', key, field)
redis.call('HSET', key,
  'openTokens', string.format('%.0f', open_tokens),
  'openCost', string.format('%.0f', number_of('openCost') - tonumber(cost)))
redis.call('HINCRBY', key, 'usedTokens', ARGV[4])
redis.call('HINCRBY', key, 'usedCost', ARGV[5])
redis.call('HINCRBY', key, 'requests', 1)

-- At most five times in five seconds: once a second under load, and when the last call has ended.
local window = math.floor(now / 5000)
local times = number_of('window') == window and number_of('times') or 0
local is_due = times < 5 and (open_tokens == 0 or now - number_of('countedMs') >= 1000)
if is_due then
  redis.call('HSET', key, 'window', string.format('%.0f', window), 'times', times + 1,
    'countedMs', ARGV[6])
end
return { 1, is_due and 1 or 0 }
