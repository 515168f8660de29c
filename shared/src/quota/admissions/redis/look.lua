-- All that the lease knows, unless another run of the server knew it.
-- KEYS: the lease.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('HGET', KEYS[1], 'run') ~= run then
  return {}
end
return redis.call('HGETALL', KEYS[1])
