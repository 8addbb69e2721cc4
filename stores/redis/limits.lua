-- The twin of gateway/limits/counter.go: read its comment first. Whatever is
-- changed here is changed there; one test runs the same traces through both.
--
-- KEYS[1]    generation: when these counters began, and the server's history
-- KEYS[2]    what this reservation holds: "slot:amount;" per claim
-- KEYS[3…]   one counter per claim
-- ARGV[1]    reserve | peek | settle | cancel | renew | charge | restore | beat
-- ARGV[2]    now in µs for tests; 0 for this server's own time
-- ARGV[3]    lease in µs
-- ARGV[4]    how long KEYS[2] is kept, in ms
-- ARGV[5]    id of the reservation
-- then, per claim, 10 values:
--   kind     s sliding | c calendar | l leases
--   a b c d  s: a = width of a slot in µs; c: the bounds of the last, this and
--            the next period in µs, as the caller sees them
--   amount   reserve, peek, charge, restore: the amount; settle: what was really used,
--            or -1 to keep what was reserved
--   limit
--   shadow   1 if it must not refuse
--   known    what the counter is known to have held in generation
--   generation
--
-- Returns status, now, generation, then per claim: used, µs until it is empty,
-- µs until there is room (0 if there is, -1 if never), slot.
-- status: 1 done | 0 refused | -1 the caller's periods do not have this
-- server's time | -2 the reservation is not held, or was decided before.
--
-- A server that was restarted or promoted may lack what was counted last, so
-- counters begin a new generation there: everybody who comes says what it
-- knows of the generation before, and what is missing is counted.
--
-- A counter is a hash of slot to amount, or a sorted set of lease by expiry.
-- The hash has "base" too, "generation:amount": what the counter is known to
-- have held when that generation began. It is what the next caller's knowledge
-- is measured by, since the total has grown meanwhile by what others counted.
-- All reads come before the first write, and the first write is one that a
-- full server refuses, so that a script fails as a whole or not at all.

local PARTS, SLOTS, MAX, NEVER, SOON = 32, 33, 9007199254740991, -1, 1000000
local KEPT = 60000
local call, floor, min, max = redis.call, math.floor, math.min, math.max

local function int(n) return string.format('%.0f', n) end
local function clamp(n) return min(max(n, 0), MAX) end

local op, now = ARGV[1], tonumber(ARGV[2])
local lease, ttl, id = tonumber(ARGV[3]), ARGV[4], ARGV[5]
if now == 0 then
  local t = call('TIME')
  now = t[1] * 1000000 + t[2]
end
-- beat | how many instances have called within the lease, this one included.
if op == 'beat' then
  call('ZADD', KEYS[2], int(now + lease), id)
  call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
  call('PEXPIRE', KEYS[2], ttl)
  return {1, now, call('ZCARD', KEYS[2])}
end

local stored = call('GET', KEYS[1])
local generation, history = string.match(stored or '', '^(%d+) ?(%w*)$')
-- A user who may not ask for it sees no promotion.
local info = redis.pcall('INFO', 'replication')
local here = type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or history or ''
local fresh = not generation or here ~= history
if fresh then generation = int(max(now, (tonumber(generation) or 0) + 1)) end
local function begin()
  if fresh then call('SET', KEYS[1], generation .. ' ' .. here) end
end

