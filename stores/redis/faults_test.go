package redis

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/breaker"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestRestart kills a server, with and without an append-only file, under
// budgets: what it has lost it is told (F09).
func TestRestart(t *testing.T) {
	for name, args := range map[string][]string{
		"forgets":                  nil,
		"remembers all":            {"--appendonly", "yes", "--appendfsync", "always"},
		"remembers a second's ago": {"--appendonly", "yes", "--appendfsync", "everysec"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, args...)
			s := open(t, server)
			f := failover(s, 1)
			words := []string{"requests", "100", "1h"}
			admitted := 0
			for i := range 150 {
				if i%40 == 38 {
					eventually(t, "the end of what is pending", func() bool { return s.breaker.Allow() && s.Pending() == 0 })
				}
				if i%40 == 39 {
					server.Stop()
					server.Restart()
					eventually(t, "recovery", func() bool {
						return f.Peek(context.Background(), claim(t, "other", 1, words...)) == nil && s.breaker.Allow()
					})
				}
				r := claim(t, "a", 1, words...)
				ok, err := f.Reserve(context.Background(), r)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					admitted++
					_ = f.Settle(context.Background(), r, nil)
				}
			}
			eventually(t, "the end of what is pending", func() bool { return s.breaker.Allow() && s.Pending() == 0 })
			if admitted != 100 {
				t.Errorf("%d admitted of 100 through three restarts", admitted)
			}
		})
	}
}

// TestFlap hangs and revives the server again and again while decisions race
// (F04): afterwards it has counted exactly what was admitted.
func TestFlap(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server)
	f := failover(s, 1)
	s.deadline.Store(int64(DefaultDeadline))
	words := []string{"tokens", "1000M", "1h"}
	var spent, degraded atomic.Int64
	var all sync.WaitGroup
	done := make(chan struct{})
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 4))
		all.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-done:
					return
				case <-pace.C:
				}
				r := claim(t, "a", 1000, words...)
				ok, err := f.Reserve(context.Background(), r)
				if !ok || err != nil {
					t.Errorf("%t %v %+v", ok, err, r.Decisions)
					return
				}
				if r.Decisions[0].Degraded {
					degraded.Add(1)
				}
				used := random.Int64N(2000)
				spent.Add(used)
				_ = f.Settle(context.Background(), r, []int64{used})
			}
		})
	}
	for range 4 {
		before := degraded.Load()
		server.Pause()
		eventually(t, "decisions without it", func() bool { return degraded.Load() > before+20 })
		server.Resume()
		eventually(t, "recovery", s.breaker.Allow)
	}
	close(done)
	all.Wait()
	eventually(t, "the end of what is pending", func() bool { return s.breaker.Allow() && s.Pending() == 0 })
	s.deadline.Store(int64(5 * time.Second))
	r := claim(t, "a", 0, words...)
	if err := s.Peek(context.Background(), r); err != nil || r.Decisions[0].Used != spent.Load() {
		t.Errorf("%v: %d counted, %d spent, %d decisions without the server", err, r.Decisions[0].Used, spent.Load(), degraded.Load())
	}
}

// wire is a TCP proxy that is slow to answer, or loses answers.
type wire struct {
	addr  string
	delay atomic.Int64 // of each piece of an answer
	lose  atomic.Bool  // answers, and their connection with them
}

