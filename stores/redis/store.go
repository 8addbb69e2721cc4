package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/breaker"
)

// Store decides in Redis. A server that is down, slow or wrong makes
// limits.ErrUnavailable within the deadline, and at once while the breaker is
// open.
type Store struct {
	dial rueidis.ClientOption
	// decisions is limits.lua, lending is lend.lua.
	decisions, lending *script

	tag  string
	pool int
	// instance makes the ids of this process's reservations its own.
	instance string
	ids      atomic.Uint64
	// fixed is the time that scripts are told in tests; 0 for the server's.
	fixed func() int64
	clock func() time.Time
	// skew is how far the server's clock is ahead, in microseconds.
	skew    atomic.Int64
	breaker breaker.Breaker
	// deadline bounds one command, in nanoseconds.
	deadline atomic.Int64
	// others is how many instances there are, beaten when this one last said
	// that it is one of them.
	others atomic.Int64
	beaten atomic.Int64
	// held counts reservations that are not settled yet.
	held atomic.Int64
	// untold counts the pending charges: what was decided elsewhere and the
	// server does not know yet.
	untold atomic.Int64

	background context.Context
	cancel     context.CancelFunc
	convoys    convoys

	mu      sync.Mutex
	client  rueidis.Client
	working bool
	closed  time.Time
	pending []settlement
}

// errNotSent is ErrUnavailable of a command that never left.
var errNotSent = fmt.Errorf("asking redis: %w: it failed lately or is not connected", limits.ErrUnavailable)

// New returns a store that connects when it is first needed, or by SelfTest.
func New(options Options, clock func() time.Time) (*Store, error) {
	options = options.withDefaults()
	dial, err := options.client()
	if err != nil {
		return nil, err
	}
	var instance [8]byte
	_, _ = rand.Read(instance[:])
	s := &Store{
		dial: dial, pool: options.Pool, clock: clock, fixed: func() int64 { return 0 },
		decisions: newScript(prelude+source, perClaim), lending: newScript(prelude+lendSource, perLoan),
		tag:      "{" + options.Prefix + "}:",
		instance: hex.EncodeToString(instance[:]),
	}
	s.deadline.Store(int64(options.Deadline))
	s.background, s.cancel = context.WithCancel(context.Background())
	// Nothing is connected: the first thing to do is what recovery does.
	s.breaker.Trip()
	return s, nil
}

// now is the server's time as far as it is known.
func (s *Store) now() time.Time {
	if fixed := s.fixed(); fixed != 0 {
		return time.UnixMicro(fixed)
	}
	return s.clock().Add(time.Duration(s.skew.Load()) * time.Microsecond)
}

// decide does what request makes, and forgets all of its answer but the status. The
// first answer of a server whose clock is another than was known tells its time.
func (s *Store) decide(ctx context.Context, request func(wall time.Time) *errand) (status int64, err error) {
	for range 2 {
		e := request(s.now())
		err = s.run(ctx, e)
		status = e.status()
		e.forget()
		if err != nil || status != statusSkewed {
			break
		}
	}
	return status, err
}

// settle does a settlement.
func (s *Store) settle(ctx context.Context, what *settlement) (status int64, err error) {
	return s.decide(ctx, func(wall time.Time) *errand {
		return s.request(what.op, what.id, what.claims, nil, what.amounts, wall)
	})
}

// Reserve implements limits.Store. After an outage it stays unavailable until
// the server has been told what was decided meanwhile: who asked it before
// would overrun limits by that.
func (s *Store) Reserve(ctx context.Context, r *limits.Reservation) (bool, error) {
	if err := r.Begin(); err != nil {
		return false, err
	}
	if s.untold.Load() > 0 {
		return false, errNotSent
	}
	r.ID = s.id()
	op := opReserve
	if r.Force {
		op = opForce
	}
	for attempt := 0; ; attempt++ {
		e := s.request(op, r.ID, r.Claims, r.Holds, nil, s.now())
		err := s.run(ctx, e)
		if err != nil {
			e.forget()
			// The answer may be lost and not the question: what it may have
			// taken is given back when the server can be asked.
			if _, answered := rueidis.IsRedisErr(err); !answered && !errors.Is(err, errNotSent) {
				s.later(opCancel, r, make([]int64, len(r.Claims)))
			}
			return false, err
		}
		status := e.status()
		if status >= 0 {
			err = e.reply.into(r)
		}
		e.forget()
		if status == statusSkewed && attempt == 0 {
			continue
		}
		if status < 0 {
			return false, fmt.Errorf("reserving in redis: %w: status %d", limits.ErrUnavailable, status)
		}
		if err != nil {
			return false, fmt.Errorf("reserving in redis: %w: %w", limits.ErrUnavailable, err)
		}
		if r.Refuse(); status != statusDone {
			return false, nil
		}
		for i := range r.Holds {
			r.Holds[i].Amount = r.Claims[i].Amount
		}
		r.Held = true
		s.held.Add(1)
		return true, nil
	}
}

// id is a new reservation's.
func (s *Store) id() string { return s.instance + "-" + strconv.FormatUint(s.ids.Add(1), 36) }

// Peek implements limits.Store.
func (s *Store) Peek(ctx context.Context, r *limits.Reservation) error {
	r.Prepare()
	for attempt := 0; ; attempt++ {
		e := s.request(opPeek, "", r.Claims, r.Holds, nil, s.now())
		if err := s.run(ctx, e); err != nil {
			e.forget()
			return err
		}
		if e.status() == statusSkewed && attempt == 0 {
			e.forget()
			continue
		}
		err := e.reply.into(r)
		e.forget()
		if err != nil {
			return fmt.Errorf("peeking into redis: %w: %w", limits.ErrUnavailable, err)
		}
		r.Refuse()
		return nil
	}
}

// requestHistories is a run of the script that restores them.
func (s *Store) requestHistories(histories []limits.History, wall time.Time) *errand {
	claims := make([]limits.Claim, len(histories))
	for i := range histories {
		claims[i] = limits.Claim{Key: histories[i].Key, Rule: histories[i].Rule, Amount: histories[i].Sum()}
	}
	e := s.request(opRestore, "", claims, nil, nil, wall)
	for i := range histories {
		for _, use := range histories[i].Uses {
			e.text = append(strconv.AppendInt(e.text, max(0, use.Ago.Microseconds()), 10), ':')
			e.text = append(strconv.AppendInt(e.text, min(max(use.Amount, 0), limits.MaxAmount), 10), ';')
		}
		e.end()
	}
	return e
}

// farewell is how long a closed store goes on trying to settle what a server
// that is away has not been told.
const farewell = time.Minute

// Close implements limits.Store: the connections go when the last reservation
// is settled.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed.IsZero() {
		s.closed = s.clock()
	}
	s.mu.Unlock()
	s.finish()
	return nil
}

// Interface guards.
var (
	_ limits.Store  = (*Store)(nil)
	_ limits.Tester = (*Store)(nil)
)
