// Package postgres keeps a fleet's answers, and what its requests mean, in a
// PostgreSQL database: `ai.stores.postgres`, for PostgreSQL 12 or later. It
// counts no limits.
//
// A look-up is one indexed read. What is new is written in the background, a few
// answers in one statement. Purges are rows of a table of marks, each with the
// number of the change that brought it, so that whoever knows a number can ask
// for what came later; a notification only says that it is time to ask.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/breaker"
	"github.com/weirproxy/weir/internal/pg"
)

// The defaults of Options.
const (
	DefaultPrefix   = "weir_cache"
	DefaultDeadline = 50 * time.Millisecond
)

const (
	// tendEvery is how often the server is asked whether anything was purged, in
	// case the notification of it was missed.
	tendEvery = 400 * time.Millisecond

	// probeFirst and probeEvery are how long a server that is away is left alone
	// between probes, at first and at most.
	probeFirst = 10 * time.Millisecond
	probeEvery = 250 * time.Millisecond

	// slowly bounds what nobody waits for, seldom what is done now and then and may
	// be much.
	slowly = time.Second
	seldom = 5 * time.Second
)

// Options say where the answers are and how long a look-up may take.
type Options struct {
	// URL is as [pg.Parse] reads it.
	URL string

	// Prefix begins the names of all tables. Default: `weir_cache`.
	Prefix string

	// Deadline bounds a look-up. Default: `50ms`.
	Deadline time.Duration

	// Logger is told when the server cannot be used, and why. Default: none.
	Logger *zap.Logger
}

// Cache keeps the answers of a fleet. It connects in the background.
type Cache struct {
	pool    *pgxpool.Pool
	names   names
	clock   func() time.Time
	logger  *zap.Logger
	breaker breaker.Breaker
	// deadline bounds what requests wait for, in nanoseconds.
	deadline atomic.Int64

	background context.Context
	cancel     context.CancelFunc
	// kicks make tend work at once.
	kicks  chan struct{}
	outbox *cache.Outbox
	rows   chan rowPut
	// refusing is until when the server is not sent more, in Unix nanoseconds.
	refusing atomic.Int64

	// ready says that the schema is there, vectors what of pgvector is; both are
	// found out again after the connection was lost.
	ready   atomic.Bool
	vectors atomic.Pointer[vectors]

	watchers cache.Watchers
	// stale says that purges may have been missed. The rest is tend's alone: the
	// database's last change that is known, and which database it is.
	stale atomic.Bool
	token int64
	epoch string

	gets, failed, arrived, dropped, refused atomic.Int64
}

var (
	// errAway is the error of what is not sent.
	errAway = errors.New("asking postgresql for an answer: it failed lately or is not connected")

	errClaim = errors.New("sharing a call among instances: postgresql does not do that, redis does")
)

// NewCache returns a cache that connects in the background.
func NewCache(options Options, clock func() time.Time) (*Cache, error) {
	config, err := pg.Parse(options.URL)
	if err != nil {
		return nil, err
	}
	if options.Prefix == "" {
		options.Prefix = DefaultPrefix
	}
	if options.Deadline <= 0 {
		options.Deadline = DefaultDeadline
	}
	if options.Logger == nil {
		options.Logger = zap.NewNop()
	}
	c := &Cache{
		names: namesOf(options.Prefix), clock: clock, logger: options.Logger,
		kicks: make(chan struct{}, 1), outbox: cache.NewOutbox(), rows: make(chan rowPut, maxRowPuts),
	}
	// It connects when it is first asked for a connection.
	if c.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, fmt.Errorf("connecting to postgresql: %w", err)
	}
	c.deadline.Store(int64(options.Deadline))
	c.background, c.cancel = context.WithCancel(context.Background())
	c.breaker.Trip()
	c.stale.Store(true)
	for _, work := range []func(){c.tend, c.listen, c.deliver, c.deliverRows, c.sweep} {
		go work()
	}
	return c, nil
}

// Get implements cache.Remote.
func (c *Cache) Get(ctx context.Context, key cache.Key, limit int) ([]byte, error) {
	if !c.breaker.Allow() || !c.watchers.Ready() {
		c.failed.Add(1)
		return nil, errAway
	}
	bounded, cancel := c.bound(ctx)
	defer cancel()
	b, err := c.get(bounded, c.pool, key, limit)
	c.judge(ctx, err)
	if err != nil {
		c.failed.Add(1)
		return nil, err
	}
	c.gets.Add(1)
	return b, nil
}

// querier is a pool or one of its connections.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (c *Cache) get(ctx context.Context, from querier, key cache.Key, limit int) (b []byte, err error) {
	// A part, since only the server knows how long the value is.
	err = from.QueryRow(ctx, c.names.get, key[:], min(limit, math.MaxInt32)).Scan(&b)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking postgresql for an answer: %w", err)
	}
	return b, nil
}

// bound is ctx within the deadline.
func (c *Cache) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(c.deadline.Load()))
}

// Claim implements cache.Remote: each instance makes its own call.
func (c *Cache) Claim(context.Context, cache.Key, time.Duration) (cache.Flight, error) {
	return nil, errClaim
}

// Close ends the connections. Whoever asks afterwards gets errors.
func (c *Cache) Close() error {
	c.cancel()
	c.breaker.Trip()
	return nil
}

// Destruct implements caddy.Destructor.
func (c *Cache) Destruct() error { return c.Close() }

// Stats implements cache.Remote.
func (c *Cache) Stats() cache.RemoteStats {
	return cache.RemoteStats{
		Store: "postgres", Gets: c.gets.Load(), Failed: c.failed.Load(),
		Puts: c.arrived.Load(), Dropped: c.dropped.Load(), Refused: c.refused.Load(),
		Up: c.breaker.Allow() && c.watchers.Ready(),
	}
}

// Interface guard.
var _ cache.Remote = (*Cache)(nil)
