-- The server's side of gateway/limits/leased.go: read its comment first;
-- prelude.lua comes before.
--
-- KEYS[1]    generation
-- KEYS[2]    not used
-- KEYS[3…]   one counter per claim, then one hash of loans per claim:
--            instance to "seq:slot:held:expiry"
-- ARGV[1…5]  lend | now | 0 | ms after its expiry that a loan is remembered | instance
-- then, per claim, the 10 values of prelude.lua, the amount being what must be
-- granted; then percent and instances; then, per claim, 6 values:
--   seq      of the report; one that was applied is not applied again
--   give     what of the loan goes back
--   also     what other requests wait for
--   ahead    what is wanted ahead of time
--   lease    in µs
--   deltas   "slot:delta;" of what was used or refunded since the last report
--
-- A loan is counted in its counter like any amount, in the slot in which it was
-- last reported on. A report moves what was used into the slots of its use.
--
-- Returns status, now, generation, then per claim: used, µs until it is empty,
-- µs until there is room (0 if there is, -1 if never), slot, held.
-- status: 1 granted | 0 refused, nothing is granted | -1 as in limits.lua.

local n = (#KEYS - 2) / 2
local remembered = tonumber(ARGV[4])
local percent, instances = tonumber(ARGV[6 + 10 * n]), tonumber(ARGV[7 + 10 * n])

local counters, refused = {}, false
for i = 1, n do
  local c = load(KEYS[2 + i], 6 + (i - 1) * 10)
  if not c then return {-1, now, tonumber(generation)} end
  local at = 8 + 10 * n + (i - 1) * 6
  c.seq, c.give, c.also, c.ahead = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  c.lease, c.deltas = tonumber(ARGV[at + 4]), ARGV[at + 5]
  c.loans, c.others, c.forgotten = KEYS[2 + n + i], {}, {}
  c.mine = {seq = '0', slot = 0, held = 0, expiry = 0}
  local raw = call('HGETALL', c.loans)
  for j = 1, #raw, 2 do
    local seq, slot, held, expiry = string.match(raw[j + 1], '^(%d+):(%d+):(%d+):(%d+)$')
    local loan = {name = raw[j], seq = seq, slot = tonumber(slot), held = tonumber(held), expiry = tonumber(expiry)}
    if loan.name == id then
      c.mine = loan
    elseif loan.held > 0 then
      c.others[#c.others + 1] = loan
    elseif loan.expiry + remembered * 1000 < now then
      c.forgotten[#c.forgotten + 1] = loan.name
    end
  end
  counters[i] = c
end

local function write(c, name, loan)
  call('HSET', c.loans, name, loan.seq .. ':' .. int(loan.slot) .. ':' .. int(loan.held) .. ':' .. int(loan.expiry))
end

-- A full server refuses here.
if n > 0 then write(counters[1], id, counters[1].mine) end
begin()

for _, c in ipairs(counters) do
  remember(c)
  local net = {}
  local function move(slot, delta)
    if slot >= c.oldest then
      slot = min(slot, c.head)
      net[slot] = (net[slot] or 0) + delta
    end
  end
  -- Who has not come back in time has its room taken.
  c.lent, c.holders = 0, 1
  for _, loan in ipairs(c.others) do
    if loan.expiry <= now or loan.slot < c.oldest then
      move(loan.slot, -loan.held)
      loan.held = 0
      write(c, loan.name, loan)
    else
      c.lent, c.holders = c.lent + loan.held, c.holders + 1
      c.due = min(c.due or loan.expiry, loan.expiry)
    end
  end
  -- Unless ours was taken too, or belongs to another period.
  local known = c.mine.slot >= c.oldest and (c.mine.held > 0 or c.mine.expiry > now)
  local held = known and c.mine.held or 0
  move(c.mine.slot, -held)
  if c.mine.seq ~= c.seq then
    local used = 0
    for slot, delta in string.gmatch(c.deltas, '(%d+):(-?%d+);') do
      used = used + tonumber(delta)
      move(tonumber(slot), tonumber(delta))
    end
    held = known and max(held - used - c.give, 0) or 0
  end
  move(c.head, held)
  for slot, delta in pairs(net) do change(c, slot, delta) end
  c.held, c.free = held, c.limit - c.total
  if c.amount > c.free and c.amount > 0 then
    c.wait = wait(c)
    -- The others' room may come back before the window moves.
    if c.wait ~= NEVER and c.due and c.amount <= c.free + c.lent then c.wait = max(1, min(c.wait, c.due - now)) end
    if not c.shadow then refused = true end
  end
end

local reply = {refused and 0 or 1, now, tonumber(generation)}
for i, c in ipairs(counters) do
  if not refused then
    local free = max(c.free - c.amount, 0)
    local also = min(c.also, free)
    free = free - also
    local share = floor((free + c.held) * percent / 100 / max(instances, c.holders))
    local most = floor(c.limit * percent / 100) - c.lent
    local ahead = max(0, min(c.ahead, min(share, most) - c.held, free))
    local grant = c.amount + also + ahead
    change(c, c.head, grant)
    c.held = c.held + grant
  end
  c.mine = {seq = c.seq, slot = c.head, held = c.held, expiry = now + c.lease}
  write(c, id, c.mine)
  call('PEXPIRE', c.loans, int(floor(c.lease / 1000) + remembered))
  if #c.stale > 0 then call('HDEL', c.key, unpack(c.stale)) end
  if #c.forgotten > 0 then call('HDEL', c.loans, unpack(c.forgotten)) end
  local at = 3 + (i - 1) * 5
  reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4], reply[at + 5] = min(c.total, MAX), reset(c), c.wait or 0, c.head, c.held
end
return reply
