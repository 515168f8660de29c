-- Forgets a lease that the quota does not know any more, so that another begins.
-- KEYS: the lease. ARGV: its id.
if redis.call('HGET', KEYS[1], 'lease') ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
