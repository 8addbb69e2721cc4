package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/redistest"
)

// counted is a connection that counts what is written to it.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// reopen connects s anew, so that writes counts what it sends.
func reopen(t *testing.T, s *Store, writes *atomic.Int64) {
	t.Helper()
	s.dial.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		return counted{conn, writes}, err
	}
	s.mu.Lock()
	s.client.Close()
	s.client = nil
	s.mu.Unlock()
	client, err := s.connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// All connections are up.
	if err := touch(context.Background(), client, s.pool, func(int) string { return s.tag + "generation" }); err != nil {
		t.Fatal(err)
	}
}

func (q *convoys) state() (waiting, away int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.away
}

// hold has convoys leave neither by the clock nor by a timer: as if no time went by.
func (q *convoys) hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left, q.watched = q.left.Add(time.Hour), true
}

func reserveOne(t *testing.T, s *Store) {
	r := claim(t, "a", 1, "requests", "1000", "1h")
	if ok, err := s.Reserve(context.Background(), r); !ok || err != nil {
		t.Errorf("%t %v", ok, err)
	}
}

// TestConvoy holds that requests which ask while a convoy is under way leave
// together when it is back, in one write.
func TestConvoy(t *testing.T) {
	s := open(t, redistest.Start(t))
	var writes atomic.Int64
	reopen(t, s, &writes)
	writes.Store(0)
	const n = crowd - 1 // no convoy leaves for want of room
	var all sync.WaitGroup
	ask := func() { all.Go(func() { reserveOne(t, s) }) }
	q := &s.convoys
	unlock := sync.OnceFunc(s.mu.Unlock)
	s.mu.Lock() // the first one waits for the client
	defer unlock()
	ask()
	eventually(t, "the first to leave", func() bool { _, away := q.state(); return away == 1 })
	q.hold()
	for range n {
		ask()
	}
	eventually(t, "the others", func() bool { waiting, _ := q.state(); return waiting == n })
	unlock()
	all.Wait()
	if got := writes.Load(); got != 2 {
		t.Errorf("%d requests were sent in %d writes, want 2", n+1, got)
	}
	r := claim(t, "a", 1, "requests", "1000", "1h")
	if err := s.Peek(context.Background(), r); err != nil || r.Decisions[0].Used != n+1 {
		t.Errorf("%v %+v", err, r.Decisions)
	}
}

// TestConvoyLate holds that nobody waits for a convoy that does not come back, be
// they few or a crowd.
func TestConvoyLate(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	server.Pause()
	var all sync.WaitGroup
	ask := func() { all.Go(func() { reserveOne(t, s) }) }
	q := &s.convoys
	for i := range 3 {
		q.mu.Lock()
		q.left = s.clock().Add(20 * apart) // only a timer may have it leave
		q.mu.Unlock()
		ask()
		eventually(t, "a convoy to leave", func() bool { waiting, away := q.state(); return waiting == 0 && away == i+1 })
	}
	q.hold()
	for range crowd {
		ask()
	}
	eventually(t, "a crowd to leave", func() bool { waiting, away := q.state(); return waiting == 0 && away > 3 })
	server.Resume()
	all.Wait()
}

// TestConvoyLeft holds that a client which leaves is not waited for, and that
// what it asked for is given back when the server has answered.
func TestConvoyLeft(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	server.Pause()
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error)
	go func() {
		_, err := s.Reserve(ctx, claim(t, "a", 1, "requests", "2", "1h"))
		gone <- err
	}()
	eventually(t, "it to ask", func() bool { _, away := s.convoys.state(); return away == 1 })
	cancel()
	if err := <-gone; !errors.Is(err, limits.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	server.Resume()
	eventually(t, "the end of what is pending", func() bool { return s.Pending() == 0 })
	for range 2 {
		r := claim(t, "a", 1, "requests", "2", "1h")
		if !mustReserve(t, s, r) {
			t.Errorf("%+v", r.Decisions)
		}
	}
}

// TestConvoyGoesOn holds, with the race detector, that who does not wait for an
// answer does not look at what comes of it.
func TestConvoyGoesOn(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	r := claim(t, "a", 1, "requests", "2", "1h")
	if !mustReserve(t, s, r) {
		t.Fatalf("%+v", r.Decisions)
	}
	for name, ask := range map[string]func(context.Context) error{
		"renewing": func(ctx context.Context) error { return s.Renew(ctx, r) },
		"amending": func(ctx context.Context) error { return s.Amend(ctx, r, []int64{0}) },
		"settling": func(ctx context.Context) error {
			held := *r
			return s.Settle(ctx, &held, nil)
		},
		"borrowing": func(ctx context.Context) error {
			_, err := s.Lend(ctx, 10, []limits.Loan{{Claim: r.Claims[0], Seq: 1, Question: 1, Time: 1_000_000}})
			return err
		},
	} {
		server.Pause()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- ask(ctx) }()
		eventually(t, "it to ask", func() bool { _, away := s.convoys.state(); return away > 0 })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		server.Resume()
		eventually(t, "the end of it", func() bool { _, away := s.convoys.state(); return away == 0 && s.Pending() == 0 })
	}
}

// TestUnknownScripts holds that a server which has forgotten the scripts is sent
// them again, in the order in which they were asked for.
func TestUnknownScripts(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	for range 3 {
		server.Must("SCRIPT FLUSH")
		r := claim(t, "c", 1, "concurrency", "1")
		if !mustReserve(t, s, r) {
			t.Fatalf("%+v", r.Decisions)
		}
		next := claim(t, "c", 1, "concurrency", "1")
		next.ID = "next"
		server.Must("SCRIPT FLUSH")
		now := s.now()
		errands := []*errand{
			s.request(opSettle, r.ID, r.Claims, nil, nil, now),
			s.request(opReserve, next.ID, next.Claims, nil, nil, now),
			s.request(opCancel, next.ID, next.Claims, nil, []int64{0}, now),
		}
		s.travel(errands)
		for i, e := range errands {
			if e.err != nil || e.reply.status != statusDone {
				t.Errorf("errand %d: %v, status %d", i, e.err, e.reply.status)
			}
		}
		server.Must("DEL {weir}:generation")
	}
}
