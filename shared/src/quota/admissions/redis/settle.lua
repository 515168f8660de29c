-- Counts what an attempt at a call has used, once.
-- KEYS: the lease. ARGV: the lease's id, the call's id, the number that the ledger names, tokens,
-- micro-dollars, now in milliseconds, and 1 if the other attempts have nothing more to book.
-- Returns whether it was counted, and whether the caller is to bring the quota up to date.
local key, field = KEYS[1], 'call:' .. ARGV[2]
if redis.call('HGET', key, 'lease') ~= ARGV[1] then
  return { 0, 0 }
end

local function number_of(name)
  return tonumber(redis.call('HGET', key, name) or '0')
end

local tokens, cost, expires, attempts =
  string.match(redis.call('HGET', key, field) or '', '^(%d+) (%d+) (%d+)(.*)$')
if not tokens then
  return { 0, 0 }
end
local left, removed = string.gsub(attempts .. ' ', ' ' .. ARGV[3] .. ' ', ' ', 1)
if removed == 0 then
  return { 0, 0 }
end
left = string.gsub(left, ' $', '')
-- The others can add no more than what is left of the reservation.
local rest_tokens, rest_cost = math.max(tokens - ARGV[4], 0), math.max(cost - ARGV[5], 0)
if left == '' or ARGV[7] == '1' then
  rest_tokens, rest_cost = 0, 0
  redis.call('HDEL', key, field)
else
  redis.call('HSET', key, field,
    string.format('%.0f %.0f %s%s', rest_tokens, rest_cost, expires, left))
end
local open_tokens, now = number_of('openTokens') - tokens + rest_tokens, tonumber(ARGV[6])
redis.call('HSET', key,
  'openTokens', string.format('%.0f', open_tokens),
  'openCost', string.format('%.0f', number_of('openCost') - cost + rest_cost))
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