func newWire(t *testing.T, to string) *wire {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: listener.Addr().String()}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			hang := func() { _ = client.Close(); _ = server.Close() }
			stop := context.AfterFunc(ctx, hang)
			all.Go(func() { _, _ = io.Copy(server, client); hang() })
			all.Go(func() {
				defer stop()
				defer hang()
				buf := make([]byte, 64<<10)
				for {
					n, err := server.Read(buf)
					if err != nil || w.lose.Load() {
						return
					}
					select {
					case <-ctx.Done():
						return
					case <-time.After(time.Duration(w.delay.Load())):
					}
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	return w
}

// TestWire puts the server behind a line that is slower than the deadline, and
// one that loses answers after the server has decided (F03, A14): a request is
// counted once or, after it was given up, not at all.
func TestWire(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(w *wire, bad bool)
	}{
		{"slow", func(w *wire, bad bool) {
			w.delay.Store(0)
			if bad {
				w.delay.Store(int64(4 * DefaultDeadline))
			}
		}},
		{"lossy", func(w *wire, bad bool) { w.lose.Store(bad) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := redistest.Start(t)
			line := newWire(t, server.Addr)
			s := open(t, server, func(o *Options) { o.URL = "redis://" + line.addr })
			f := failover(s, 1)
			words := []string{"requests", "1000", "1h"}
			held := claim(t, "a", 1, words...)
			if !mustReserve(t, f, held) {
				t.Fatalf("%+v", held.Decisions)
			}
			s.deadline.Store(int64(DefaultDeadline))
			tt.set(line, true)
			// Its settlement is done or not: nobody hears.
			if err := f.Settle(context.Background(), held, []int64{0}); !errors.Is(err, limits.ErrUnavailable) {
				t.Errorf("settling: %v", err)
			}
			admitted := 0
			for range 3 * breaker.Threshold {
				r := claim(t, "a", 1, words...)
				ok, err := f.Reserve(context.Background(), r)
				if !ok || err != nil || !r.Decisions[0].Degraded {
					t.Fatalf("%t %v %+v", ok, err, r.Decisions)
				}
				admitted++
				_ = f.Settle(context.Background(), r, nil)
			}
			tt.set(line, false)
			eventually(t, "the end of what is pending", func() bool { return s.breaker.Allow() && s.Pending() == 0 })
			s.deadline.Store(int64(5 * time.Second))
			r := claim(t, "a", 0, words...)
			if err := s.Peek(context.Background(), r); err != nil || r.Decisions[0].Used != int64(admitted) {
				t.Errorf("%v: %d counted, %d admitted", err, r.Decisions[0].Used, admitted)
			}
		})
	}
}

// TestBusy is a server that runs somebody else's endless script (F08): it
// answers, but decides nothing.
func TestBusy(t *testing.T) {
	server := redistest.Start(t, "--lua-time-limit", "5")
	s := open(t, server)
	var endless sync.WaitGroup
	endless.Go(func() { _, _ = server.Command(`EVAL "while true do end" 0`) })
	eventually(t, "the script", func() bool {
		reply, err := server.Command("PING")
		return err == nil && reply != "+PONG"
	})
	r := claim(t, "a", 1, "requests", "9", "1h")
	if ok, err := s.Reserve(context.Background(), r); ok || !errors.Is(err, limits.ErrUnavailable) {
		t.Errorf("%t %v", ok, err)
	}
	server.Must("SCRIPT KILL")
	endless.Wait()
	r = claim(t, "a", 1, "requests", "9", "1h")
	if !mustReserve(t, s, r) || r.Decisions[0].Used != 1 {
		t.Errorf("afterwards: %+v", r.Decisions)
	}
	_ = s.Settle(context.Background(), r, nil)
}

// TestCrashedLeases holds that the places of an instance that died are free
// after their lease and not before, and that one which slept through it has
// lost them (B05, B14).
func TestCrashedLeases(t *testing.T) {
	server := redistest.Start(t)
	dead, alive := open(t, server), open(t, server)
	now := time.Now().UnixMicro()
	for _, s := range []*Store{dead, alive} {
		s.fixed = func() int64 { return now }
	}
	words := []string{"concurrency", "50"}
	take := func(s *Store) (taken []*limits.Reservation) {
		for range 60 {
			if r := claim(t, "c", 1, words...); mustReserve(t, s, r) {
				taken = append(taken, r)
			}
		}
		return taken
	}
	held := take(dead)
	now += limits.LeaseTime - 1
	if more := take(alive); len(held) != 50 || len(more) != 0 {
		t.Fatalf("%d and %d of 50 places", len(held), len(more))
	}
	now++
	after := take(alive)
	if len(after) != 50 {
		t.Errorf("%d of 50 places are free after the lease", len(after))
	}
	if err := dead.Renew(context.Background(), held[0]); !errors.Is(err, limits.ErrLeaseLost) {
		t.Errorf("a lease that has run out was renewed: %v", err)
	}
	for _, r := range held {
		_ = dead.Settle(context.Background(), r, nil)
	}
	if more := take(alive); len(more) != 0 {
		t.Errorf("the sleeper has given away %d places of others", len(more))
	}
	for _, r := range after {
		_ = alive.Settle(context.Background(), r, nil)
	}
}
