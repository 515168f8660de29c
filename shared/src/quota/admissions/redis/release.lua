-- Ends a reservation without use, unless a repeat of the call has taken it over.
-- KEYS: the lease. ARGV: the lease's id, the call's id, the reservation's number.
-- Returns whether it was there.
local key, field = KEYS[1], 'call:' .. ARGV[2]
if redis.call('HGET', key, 'lease') ~= ARGV[1] then
  return 0
end
local latest, tokens, cost =
  string.match(redis.call('HGET', key, field) or '', '^%d+ (%d+) (%d+) (%d+) %d+$')
if latest ~= ARGV[3] then
  return 0
end
local function less(name, amount)
  local left = tonumber(redis.call('HGET', key, name) or '0') - tonumber(amount)
  redis.call('HSET', key, name, string.format('%.0f', left))
end
redis.call('HDEL', key, field)
less('openTokens', tokens)
less('openCost', cost)
return 1
