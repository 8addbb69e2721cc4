package redis

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/breaker"
)

// CacheDeadline bounds what a request waits for the fleet's cache.
const CacheDeadline = 20 * time.Millisecond

const (
	// tendEvery is how often the server is asked whether anything was purged, in
	// case the news of it were missed.
	tendEvery = 400 * time.Millisecond

	// slowly bounds what nobody waits for.
	slowly = time.Second
)

// Cache keeps the answers of a fleet. It has connections and a breaker of its
// own, so that neither large answers nor a server that is full keep the limits
// waiting. All names of one answer have its key as their hash tag: a Cluster
// spreads answers over its nodes.
type Cache struct {
	dial   rueidis.ClientOption
	prefix string
	pool   int
	// instance makes the ids of this process's flights its own.
	instance string
	ids      atomic.Uint64
	clock    func() time.Time
	// deadline bounds what requests wait for, in nanoseconds.
	deadline atomic.Int64
	breaker  breaker.Breaker
	purging  *rueidis.Lua
	claiming *rueidis.Lua
	renewing *rueidis.Lua
	hearing  *rueidis.Lua

	background context.Context
	cancel     context.CancelFunc
	// kicks make tend work at once.
	kicks  chan struct{}
	outbox *cache.Outbox
	// rowPuts are rows of the semantic cache that wait.
	rowPuts chan rowPut
	// search is whether the server can search by vectors: searchUnknown, …
	search atomic.Int32
	// indexed has the sizes of vectors that the server has an index for.
	indexed sync.Map
	// refusing is until when the server is not sent more, in Unix nanoseconds.
	refusing atomic.Int64

	client atomic.Pointer[rueidis.Client]
	// stale says that purges may have been missed. Until the watchers are ready,
	// nothing is found.
	stale    atomic.Bool
	watchers cache.Watchers
	// token is the server's last purge that is known; tend's alone.
	token string

	gets, failed, arrived, dropped, refused atomic.Int64
}

// errAway is the error of what is not sent.
var errAway = errors.New("asking redis for an answer: it failed lately or is not connected")

// NewCache returns a cache that connects in the background.
func NewCache(options Options, clock func() time.Time) (*Cache, error) {
	options = options.withDefaults()
	dial, err := options.client()
	if err != nil {
		return nil, err
	}
	// Who follows the same answer shares a connection; those that follow
	// different ones block one each for a moment.
	dial.BlockingPoolSize, dial.BlockingPoolCleanup = 256, time.Minute
	var instance [8]byte
	_, _ = rand.Read(instance[:])
	c := &Cache{
		dial: dial, prefix: options.Prefix + ":cache:", pool: options.Pool, clock: clock, instance: hex.EncodeToString(instance[:]),
		purging: rueidis.NewLuaScript(purgeSource), claiming: rueidis.NewLuaScript(claimSource), renewing: rueidis.NewLuaScript(renewSource),
		hearing: rueidis.NewLuaScript(earsSource),
		kicks:   make(chan struct{}, 1), outbox: cache.NewOutbox(), rowPuts: make(chan rowPut, maxRowPuts),
	}
	c.deadline.Store(int64(CacheDeadline))
	c.background, c.cancel = context.WithCancel(context.Background())
	c.breaker.Trip()
	c.stale.Store(true)
	go c.tend()
	go c.deliver()
	go c.deliverRows()
	go c.listen()
	return c, nil
}

// name is one of those of a key.
func (c *Cache) name(key cache.Key, what string) string {
	return c.prefix + "{" + base64.RawURLEncoding.EncodeToString(key[:]) + "}:" + what
}

// up is the client, nil while the server is away.
func (c *Cache) up() rueidis.Client {
	client := c.client.Load()
	if client == nil || !c.breaker.Allow() {
		return nil
	}
	return *client
}

// Get implements cache.Remote.
func (c *Cache) Get(ctx context.Context, key cache.Key, limit int) ([]byte, error) {
	client := c.up()
	if client == nil || !c.watchers.Ready() {
		c.failed.Add(1)
		return nil, errAway
	}
	bounded, cancel := context.WithTimeout(ctx, time.Duration(c.deadline.Load()))
	defer cancel()
	// A part, since only the server knows how long the value is.
	b, err := client.Do(bounded, client.B().Getrange().Key(c.name(key, "answer")).Start(0).End(int64(limit)-1).Build()).AsBytes()
	c.judge(ctx, err)
	if err != nil {
		c.failed.Add(1)
		return nil, fmt.Errorf("asking redis for an answer: %w", err)
	}
	c.gets.Add(1)
	if len(b) == 0 {
		return nil, nil
	}
	return b, nil
}

// judge notes how a command ended.
func (c *Cache) judge(ctx context.Context, err error) {
	_, answered := rueidis.IsRedisErr(err)
	switch {
	case err == nil || answered:
		// A server that refuses is there.
		c.breaker.Record(true)
	case ctx.Err() != nil:
		// A client that leaves says nothing about the server.
	case c.breaker.Record(false):
		c.kick()
	}
}

func (c *Cache) kick() {
	select {
	case c.kicks <- struct{}{}:
	default:
	}
}

// tend connects, reads the marks when they may have changed, and closes the
// breaker when the server answers again, until Close.
func (c *Cache) tend() {
	pause := probeFirst
	for {
		if err := c.look(); err != nil {
			c.breaker.Trip()
			pause = min(2*pause, probeEvery)
		} else {
			pause = tendEvery
		}
		select {
		case <-c.background.Done():
			if client := c.client.Swap(nil); client != nil {
				// Closing waits for answers, which a server that hangs does not send.
				go (*client).Close()
			}
			return
		case <-c.kicks:
			pause = probeFirst
		case <-time.After(pause):
		}
	}
}

// look asks the server for its last purge. One that is slower than a request
// would wait stays away.
func (c *Cache) look() error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.background, slowly)
	defer cancel()
	begun := c.clock()
	token, err := client.Do(ctx, client.B().Get().Key(c.marks("token")).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("asking redis for purges: %w", err)
	}
	if c.clock().Sub(begun) > time.Duration(c.deadline.Load()) {
		// It is not a failure of a server that requests still reach.
		if !c.breaker.Allow() {
			return errAway
		}
	}
	if c.stale.Swap(false) || token != c.token || !c.breaker.Allow() {
		if err := c.reread(ctx, client); err != nil {
			c.stale.Store(true)
			return err
		}
		c.token = token
	}
	if c.breaker.Allow() {
		return nil
	}
	// Different keys, for the nodes of a Cluster.
	if err := touch(ctx, client, c.pool, func(i int) string { return c.prefix + "{" + strconv.Itoa(i) + "}" }); err != nil {
		return err
	}
	c.breaker.Close()
	return nil
}

func (c *Cache) connect() (rueidis.Client, error) {
	if client := c.client.Load(); client != nil {
		return *client, nil
	}
	client, err := rueidis.NewClient(c.dial)
	if err != nil {
		return nil, fmt.Errorf("connecting to redis: %w", err)
	}
	c.client.Store(&client)
	return client, nil
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
		Store: "redis", Gets: c.gets.Load(), Failed: c.failed.Load(),
		Puts: c.arrived.Load(), Dropped: c.dropped.Load(), Refused: c.refused.Load(),
		Up: c.up() != nil && c.watchers.Ready(),
	}
}

// Interface guard.
var _ cache.Remote = (*Cache)(nil)
