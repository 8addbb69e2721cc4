-- Renews a lease for ARGV[2] ms, or gives it back for 0, if it is still ARGV[1]'s.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
