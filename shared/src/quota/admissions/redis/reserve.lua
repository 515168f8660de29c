-- Reserves what one call may use, if the lease has room for it.
-- KEYS: the lease, one hash so that it can only be lost as a whole.
-- ARGV: an id for a lease that begins here, the call's id, tokens, micro-dollars, and the
-- milliseconds at which the call is taken for dead.
-- Returns 1, lease, number; or 0, lease, and granted, used and held by others, each in both units.
local key, field = KEYS[1], 'call:' .. ARGV[2]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not run or not history then
  return redis.error_reply('ERR the server does not tell its run_id and master_replid')
end
-- Another run of the server, or another server, may have lost calls that this one admitted. So may
-- this one when it was a replica meanwhile: each promotion begins another history.
local known = redis.call('HMGET', key, 'lease', 'run', 'history')
if not known[1] or known[2] ~= run or known[3] ~= history then
  redis.call('DEL', key)
  redis.call('HSET', key, 'lease', ARGV[1], 'run', run, 'history', history)
  redis.call('EXPIRE', key, 90000)
end

local function number_of(name)
  return tonumber(redis.call('HGET', key, name) or '0')
end

local tokens, cost, expires = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local first, own_tokens, own_cost
local own = redis.call('HGET', key, field)
if own then
  first, own_tokens, own_cost = string.match(own, '^(%d+) %d+ (%d+) (%d+) %d+$')
end
local open_tokens = number_of('openTokens') - tonumber(own_tokens or 0)
local open_cost = number_of('openCost') - tonumber(own_cost or 0)
local fits = number_of('usedTokens') + open_tokens + tokens <= number_of('grantedTokens')
  and number_of('usedCost') + open_cost + cost <= number_of('grantedCost')
  and expires <= number_of('endsMs')
local lease = redis.call('HGET', key, 'lease')
if not fits then
  return { 0, lease, number_of('grantedTokens'), number_of('grantedCost'),
    number_of('usedTokens'), number_of('usedCost'), open_tokens, open_cost }
end
local number = redis.call('HINCRBY', key, 'number', 1)
local call = string.format('%.0f %.0f %.0f %.0f %.0f', first or number, number, tokens, cost, expires)
redis.call('HSET', key, field, call,
  'openTokens', string.format('%.0f', open_tokens + tokens),
  'openCost', string.format('%.0f', open_cost + cost))
return { 1, lease, number }
