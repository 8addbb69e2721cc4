package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/cache"
)

// Put implements cache.Remote.
func (c *Cache) Put(key cache.Key, ttl time.Duration, size int, value func() []byte) bool {
	now := c.clock()
	if c.up() == nil || now.UnixNano() < c.refusing.Load() {
		c.dropped.Add(1)
		return false
	}
	if !c.outbox.Offer(cache.Parcel{Key: key, Until: now.Add(ttl), Size: size, Value: value}) {
		c.dropped.Add(1)
		return false
	}
	return true
}

// deliver sends what waits, until Close.
func (c *Cache) deliver() {
	for all := c.outbox.Take(c.background); all != nil; all = c.outbox.Take(c.background) {
		c.send(all)
		c.outbox.Done(all)
	}
}

func (c *Cache) send(all []cache.Parcel) {
	client := c.up()
	if client == nil {
		c.dropped.Add(int64(len(all)))
		return
	}
	now := c.clock()
	commands := make(rueidis.Commands, 0, len(all))
	for _, p := range all {
		left := p.Until.Sub(now).Milliseconds()
		value := p.Value()
		if left <= 0 || value == nil {
			c.dropped.Add(1)
			continue
		}
		commands = append(commands, client.B().Set().Key(c.name(p.Key, "answer")).Value(rueidis.BinaryString(value)).PxMilliseconds(left).Build())
	}
	ctx, cancel := context.WithTimeout(c.background, slowly)
	defer cancel()
	var lost error
	for _, result := range client.DoMulti(ctx, commands...) {
		err := result.Error()
		if err == nil {
			c.arrived.Add(1)
			continue
		}
		c.refused.Add(1)
		if _, answered := rueidis.IsRedisErr(err); answered {
			// It is full, cannot write to its disk, or is a replica: reading goes
			// on, and writing is tried again after a while.
			c.refusing.Store(now.Add(slowly).UnixNano())
		} else {
			lost = err
		}
	}
	c.judge(c.background, lost)
}
