package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirproxy/weir/cache"
)

const (
	// maxTags is how many tags the database has marks of.
	maxTags = 10_000

	// marksLife is how long it keeps marks that are not set again.
	marksLife = cache.MaxLife + 24*time.Hour
)

// Purge implements cache.Remote.
func (c *Cache) Purge(ctx context.Context, marks []cache.Mark) error {
	if !c.breaker.Allow() {
		c.stale.Store(true)
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, seldom)
	defer cancel()
	if err := c.mark(ctx, c.pool, marks); err != nil {
		// Whoever reads the marks next tells the database what it lacks.
		c.stale.Store(true)
		c.kick()
		return err
	}
	return nil
}

// beginner is a pool or one of its connections.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// mark sets marks and says so. Its first statement locks the one row of changes:
// changes become visible in the order of their numbers.
func (c *Cache) mark(ctx context.Context, on beginner, marks []cache.Mark) error {
	if len(marks) == 0 {
		return nil
	}
	values := make(map[string]uint64, len(marks))
	for _, m := range marks {
		values[m.Tag] = max(values[m.Tag], m.Value)
	}
	err := pgx.BeginFunc(ctx, on, func(tx pgx.Tx) error {
		var change int64
		if err := tx.QueryRow(ctx, c.names.change).Scan(&change); err != nil {
			return err
		}
		if err := c.set(ctx, tx, change, values); err != nil {
			return err
		}
		var count int
		var newest uint64
		if err := tx.QueryRow(ctx, c.names.crowded).Scan(&count, &newest); err != nil {
			return err
		}
		if count > maxTags {
			// To forget too much is never wrong.
			if err := c.set(ctx, tx, change, map[string]uint64{cache.All: newest + 1}); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, c.names.everyone)
		return err
	})
	if err != nil {
		return fmt.Errorf("telling postgresql of a purge: %w", err)
	}
	return nil
}

// set writes marks, and takes away those that a mark of everything covers.
func (c *Cache) set(ctx context.Context, tx pgx.Tx, change int64, marks map[string]uint64) error {
	var ids, tags [][]byte
	var values []int64
	for tag, value := range marks {
		ids, tags, values = append(ids, tagID(tag)), append(tags, []byte(tag)), append(values, int64(value)) //nolint:gosec // below 2^53
	}
	if _, err := tx.Exec(ctx, c.names.mark, ids, tags, values, change); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, c.names.covered, tagID(cache.All))
	return err
}

func tagID(tag string) []byte {
	sum := sha256.Sum256([]byte(tag))
	return sum[:]
}

// read tells the watchers what is new: everything when they may have missed
// some, or when it is not the database of before. Then the database is told in
// turn what it has lost.
func (c *Cache) read(conn *pgxpool.Conn) error {
	all := c.stale.Swap(false)
	bound := slowly
	if all {
		bound = seldom
	}
	ctx, cancel := context.WithTimeout(c.background, bound)
	defer cancel()
	after := c.token
	if all {
		after = -1
	}
	n, err := c.since(ctx, conn, after)
	if err == nil && !all && (n.epoch != c.epoch || n.change < c.token) {
		all = true
		n, err = c.since(ctx, conn, -1)
	}
	if err != nil {
		if all {
			c.stale.Store(true)
		}
		return err
	}
	c.token, c.epoch = n.change, n.epoch
	if !all {
		if len(n.marks) > 0 {
			c.watchers.Tell(n.marks)
		}
		return nil
	}
	if err := c.mark(ctx, conn, c.watchers.TellAll(n.marks)); err != nil {
		// Here they are known; a server that does not take them may be read.
		c.stale.Store(true)
	}
	return nil
}

// news are the marks after a change.
type news struct {
	change int64
	epoch  string
	marks  []cache.Mark
}

func (c *Cache) since(ctx context.Context, conn *pgxpool.Conn, after int64) (news, error) {
	n, err := c.query(ctx, conn, after)
	if err == nil && n.epoch == "" {
		// A new database, or one whose tables were emptied.
		if _, err := conn.Exec(ctx, c.names.found); err != nil {
			return news{}, fmt.Errorf("preparing for purges: %w", err)
		}
		n, err = c.query(ctx, conn, after)
	}
	return n, err
}

func (c *Cache) query(ctx context.Context, conn *pgxpool.Conn, after int64) (n news, err error) {
	rows, err := conn.Query(ctx, c.names.news, after)
	if err != nil {
		return n, fmt.Errorf("asking postgresql for purges: %w", err)
	}
	var tag []byte
	var value *int64
	_, err = pgx.ForEachRow(rows, []any{&n.change, &n.epoch, &tag, &value}, func() error {
		if value != nil && *value >= 0 {
			n.marks = append(n.marks, cache.Mark{Tag: string(tag), Value: uint64(*value)})
		}
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("asking postgresql for purges: %w", err)
	}
	return n, nil
}

// Watch implements cache.Remote.
func (c *Cache) Watch(apply func([]cache.Mark), known func() []cache.Mark) (stop func()) {
	stop = c.watchers.Watch(apply, known)
	c.stale.Store(true)
	c.kick()
	return stop
}

// listen hears when there are purges to ask for, on a connection of its own,
// until Close.
func (c *Cache) listen() {
	for c.background.Err() == nil {
		_ = c.hear()
		select {
		case <-c.background.Done():
		case <-time.After(probeEvery):
		}
	}
}

func (c *Cache) hear() error {
	// Until the schema is there nobody purges, and a server that is away is
	// probed by tend alone.
	if !c.breaker.Allow() {
		return errAway
	}
	conn, err := pgx.ConnectConfig(c.background, c.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connecting to postgresql: %w", err)
	}
	defer func() { _ = conn.Close(c.background) }()
	if _, err := conn.Exec(c.background, "LISTEN "+c.names.channel); err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	for {
		// What was purged while nobody listened is asked for too.
		c.kick()
		if _, err := conn.WaitForNotification(c.background); err != nil {
			return fmt.Errorf("listening: %w", err)
		}
	}
}
