package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirproxy/weir/cache"
)

// Put implements cache.Remote.
func (c *Cache) Put(key cache.Key, ttl time.Duration, size int, value func() []byte) bool {
	now := c.clock()
	if !c.writes(now) || !c.outbox.Offer(cache.Parcel{Key: key, Until: now.Add(ttl), Size: size, Value: value}) {
		c.dropped.Add(1)
		return false
	}
	return true
}

// writes reports whether the server is sent anything new.
func (c *Cache) writes(now time.Time) bool {
	return c.breaker.Allow() && now.UnixNano() >= c.refusing.Load()
}

// deliver sends what waits, until Close.
func (c *Cache) deliver() {
	for all := c.outbox.Take(c.background); all != nil; all = c.outbox.Take(c.background) {
		c.send(all)
		c.outbox.Done(all)
	}
}

// send writes answers in one statement. It takes them in the order of their keys,
// since that is the order of the locks: instances that write the same answers
// must not wait for each other.
func (c *Cache) send(all []cache.Parcel) {
	now := c.clock()
	if !c.writes(now) {
		c.dropped.Add(int64(len(all)))
		return
	}
	slices.SortStableFunc(all, func(a, b cache.Parcel) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	var keys, values [][]byte
	var lives []int64
	for i := range all {
		p := &all[i]
		left := p.Until.Sub(now).Milliseconds()
		if left <= 0 || i+1 < len(all) && all[i+1].Key == p.Key {
			c.dropped.Add(1) // too late, or there is a newer one
			continue
		}
		value := p.Value()
		if value == nil {
			c.dropped.Add(1)
			continue
		}
		keys, lives, values = append(keys, p.Key[:]), append(lives, left), append(values, value)
	}
	if len(keys) == 0 {
		return
	}
	err := c.write(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, c.names.put, keys, lives, values)
		return err
	})
	if err != nil {
		c.refused.Add(int64(len(keys)))
		return
	}
	c.arrived.Add(int64(len(keys)))
}

// write runs a transaction whose loss in a crash of the server would not matter.
func (c *Cache) write(do func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(c.background, slowly)
	defer cancel()
	err := pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		return do(ctx, tx)
	})
	if answered(err) {
		// Its disk is full, it is a replica, or the user may not write: reading goes
		// on, and writing is tried again after a while.
		c.refusing.Store(c.clock().Add(slowly).UnixNano())
	}
	c.judge(c.background, err)
	if err != nil {
		return fmt.Errorf("writing to postgresql: %w", err)
	}
	return nil
}