local function load(key, at)
  local c = {key = key, kind = ARGV[at], total = 0, slots = {}, stale = {},
    amount = tonumber(ARGV[at + 5]), limit = tonumber(ARGV[at + 6]), shadow = ARGV[at + 7] == '1',
    known = tonumber(ARGV[at + 8]), lost = ARGV[at + 9] ~= generation}
  if c.kind == 'l' then
    c.total = call('ZCOUNT', key, '(' .. int(now), '+inf')
    return c
  end
  if c.kind == 's' then
    c.width = tonumber(ARGV[at + 1])
    c.head = floor(now / c.width)
  else
    for i = 1, 3 do
      local start, stop = tonumber(ARGV[at + i]), tonumber(ARGV[at + i + 1])
      if now >= start and now < stop then c.head, c.stop = start, stop end
    end
    if not c.head then return nil end
  end
  local raw = call('HGETALL', key)
  for i = 1, #raw, 2 do
    if raw[i] == 'base' then
      local told, base = string.match(raw[i + 1], '^(%d+):(%d+)$')
      if told == generation then c.base = tonumber(base) end
      raw[i] = ''
    end
  end
  for i = 1, #raw, 2 do c.head = max(c.head, tonumber(raw[i]) or 0) end
  for i = 1, c.kind == 'c' and 3 or 0 do
    if tonumber(ARGV[at + i]) == c.head then c.stop = tonumber(ARGV[at + i + 1]) end
  end
  c.oldest = c.kind == 's' and c.head - PARTS or c.head
  for i = 1, #raw, 2 do
    local slot = tonumber(raw[i])
    if not slot then
    elseif slot < c.oldest then
      c.stale[#c.stale + 1] = raw[i]
    else
      c.slots[slot] = tonumber(raw[i + 1])
      c.total = c.total + c.slots[slot]
    end
  end
  return c
end

local function rebase(c, base)
  c.base = base
  call('HSET', c.key, 'base', generation .. ':' .. int(base))
end

local function change(c, slot, delta)
  local was = c.slots[slot] or 0
  local is = clamp(was + delta)
  if is == was then return end
  if not c.base then rebase(c, min(c.total, MAX)) end
  -- In this order, or the sum would pass 2^53 on its way.
  local over = c.total > MAX
  c.slots[slot], c.total = is, c.total + (is - was)
  if over then
    -- What was added up beyond 2^53 was not exact.
    c.total = 0
    for _, amount in pairs(c.slots) do c.total = c.total + amount end
  end
  if is == 0 then
    call('HDEL', c.key, int(slot))
    return
  end
  call('HSET', c.key, int(slot), int(is))
  if delta > 0 then
    local left = c.kind == 's' and SLOTS * c.width or c.stop - now
    call('PEXPIRE', c.key, int(floor(left / 1000) + 1 + (c.kind == 's' and 0 or KEPT)))
  end
end

local function take(c)
  call('ZADD', c.key, int(now + lease), id)
  call('PEXPIRE', c.key, int(floor(lease / 1000) + KEPT))
  c.total = call('ZCOUNT', c.key, '(' .. int(now), '+inf')
end

local function wait(c)
  if c.amount > c.limit then return NEVER end
  if c.kind == 'l' then return SOON end
  if c.kind == 'c' then return c.stop - now end
  local need = c.total - (c.limit - c.amount)
  for slot = c.head - PARTS, c.head - 1 do
    need = need - (c.slots[slot] or 0)
    if need <= 0 then return (slot + SLOTS) * c.width - now end
  end
  return (c.head + SLOTS) * c.width - now
end

local function reset(c)
  if c.kind == 'l' then return 0 end
  if c.kind == 'c' then return c.stop - now end
  for slot = c.head, c.head - PARTS, -1 do
    if (c.slots[slot] or 0) > 0 then return (slot + SLOTS) * c.width - now end
  end
  return 0
end

local counters, refused = {}, false
for i = 3, #KEYS do
  local c = load(KEYS[i], 6 + (i - 3) * 10)
  if not c then return {-1, now, tonumber(generation)} end
  counters[i - 2] = c
end

-- missing is what the caller knows to have been counted and is not there.
local function missing(c)
  if not c.lost or c.kind == 'l' then return 0 end
  return max(0, c.known - min(c.base or c.total, c.total))
end

local function remember(c)
  local amount = missing(c)
  if amount == 0 then return end
  change(c, c.head, amount)
  if c.known > c.base then rebase(c, c.known) end
end

local status = 1
local held = (op ~= 'peek' and op ~= 'restore') and call('GET', KEYS[2])

if op == 'reserve' then
  if held then
    status = -2
  else
    local record = {}
    for i, c in ipairs(counters) do
      if c.total + missing(c) > c.limit - c.amount and not c.shadow then refused = true end
      record[i] = int(c.head or 0) .. ':' .. int(c.amount) .. ';'
    end
    begin()
    if not refused then call('SET', KEYS[2], table.concat(record), 'PX', ttl) end
    for _, c in ipairs(counters) do
      remember(c)
      if c.total > c.limit - c.amount then c.wait = wait(c) end
    end
    if refused then
      status = 0
    else
      for _, c in ipairs(counters) do
        if c.kind == 'l' then take(c) else change(c, c.head, c.amount) end
      end
    end
  end
elseif op == 'peek' then
  for _, c in ipairs(counters) do
    local amount = missing(c)
    if amount > 0 then
      c.slots[c.head] = (c.slots[c.head] or 0) + amount
      c.total = c.total + amount
    end
    if c.total > c.limit - c.amount then c.wait = wait(c) end
  end
elseif op == 'restore' then
  begin()
  for _, c in ipairs(counters) do
    if c.kind ~= 'l' and c.amount > c.total then change(c, c.head, c.amount - c.total) end
  end
elseif op == 'charge' then
  if held then
    status = -2
  else
    begin()
    call('SET', KEYS[2], '', 'PX', ttl)
    for _, c in ipairs(counters) do
      if c.kind ~= 'l' then change(c, c.head, c.amount) end
    end
  end
elseif not held or held == '' then
  status = -2
  -- A reservation whose answer was lost may still be on its way: it must find
  -- that it has been cancelled.
  if op == 'cancel' then
    call('SET', KEYS[2], '', 'PX', KEPT)
  elseif op == 'settle' then
    -- Nor does the server know the reservation that it has lost: what was
    -- reserved stays counted.
    begin()
    for _, c in ipairs(counters) do remember(c) end
  end
elseif op == 'renew' then
  call('PEXPIRE', KEYS[2], ttl)
  for _, c in ipairs(counters) do
    if c.kind == 'l' then
      local expiry = call('ZSCORE', c.key, id)
      if (expiry and tonumber(expiry) > now) or c.total < c.limit then take(c) else status = 0 end
    end
  end
else
  call('SET', KEYS[2], held, 'PX', ttl)
  begin()
  for _, c in ipairs(counters) do remember(c) end
  local i = 0
  for slot, amount in string.gmatch(held, '(%d+):(%d+);') do
    i = i + 1
    local c = counters[i]
    slot, amount = tonumber(slot), tonumber(amount)
    if c.kind == 'l' then
      call('ZREM', c.key, id)
      c.total = call('ZCOUNT', c.key, '(' .. int(now), '+inf')
    elseif c.amount >= 0 then
      local delta = c.amount - amount
      if slot >= c.oldest and slot <= c.head then
        change(c, slot, delta)
      elseif delta > 0 then
        change(c, c.head, delta)
      end
    end
  end
  call('DEL', KEYS[2])
end

local reply = {status, now, tonumber(generation)}
for i, c in ipairs(counters) do
  if #c.stale > 0 and op ~= 'peek' then call('HDEL', c.key, unpack(c.stale)) end
  if c.kind == 'l' and op ~= 'peek' then call('ZREMRANGEBYSCORE', c.key, '-inf', int(now)) end
  local at = 3 + (i - 1) * 4
  reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = min(c.total, MAX), reset(c), c.wait or 0, c.head or 0
end
return reply
