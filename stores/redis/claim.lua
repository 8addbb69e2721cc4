-- Takes a lease unless it is taken. Answers the id of who has it then.
-- KEYS[1] lease; ARGV[1] id; ARGV[2] how long, in ms
local has = redis.call('GET', KEYS[1])
if has then return has end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
