package redis

import (
	"context"
	"sync"
	"time"
)

// Followed implements cache.Flight. A server that cannot say knows of nobody.
func (f *flight) Followed(ctx context.Context) bool {
	select {
	case <-f.lost:
		return false // they have been told, or will find out
	default:
	}
	n, err := f.hear(ctx, f.patience(), "", 0)
	return err == nil && n > 0
}

// listen has the owner know that somebody follows, until stop. It is noted before
// listen returns; one that ends without a word is forgotten after ttl.
func (f *flight) listen(ctx context.Context) (stop func()) {
	id := f.c.id()
	_, _ = f.hear(ctx, time.Duration(f.c.deadline.Load()), id, f.ttl) // if it has failed, soon again
	over := make(chan struct{})
	go func() {
		renew := time.NewTicker(max(f.ttl/3, time.Millisecond))
		defer renew.Stop()
		for ttl := f.ttl; ttl > 0; {
			select {
			case <-over:
				ttl = 0
			case <-renew.C:
			}
			_, _ = f.hear(f.c.background, f.patience(), id, ttl)
		}
	}()
	return sync.OnceFunc(func() { close(over) })
}

// hear notes that id follows for a time, or no longer, and returns how many do.
func (f *flight) hear(ctx context.Context, patience time.Duration, id string, ttl time.Duration) (int64, error) {
	client := f.c.up()
	if client == nil {
		return 0, errAway
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := f.c.hearing.Exec(bounded, client, []string{f.ears}, []string{id, number(ttl.Milliseconds())}).AsInt64()
	f.c.judge(ctx, err)
	return n, err
}
