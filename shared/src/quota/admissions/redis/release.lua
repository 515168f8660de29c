-- Ends an attempt without use, and the call's reservation with the last of them.
-- KEYS: the lease. ARGV: the lease's id, the call's id, the attempt's number.
-- Returns whether it was there.
local key, field = KEYS[1], 'call:' .. ARGV[2]
if redis.call('HGET', key, 'lease') ~= ARGV[1] then
  return 0
end
local tokens, cost, expires, attempts =
  string.match(redis.call('HGET', key, field) or '', '^(%d+) (%d+) (%d+)(.*)$')
if not tokens then
  return 0
end
local left, removed = string.gsub(attempts .. ' ', ' ' .. ARGV[3] .. ' ', ' ', 1)
if removed == 0 then
  return 0
end
left = string.gsub(left, ' $', '')
if left ~= '' then
  redis.call('HSET', key, field, tokens .. ' ' .. cost .. ' ' .. expires .. left)
  return 1
end
local function less(name, amount)
  local rest = tonumber(redis.call('HGET', key, name) or '0') - tonumber(amount)
  redis.call('HSET', key, name, string.format('%.0f', rest))
end
redis.call('HDEL', key, field)
less('openTokens', tokens)
less('openCost', cost)
return 1
