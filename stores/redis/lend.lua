-- The server's side of gateway/limits/leased.go: read its comment first;
-- prelude.lua comes before.
--
-- KEYS[1]    generation
-- KEYS[2]    not used
-- KEYS[3…]   one counter per claim, then one hash of loans per claim:
--            instance to "seq:slot:held:expiry:generation:question"
-- ARGV[1…5]  lend or force | now | 0 | ms after its expiry that a loan is remembered | instance
-- then, per claim, the values of prelude.lua, the amount being what must be
-- granted; then percent and instances; then, per claim, 9 values:
--   seq      of the report; one that was applied is not applied again
--   question its number; last is that of the last one that was answered
--   last
--   holding  what of known is the caller's loan; -1 if it may be none's by now
--   give     what of the loan goes back
--   also     what other requests wait for
--   ahead    what is wanted ahead of time
--   lease    in µs
--   deltas   "slot:delta:last;" of what was used or refunded since the last report;
--            last is when in its slot something was used last, -1 if nothing was
--
-- A loan is counted in its counter like any amount, in the slot in which it was
-- last reported on. A report moves what was used into the slots of its use.
--
-- A server that begins a new generation may have loans as they were some time
-- ago. Whose loan lacks later reports says what it holds: that is part of what
-- it knows, so it is counted, wherever it is. The room of other loans from
-- before is not taken back when they expire, since it may have been used, and
-- that be known by others: it stays counted. Nothing is lent ahead meanwhile.
--
-- Returns status, now, generation, then per claim: used, µs until it is empty,
-- µs until there is room (0 if there is, -1 if never), slot, held.
-- status: 1 granted | 0 refused, nothing is granted | -1 as in limits.lua.

local n = (#KEYS - 2) / 2
local remembered = tonumber(ARGV[4])
local percent, instances = tonumber(ARGV[6 + n]), tonumber(ARGV[7 + n])

local counters, refused = {}, false
for i = 1, n do
  local c = load(KEYS[2 + i], ARGV[5 + i])
  if not c then return {-1, now, tonumber(generation)} end
  local at = 8 + n + (i - 1) * 9
  c.seq, c.question, c.last, c.holding = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  c.give, c.also, c.ahead = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  c.lease, c.deltas = tonumber(ARGV[at + 7]), ARGV[at + 8]
  c.loans, c.others, c.forgotten = KEYS[2 + n + i], {}, {}
  c.mine = {seq = '0', slot = 0, held = 0, expiry = 0, generation = '', question = ''}
  local raw = call('HGETALL', c.loans)
  for j = 1, #raw, 2 do
    local seq, slot, held, expiry, of, question = string.match(raw[j + 1], '^(%d+):(%d+):(%d+):(%d+):(%d*):(%d*)$')
    local loan = {name = raw[j], seq = seq, slot = tonumber(slot), held = tonumber(held), expiry = tonumber(expiry), generation = of, question = question}
    if loan.name == id then
      c.mine = loan
    elseif loan.expiry + remembered * 1000 < now and (loan.held == 0 or loan.generation ~= generation) then
      c.forgotten[#c.forgotten + 1] = loan.name
    elseif loan.held > 0 then
      c.others[#c.others + 1] = loan
    end
  end
  counters[i] = c
end

local function write(c, name, loan)
  local text = table.concat({loan.seq, int(loan.slot), int(loan.held), int(loan.expiry), loan.generation, loan.question}, ':')
  call('HSET', c.loans, name, text)
end

-- A full server refuses here.
if n > 0 then write(counters[1], id, counters[1].mine) end
begin()

for _, c in ipairs(counters) do
  local mine = c.mine
  -- A server that has this report, or the last answer, or wrote the loan in this
  -- generation, lacks nothing that the caller knows.
  local told = mine.generation == generation or mine.seq == c.seq or mine.question == c.last
  local trusted = not told and c.holding >= 0
  if told then
    c.lost = false
  elseif not trusted then
    -- It was given back or used since: that it was used is known by others at
    -- most, so it stays counted.
    mine.held, mine.expiry = 0, 0
  end
  remember(c)
  local net, lasts = {}, {}
  local function move(slot, delta, last)
    if slot >= c.oldest then
      slot = min(slot, c.head)
      net[slot] = (net[slot] or 0) + delta
      if last and last >= 0 then lasts[slot] = max(lasts[slot] or 0, last) end
    end
  end
  -- Who has not come back in time has its room taken.
  c.lent, c.holders = 0, 1
  for _, loan in ipairs(c.others) do
    if loan.generation ~= generation then
      -- What became of it since, somebody else may have told.
      if loan.expiry > now then c.lent = c.lent + loan.held end
    elseif loan.expiry <= now or loan.slot < c.oldest then
      move(loan.slot, -loan.held)
      loan.held = 0
      write(c, loan.name, loan)
    else
      c.lent, c.holders = c.lent + loan.held, c.holders + 1
      c.due = min(c.due or loan.expiry, loan.expiry)
    end
  end
  -- Unless ours was taken too, or belongs to another period.
  local known = mine.slot >= c.oldest and (mine.held > 0 or mine.expiry > now)
  local held = known and mine.held or 0
  local here = trusted and min(held, c.holding) or held
  move(mine.slot, -here)
  if trusted then
    known, held = true, c.holding
    -- From the oldest on: what stays counted does so for longest.
    local rest = held - here
    for slot = c.oldest, c.head do
      local amount = max(0, min(rest, (c.slots[slot] or 0) + (net[slot] or 0)))
      rest = rest - amount
      move(slot, -amount)
    end
  end
  if mine.seq ~= c.seq then
    local used = 0
    for slot, delta, last in string.gmatch(c.deltas, '(%d+):(-?%d+):(-?%d+);') do
      used = used + tonumber(delta)
      move(tonumber(slot), tonumber(delta), tonumber(last))
    end
    held = known and max(held - used - c.give, 0) or 0
  end
  move(c.head, held)
  for slot, delta in pairs(net) do change(c, slot, delta, lasts[slot]) end
  c.held, c.free = held, c.limit - c.total
  if c.amount > c.free and c.amount > 0 then
    c.wait = wait(c)
    -- The others' room may come back before the window moves.
    if c.wait ~= NEVER and c.due and c.amount <= c.free + c.lent then c.wait = max(1, min(c.wait, c.due - now)) end
    if not c.shadow and op ~= 'force' then refused = true end
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
    -- Until everybody who held something has had the time to say so.
    if now - tonumber(generation) < c.lease then ahead = 0 end
    local grant = c.amount + also + ahead
    change(c, c.head, grant)
    c.held = c.held + grant
  end
  c.mine = {seq = c.seq, slot = c.head, held = c.held, expiry = now + c.lease, generation = generation, question = c.question}
  write(c, id, c.mine)
  call('PEXPIRE', c.loans, int(floor(c.lease / 1000) + remembered))
  if #c.stale > 0 then call('HDEL', c.key, unpack(c.stale)) end
  if #c.forgotten > 0 then call('HDEL', c.loans, unpack(c.forgotten)) end
  local at = 3 + (i - 1) * 5
  reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4], reply[at + 5] = min(c.total, MAX), reset(c), c.wait or 0, c.head, c.held
end
return reply
