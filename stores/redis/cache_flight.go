package redis

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/cache"
)

var (
	//go:embed claim.lua
	claimSource string
	//go:embed renew.lua
	renewSource string
	//go:embed ears.lua
	earsSource string
)

const (
	// maxLog bounds a flight's log, in bytes, and maxRecords in records.
	maxLog     = 8 << 20
	maxRecords = 20_000

	// logTTL is how long a log stays after it was last added to: for those that
	// follow still.
	logTTL = time.Minute

	// newsEvery is how long a follower waits before it looks whether the owner
	// is there still.
	newsEvery = 200 * time.Millisecond
)

// The fields of a log's records.
const (
	fieldRecord   = "r"
	fieldComplete = "c"
	fieldLost     = "l"
)

// flight implements cache.Flight by a lease, which has the owner's id, and a
// stream of its own for each owner: one that comes back late writes where nobody
// reads any more. A record's id is its number, so that a follower notices when
// one is missing.
type flight struct {
	c          *Cache
	key        cache.Key
	id         string
	own        bool
	ttl        time.Duration
	lease, log string
	ears       string // who follows

	// lost is closed when the lease is gone, done when the owner's work is over.
	lost, done chan struct{}
	wake       chan struct{}

	mu       sync.Mutex
	records  []record
	appended int
	bytes    int
	ending   bool
}

// record is one that waits to be sent.
type record struct {
	field string
	data  []byte
}

// Claim implements cache.Remote.
func (c *Cache) Claim(ctx context.Context, key cache.Key, ttl time.Duration) (cache.Flight, error) {
	client := c.up()
	if client == nil {
		return nil, errAway
	}
	f := &flight{c: c, key: key, ttl: ttl, lease: c.name(key, "lease"), lost: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	id := c.id()
	bounded, cancel := context.WithTimeout(ctx, time.Duration(c.deadline.Load()))
	defer cancel()
	owner, err := c.claiming.Exec(bounded, client, []string{f.lease}, []string{id, number(ttl.Milliseconds())}).ToString()
	c.judge(ctx, err)
	if err != nil {
		// A lease that was taken all the same ends by itself.
		return nil, fmt.Errorf("claiming an answer in redis: %w", err)
	}
	f.id, f.own = owner, owner == id
	f.log, f.ears = c.name(key, "log:"+owner), c.name(key, "ears:"+owner)
	if f.own {
		go f.work()
	}
	return f, nil
}

// Own implements cache.Flight.
func (f *flight) Own() bool { return f.own }

// Lost implements cache.Flight.
func (f *flight) Lost() <-chan struct{} { return f.lost }

// Append implements cache.Flight.
func (f *flight) Append(data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.own || f.ending {
		return
	}
	if f.bytes += len(data); f.bytes > maxLog || f.appended >= maxRecords {
		f.finish(fieldLost)
		return
	}
	f.add(record{fieldRecord, slices.Clone(data)})
}

// add queues a record; under mu.
func (f *flight) add(r record) {
	f.records = append(f.records, r)
	f.appended++
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// finish queues the last record; under mu.
func (f *flight) finish(field string) {
	if !f.ending {
		f.ending = true
		f.add(record{field: field})
	}
}

// End implements cache.Flight.
func (f *flight) End(complete bool) {
	if !f.own {
		return
	}
	f.mu.Lock()
	if complete {
		f.finish(fieldComplete)
	} else {
		f.finish(fieldLost)
	}
	f.mu.Unlock()
	<-f.done
}

// work sends records and renews the lease until the last record is sent or one
// cannot be.
func (f *flight) work() {
	defer close(f.done)
	renew := time.NewTicker(max(f.ttl/3, time.Millisecond))
	defer renew.Stop()
	for sent := 0; ; {
		due := false
		select {
		case <-f.c.background.Done():
			close(f.lost)
			return
		case <-f.wake:
		case <-renew.C:
			due = true
		}
		f.mu.Lock()
		batch, ending := f.records, f.ending
		f.records = nil
		f.mu.Unlock()
		err := f.send(batch, sent)
		sent += len(batch)
		if err == nil && due && !ending {
			err = f.renew(f.ttl)
		}
		if err != nil {
			f.mu.Lock()
			f.ending, f.records = true, nil
			f.mu.Unlock()
			close(f.lost)
		}
		if err != nil || ending {
			// Whether that arrives or not, the lease ends.
			_ = f.renew(0)
			return
		}
	}
}

// send adds a batch to the log, which has so many already.
func (f *flight) send(batch []record, already int) error {
	if len(batch) == 0 {
		return nil
	}
	client := f.c.up()
	if client == nil {
		return errAway
	}
	ctx, cancel := context.WithTimeout(f.c.background, f.patience())
	defer cancel()
	commands := make(rueidis.Commands, 0, len(batch)+1)
	for i, r := range batch {
		commands = append(commands, client.B().Xadd().Key(f.log).Id(strconv.Itoa(already+i+1)+"-0").FieldValue().FieldValue(r.field, rueidis.BinaryString(r.data)).Build())
	}
	commands = append(commands, client.B().Pexpire().Key(f.log).Milliseconds(logTTL.Milliseconds()).Build())
	for _, result := range client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			f.c.judge(f.c.background, err)
			return fmt.Errorf("sharing an answer through redis: %w", err)
		}
	}
	return nil
}

// renew renews the lease, or gives it back.
func (f *flight) renew(ttl time.Duration) error {
	client := f.c.up()
	if client == nil {
		return errAway
	}
	ctx, cancel := context.WithTimeout(f.c.background, f.patience())
	defer cancel()
	n, err := f.c.renewing.Exec(ctx, client, []string{f.lease}, []string{f.id, number(ttl.Milliseconds())}).AsInt64()
	if err == nil && n == 0 {
		err = cache.ErrLost
	}
	return err
}

// patience is how long the owner's commands may take: nobody waits for them, and
// the lease must not end meanwhile.
func (f *flight) patience() time.Duration { return max(f.ttl/3, time.Duration(f.c.deadline.Load())) }

// Interface guard.
var _ cache.Flight = (*flight)(nil)
