package redis

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/cache"
)

// Follow implements cache.Flight.
func (f *flight) Follow(ctx context.Context, from int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		defer f.listen(ctx)()
		// gone is set once the owner was: then it is looked once more.
		for gone := false; ; {
			entries, err := f.read(ctx, from, !gone)
			if err != nil {
				if ctx.Err() != nil {
					err = ctx.Err()
				}
				yield(nil, err)
				return
			}
			if len(entries) == 0 {
				if gone {
					yield(nil, cache.ErrLost)
					return
				}
				if gone, err = f.gone(ctx); err != nil {
					yield(nil, err)
					return
				}
				continue
			}
			for _, entry := range entries {
				if entry.ID != strconv.Itoa(from+1)+"-0" {
					yield(nil, cache.ErrLost)
					return
				}
				from++
				if _, ok := entry.FieldValues[fieldComplete]; ok {
					return
				}
				data, ok := entry.FieldValues[fieldRecord]
				if !ok {
					yield(nil, cache.ErrLost)
					return
				}
				if !yield([]byte(data), nil) {
					return
				}
			}
		}
	}
}

// read waits a moment for records after the first so many.
func (f *flight) read(ctx context.Context, after int, wait bool) ([]rueidis.XRangeEntry, error) {
	client := f.c.up()
	if client == nil {
		return nil, fmt.Errorf("%w: %w", cache.ErrLost, errAway)
	}
	id := strconv.Itoa(after) + "-0"
	command := client.B().Xread().Count(256).Streams().Key(f.log).Id(id).Build()
	patience := f.patience()
	if wait {
		command = client.B().Xread().Count(256).Block(newsEvery.Milliseconds()).Streams().Key(f.log).Id(id).Build()
		patience += newsEvery
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	streams, err := client.Do(bounded, command).AsXRead()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	f.c.judge(ctx, err)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cache.ErrLost, err)
	}
	return streams[f.log], nil
}

// gone reports whether the lease is not the owner's any more.
func (f *flight) gone(ctx context.Context) (bool, error) {
	client := f.c.up()
	if client == nil {
		return false, fmt.Errorf("%w: %w", cache.ErrLost, errAway)
	}
	bounded, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	id, err := client.Do(bounded, client.B().Get().Key(f.lease).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		f.c.judge(ctx, err)
		return false, errors.Join(cache.ErrLost, err)
	}
	return id != f.id, nil
}
