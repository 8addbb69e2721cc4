-- What both scripts begin with: limits.lua and lend.lua. The twin of
-- gateway/limits/counter.go: read its comment first. Whatever is changed here is
-- changed there; one test runs the same traces through both.
--
-- KEYS[1]    generation: when these counters began, and the server's history
-- ARGV[1]    what to do
-- ARGV[2]    now in µs for tests; 0 for this server's own time
-- ARGV[3…5]  as the script says
-- then, per claim, one of 10 values with blanks between them:
--   kind     s sliding | c calendar | l leases
--   a b c d  s: a = width of a slot in µs; c: the bounds of the last, this and
--            the next period in µs, as the caller sees them
--   amount
--   limit
--   shadow   1 if it must not refuse
--   known    what the counter is known to have held in generation
--   generation
--
-- A server that was restarted or promoted may lack what was counted last, so
-- counters begin a new generation there: everybody who comes says what it
-- knows of the generation before, and what is missing is counted.
--
-- A counter is a hash of slot to amount, or a sorted set of lease by expiry.
-- For each slot of a sliding window the hash has "t" and the slot's number too:
-- when in it something was last reserved, in µs after its begin; no such field
-- where that is not known. And it has "base", "generation:amount": what the counter is known to
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

-- gone is when a slot has left the window.
local function gone(c, slot) return (slot + PARTS) * c.width + (c.times[slot] or c.width) end

local function load(key, claim)
  local kind, first, second, third, fourth, amount, limit, shadow, known, of = string.match(claim,
    '^(%a) (%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%d+) (%d) (%d+) (%d+)$')
  local c = {key = key, kind = kind, total = 0, slots = {}, times = {}, stale = {},
    amount = tonumber(amount), limit = tonumber(limit), shadow = shadow == '1',
    known = tonumber(known), lost = of ~= generation}
  if c.kind == 'l' then
    c.total = call('ZCOUNT', key, '(' .. int(now), '+inf')
    return c
  end
  local bounds = {tonumber(first), tonumber(second), tonumber(third), tonumber(fourth)}
  if c.kind == 's' then
    c.width = bounds[1]
    c.head = floor(now / c.width)
  else
    for i = 1, 3 do
      local start, stop = bounds[i], bounds[i + 1]
      if now >= start and now < stop then c.head, c.stop = start, stop end
    end
    if not c.head then return nil end
  end
  local raw = call('HGETALL', key)
  for i = 1, #raw, 2 do
    if raw[i] == 'base' then
      local told, base = string.match(raw[i + 1], '^(%d+):(%d+)$')
      if told == generation then c.base = tonumber(base) end
    else
      local slot = string.match(raw[i], '^t(%d+)$')
      if slot then c.times[tonumber(slot)] = tonumber(raw[i + 1]) end
    end
  end
  for i = 1, #raw, 2 do c.head = max(c.head, tonumber(raw[i]) or 0) end
  for i = 1, c.kind == 'c' and 3 or 0 do
    if bounds[i] == c.head then c.stop = bounds[i + 1] end
  end
  c.oldest = c.kind == 's' and c.head - PARTS or c.head
  if c.kind == 's' then
    c.at = max(now, c.head * c.width + (c.times[c.head] or 0))
    if c.at >= gone(c, c.oldest) then c.oldest = c.oldest + 1 end
  end
  for slot in pairs(c.times) do
    if slot < c.oldest then
      c.stale[#c.stale + 1] = 't' .. int(slot)
      c.times[slot] = nil
    end
  end
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

-- change adds delta to a slot; last is when in it that was reserved, nil where that is
-- now in the newest slot, and no later than what is there in others.
local function change(c, slot, delta, last)
  local was = c.slots[slot] or 0
  local is = clamp(was + delta)
  local time = c.times[slot]
  if c.kind == 's' and slot == c.head and delta > 0 then
    time = c.at - slot * c.width
  elseif last and (was == 0 or time) then
    time = max(time or 0, last)
  end
  if is == was and (is == 0 or time == c.times[slot]) then return end
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
    call('HDEL', c.key, int(slot), 't' .. int(slot))
    c.times[slot] = nil
    return
  end
  if time then
    c.times[slot] = time
    call('HSET', c.key, int(slot), int(is), 't' .. int(slot), int(time))
  else
    call('HSET', c.key, int(slot), int(is))
  end
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
  for slot = c.oldest, c.head - 1 do
    need = need - (c.slots[slot] or 0)
    if need <= 0 then return gone(c, slot) - now end
  end
  return gone(c, c.head) - now
end

local function reset(c)
  if c.kind == 'l' then return 0 end
  if c.kind == 'c' then return c.stop - now end
  for slot = c.head, c.oldest, -1 do
    if (c.slots[slot] or 0) > 0 then return gone(c, slot) - now end
  end
  return 0
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
