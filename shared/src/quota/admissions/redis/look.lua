-- All that the lease knows, unless another run or history of the server knew it.
-- KEYS: the lease.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local known = redis.call('HMGET', KEYS[1], 'run', 'history')
if known[1] ~= run or known[2] ~= history then
  return {}
end
return redis.call('HGETALL', KEYS[1])
