-- Tells the lease what the quota has granted it in all. Repeats and late arrivals do no harm.
-- KEYS: the lease. ARGV: the lease's id, tokens, micro-dollars, its end in milliseconds.
-- Returns whether it is still the lease.
local key = KEYS[1]
if redis.call('HGET', key, 'lease') ~= ARGV[1] then
  return 0
end
local function raise(name, amount)
  local known = tonumber(redis.call('HGET', key, name) or '0')
  if tonumber(amount) > known then
    redis.call('HSET', key, name, amount)
  end
end
raise('grantedTokens', ARGV[2])
raise('grantedCost', ARGV[3])
raise('endsMs', ARGV[4])
-- A day more than a lease lasts: what is left of it is worth that long.
redis.call('EXPIRE', key, 90000)
return 1
