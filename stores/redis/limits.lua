-- Decisions, and what follows them; prelude.lua comes before.
--
-- KEYS[1]    generation
-- KEYS[2]    what this reservation holds: "slot:amount;" per claim
-- KEYS[3…]   one counter per claim
-- ARGV[1]    reserve | force | peek | amend | settle | cancel | renew | charge | restore | beat
-- ARGV[2]    now
-- ARGV[3]    lease in µs
-- ARGV[4]    how long KEYS[2] is kept, in ms
-- ARGV[5]    id of the reservation
-- then, per claim, the values of prelude.lua, and for restore, per claim, "ago:amount;"
-- of what was used so many µs ago. The amount is
--   reserve, force, peek, charge, restore: the amount; amend: what is enough, settle:
--   what was really used, or -1 to keep what was reserved
--
-- Returns status, now, generation, then per claim: used, µs until it is empty,
-- µs until there is room (0 if there is, -1 if never), slot.
-- status: 1 done | 0 refused | -1 the caller's periods do not have this
-- server's time | -2 the reservation is not held, or was decided before.

-- beat | how many instances have called within the lease, this one included.
if op == 'beat' then
  call('ZADD', KEYS[2], int(now + lease), id)
  call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
  call('PEXPIRE', KEYS[2], ttl)
  return {1, now, call('ZCARD', KEYS[2])}
end

-- restore raises a sliding window to what uses have of it. What is missing is
-- counted when it was used, the newest first.
local function restore(c, uses)
  local used, lasts, sum = {}, {}, 0
  for ago, amount in string.gmatch(uses, '(%d+):(%d+);') do
    local at = c.at - tonumber(ago)
    local slot = floor(at / c.width)
    if slot >= c.oldest and at > c.at - PARTS * c.width then
      used[slot] = min((used[slot] or 0) + tonumber(amount), MAX)
      lasts[slot] = max(lasts[slot] or 0, at - slot * c.width)
      sum = min(sum + tonumber(amount), MAX)
    end
  end
  local missing = sum - c.total
  for slot = c.head, c.oldest, -1 do
    local amount = min((used[slot] or 0) - (c.slots[slot] or 0), missing)
    if amount > 0 then
      missing = missing - amount
      change(c, slot, amount, lasts[slot])
    end
  end
end

local counters, refused = {}, false
for i = 3, #KEYS do
  local c = load(KEYS[i], ARGV[i + 3])
  if not c then return {-1, now, tonumber(generation)} end
  counters[i - 2] = c
end

local status = 1
local held = (op ~= 'peek' and op ~= 'restore') and call('GET', KEYS[2])

-- force | as reserve, and every rule is a shadow.
if op == 'reserve' or op == 'force' then
  if held then
    status = -2
  else
    local record = {}
    for i, c in ipairs(counters) do
      if c.total + missing(c) > c.limit - c.amount and not c.shadow and op ~= 'force' then refused = true end
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
      if c.kind == 's' then c.times[c.head] = c.at - c.head * c.width end
    end
    if c.total > c.limit - c.amount then c.wait = wait(c) end
  end
elseif op == 'restore' then
  begin()
  for i, c in ipairs(counters) do
    if c.kind == 's' then
      restore(c, ARGV[5 + #counters + i])
    elseif c.kind == 'c' and c.amount > c.total then
      change(c, c.head, c.amount - c.total)
    end
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
  local i, record = 0, {}
  for slot, amount in string.gmatch(held, '(%d+):(%d+);') do
    i = i + 1
    local c = counters[i]
    slot, amount = tonumber(slot), tonumber(amount)
    record[i] = int(slot) .. ':' .. int(c.kind ~= 'l' and c.amount >= 0 and c.amount or amount) .. ';'
    if c.kind == 'l' and op == 'amend' then
    elseif c.kind == 'l' then
      call('ZREM', c.key, id)
      c.total = call('ZCOUNT', c.key, '(' .. int(now), '+inf')
    elseif c.amount >= 0 then
      local delta = c.amount - amount
      -- The oldest slot may have left: a debt goes to the newest then.
      local from = c.kind == 's' and delta > 0 and c.head - PARTS + 1 or c.oldest
      if slot >= from and slot <= c.head then
        change(c, slot, delta)
      elseif delta > 0 then
        change(c, c.head, delta)
      end
    end
  end
  if op == 'amend' then
    call('SET', KEYS[2], table.concat(record), 'PX', ttl)
  else
    call('DEL', KEYS[2])
  end
end

local reply = {status, now, tonumber(generation)}
for i, c in ipairs(counters) do
  if #c.stale > 0 and op ~= 'peek' then call('HDEL', c.key, unpack(c.stale)) end
  if c.kind == 'l' and op ~= 'peek' then call('ZREMRANGEBYSCORE', c.key, '-inf', int(now)) end
  local at = 3 + (i - 1) * 4
  reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = min(c.total, MAX), reset(c), c.wait or 0, c.head or 0
end
return reply
