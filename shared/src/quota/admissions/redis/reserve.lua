-- Reserves what one call may use, if the lease has room for it.
-- KEYS: the lease, one hash so that it can only be lost as a whole.
-- ARGV: an id for a lease that begins here, the call's id, tokens, micro-dollars, and the
-- milliseconds at which the call is taken for dead.
-- Returns 1, lease, number; or 0, lease, and granted, used and held beside this attempt, each in both
-- units. A call is kept as tokens, micro-dollars, expiry, and the numbers of its open attempts.
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
local own_tokens, own_cost, own_expires, attempts =
  string.match(redis.call('HGET', key, field) or '0 0 0', '^(%d+) (%d+) (%d+)(.*)$')
own_tokens, own_cost, own_expires = tonumber(own_tokens), tonumber(own_cost), tonumber(own_expires)
-- An earlier attempt may still be booked, so the call holds the most of any of them.
local most_tokens, most_cost = math.max(own_tokens, tokens), math.max(own_cost, cost)
local open_tokens = number_of('openTokens') - own_tokens + most_tokens
local open_cost = number_of('openCost') - own_cost + most_cost
local fits = number_of('usedTokens') + open_tokens <= number_of('grantedTokens')
  and number_of('usedCost') + open_cost <= number_of('grantedCost')
  and expires <= number_of('endsMs')
local lease = redis.call('HGET', key, 'lease')
if not fits then
  return { 0, lease, number_of('grantedTokens'), number_of('grantedCost'),
    number_of('usedTokens'), number_of('usedCost'), open_tokens - tokens, open_cost - cost }
end
local number = redis.call('HINCRBY', key, 'number', 1)
local call = string.format('%.0f %.0f %.0f%s %.0f',
  most_tokens, most_cost, math.max(own_expires, expires), attempts, number)
redis.call('HSET', key, field, call,
  'openTokens', string.format('%.0f', open_tokens),
  'openCost', string.format('%.0f', open_cost))
return { 1, lease, number }
