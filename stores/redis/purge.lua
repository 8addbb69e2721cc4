-- Marks tags as purged; the counterpart of cache.Marks.
--
-- KEYS[1]  hash of tag to mark
-- KEYS[2]  token: another one after every change
-- ARGV[1]  purge: a mark grows whatever it was | restore: only if it is missing
-- ARGV[2]  channel for the news
-- ARGV[3]  the new token
-- ARGV[4]  how many tags there may be
-- ARGV[5]  how long marks matter, in ms
-- ARGV[6…] tag, mark; and so on
--
-- The news are, per mark, its value, the length of its tag and the tag, each
-- with a blank behind it.

local marks, restore = KEYS[1], ARGV[1] == 'restore'
local call, max = redis.call, math.max

local function int(n) return string.format('%.0f', n) end
local function get(tag) return tonumber(call('HGET', marks, tag) or 0) end

local all, news = get('all'), {}

local function tell(tag, value)
  news[#news + 1] = int(value) .. ' ' .. #tag .. ' ' .. tag .. ' '
end

-- everything marks all tags by one mark that is above the others.
local function everything(value)
  for _, other in ipairs(call('HVALS', marks)) do value = max(value, tonumber(other) + 1) end
  call('DEL', marks)
  call('HSET', marks, 'all', int(value))
  all = value
  tell('all', value)
end

for i = 6, #ARGV, 2 do
  local tag, value = ARGV[i], tonumber(ARGV[i + 1])
  local was = get(tag)
  if restore and value <= max(was, all) then
    -- It is known.
  elseif tag == 'all' then
    everything(value)
  else
    value = max(value, was + 1, all + 1)
    call('HSET', marks, tag, int(value))
    tell(tag, value)
  end
end
if #news == 0 then return 0 end
if call('HLEN', marks) > tonumber(ARGV[4]) then everything(0) end
call('PEXPIRE', marks, ARGV[5])
call('SET', KEYS[2], ARGV[3], 'PX', ARGV[5])
-- A user who may not publish leaves the others to their polls.
redis.pcall('PUBLISH', ARGV[2], table.concat(news))
return #news
