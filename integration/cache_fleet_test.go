package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// TestFleetCache holds what two instances with one Redis share of answers: one pays,
// and both forget.
func TestFleetCache(t *testing.T) {
	f := newFleet(t, "", fleetSite)
	f.shared(t)

	t.Run("an answer made at one is a hit at the other", func(t *testing.T) {
		for _, stream := range []bool{false, true} {
			body := wanting(stream, fmt.Sprint(" shared ", stream))
			made := f.ask(t, f.a, body)
			if made.header.Get("X-AI-Cache") != "miss" {
				t.Fatalf("%v", made.header)
			}
			eventually(t, "the answer at the other", func() bool { return f.sees(t, f.b, body) })
			got := f.ask(t, f.b, body)
			if got.header.Get("X-AI-Cache") != "hit" || !strings.HasPrefix(got.header.Get("Cache-Status"), "weir; hit; ttl=3") || got.body != made.body {
				t.Errorf("%v\n%s\nafter\n%s", got.header, got.body, made.body)
			}
			records := f.b.more(t, 2)
			for _, r := range records {
				if r.Error != "" {
					continue // asked before the answer had arrived
				}
				if r.Cache != gateway.CacheHit || r.Cost == nil || *r.Cost != 0 || r.Saved <= 0 || r.Output != 0 {
					t.Errorf("record %+v", r)
				}
			}
		}
		if n := f.paid(); n != 2 {
			t.Errorf("%d calls", n)
		}
	})

	t.Run("another key's is not", func(t *testing.T) {
		body := wanting(false, " mine")
		f.ask(t, f.a, body)
		eventually(t, "the answer at the other", func() bool { return f.sees(t, f.b, body) })
		got := f.send(t.Context(), f.b, keyOfOther, body)
		if got.status != 200 || got.header.Get("X-AI-Cache") != "miss" {
			t.Errorf("%d %v", got.status, got.header)
		}
		if n := f.paid(); n != 2 {
			t.Errorf("%d calls", n)
		}
	})

	t.Run("a purge at one is one at the other", func(t *testing.T) {
		for i, what := range []string{`{"all":true}`, `{"model":"m"}`, `{"key":"ci"}`, `{"tag":"docs"}`} {
			body := wanting(false, fmt.Sprint(" purge ", i))
			tag := []string{"X-AI-Cache-Tags", "docs"}
			f.ask(t, f.a, body, tag...)
			eventually(t, "the answer at the other", func() bool { return f.sees(t, f.b, body) })
			f.a.purge(t, what)
			if f.send(t.Context(), f.a, keyOfCI, body, "Cache-Control", "only-if-cached").status == 200 {
				t.Errorf("%s: the one that was asked still serves it", what)
			}
			eventually(t, what+" at the other", func() bool {
				return f.send(t.Context(), f.b, keyOfCI, body, "Cache-Control", "only-if-cached").status == http.StatusGatewayTimeout
			})
			if got := f.ask(t, f.b, body, tag...); got.header.Get("X-AI-Cache") != "miss" {
				t.Errorf("%s: %v", what, got.header)
			}
		}
		f.paid()
	})

	t.Run("without the secret nothing is taken", func(t *testing.T) {
		t.Setenv("CACHE_SECRET", "a-secret-of-the-fleet")
		const sealed = "cache exact {\nsecret {env.CACHE_SECRET}\n}"
		c, d := f.peer(t, "c", "", sealed), f.peer(t, "d", "", sealed)
		var open, closed string
		n := 0
		eventually(t, "an answer that both who have the secret take", func() bool {
			n++
			closed = wanting(false, fmt.Sprint(" sealed ", n))
			f.ask(t, c, closed)
			return f.sees(t, d, closed)
		})
		if f.sees(t, f.a, closed) {
			t.Error("one without the secret takes what has it")
		}
		open = wanting(false, " open")
		f.ask(t, f.a, open)
		eventually(t, "the answer at the other", func() bool { return f.sees(t, f.b, open) })
		if f.sees(t, c, open) {
			t.Error("one with the secret takes what has none")
		}
	})
}

// TestFleetSharesCalls lets clients of both instances ask for the same at once: one
// call, and everybody gets all of it.
func TestFleetSharesCalls(t *testing.T) {
	f := newFleet(t, "", fleetSite)
	f.shared(t)
	const clients = 40
	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprintf("streamed %t", stream), func(t *testing.T) {
			asked, let := make(chan struct{}, clients), make(chan struct{})
			f.plays(func(w http.ResponseWriter, r *weirtest.Request) {
				asked <- struct{}{}
				select {
				case <-let:
				case <-r.Gone:
				}
				fine("one")(w, r)
			})
			body := wanting(stream, fmt.Sprint(" together ", stream))
			answers := make([]*reply, 2*clients)
			var all sync.WaitGroup
			ask := func(i int) {
				m := f.a
				if i%2 == 1 {
					m = f.b
				}
				all.Go(func() { answers[i] = f.send(t.Context(), m, keyOfCI, body) })
			}
			ask(0)
			<-asked
			for i := 1; i < len(answers); i++ {
				ask(i)
			}
			f.waiting(t, f.a, clients)
			f.waiting(t, f.b, clients)
			close(let)
			all.Wait()
			for i, got := range answers {
				if got.status != 200 || got.cut || got.body != answers[0].body {
					t.Fatalf("client %d: %d %v\n%s\nwant\n%s", i, got.status, got.err, got.body, answers[0].body)
				}
				if want := "weir; fwd=miss; collapsed"; i > 0 && got.header.Get("Cache-Status") != want {
					t.Errorf("client %d: Cache-Status %q", i, got.header.Get("Cache-Status"))
				}
			}
			if n := f.paid(); n != 1 {
				t.Errorf("%d calls", n)
			}
			paid := 0
			for _, r := range append(f.a.more(t, clients), f.b.more(t, clients)...) {
				switch {
				case r.Cache == gateway.CacheCoalesced && r.Error == "" && r.Cost != nil && *r.Cost == 0 && r.Saved > 0 && r.Output == 0:
				case r.Cache == gateway.CacheMiss && r.Cost != nil && *r.Cost > 0:
					paid++
				default:
					t.Errorf("record %+v", r)
				}
			}
			if paid != 1 {
				t.Errorf("%d paid", paid)
			}
		})
	}
}

// waiting waits until a peer serves so many requests.
func (f *fleet) waiting(t *testing.T, m *peer, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d requests under way", n), func() bool { return m.metric(t, "caddy_ai_in_flight") == float64(n) })
}

// metric is a series of the peer's, with its labels if it has any.
func (m *peer) metric(t *testing.T, name string) (value float64) {
	t.Helper()
	res, err := http.Get(m.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, _ = fmt.Sscan(rest, &value)
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestFleetOwnerDies kills the instance that makes the call: before its answer has
// begun the other makes its own, afterwards the answer breaks off.
func TestFleetOwnerDies(t *testing.T) {
	f := newFleet(t, "", fleetSite)
	f.shared(t)
	const followers = 5

	t.Run("before content", func(t *testing.T) {
		for _, stream := range []bool{true, false} {
			asked := make(chan struct{}, 4)
			var calls atomic.Int64
			f.plays(func(w http.ResponseWriter, r *weirtest.Request) {
				first := calls.Add(1) == 1
				asked <- struct{}{}
				if first {
					<-r.Gone
					return
				}
				fine("one")(w, r)
			})
			body := wanting(stream, fmt.Sprint(" orphaned ", stream))
			go f.send(context.WithoutCancel(t.Context()), f.a, keyOfCI, body)
			<-asked
			answers := make([]*reply, followers)
			var all sync.WaitGroup
			for i := range answers {
				all.Go(func() { answers[i] = f.send(t.Context(), f.b, keyOfCI, body) })
			}
			f.waiting(t, f.b, followers)
			f.a.kill()
			all.Wait()
			for i, got := range answers {
				if got.status != 200 || got.cut || !strings.Contains(got.body, "by one") || stream && !strings.HasSuffix(got.body, done) {
					t.Errorf("streamed %t, client %d: %d %v %s", stream, i, got.status, got.err, got.body)
				}
			}
			if n := f.paid(); n != 2 {
				t.Errorf("%d calls", n)
			}
			f.a.process = f.a.start()
			f.shared(t)
		}
	})

	t.Run("after content", func(t *testing.T) {
		p := newPaced()
		f.plays(p.answer)
		body := wanting(true, " cut off")
		opened := make(chan *listener, 1)
		go func() { opened <- f.listen(t, f.a, body) }()
		p.words <- "word0"
		owner := <-opened
		owner.until(t, "word0")
		var list []*listener
		for range followers {
			l := f.listen(t, f.b, body)
			l.until(t, "word0")
			list = append(list, l)
		}
		f.a.kill()
		<-p.gone
		for i, l := range list {
			got, err := l.rest()
			if err == nil || strings.Contains(got, "[DONE]") || !strings.Contains(got, `data: {"error":`) {
				t.Errorf("client %d: %v\n%s", i, err, got)
			}
		}
		for _, r := range f.b.more(t, followers) {
			if r.Error != "upstream" || r.Cache != gateway.CacheCoalesced {
				t.Errorf("record %+v", r)
			}
		}
	})
}

// TestFleetCacheOutage holds that requests are misses, and nothing worse, whatever
// becomes of the Redis.
func TestFleetCacheOutage(t *testing.T) {
	f := newFleet(t, "", fleetSite)
	for _, tc := range []struct {
		name string
		harm func(t *testing.T)
		mend func(t *testing.T)
	}{
		{"killed", func(*testing.T) { f.redis.Stop() }, func(*testing.T) { f.redis.Restart() }},
		{"hanging", func(*testing.T) { f.redis.Pause() }, func(*testing.T) { f.redis.Resume() }},
		{"flushed", func(*testing.T) { f.redis.Must("FLUSHALL") }, func(*testing.T) {}},
		{"full", func(*testing.T) { f.redis.Must("CONFIG SET maxmemory 1") }, func(*testing.T) { f.redis.Must("CONFIG SET maxmemory 0") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.shared(t)
			before := wanting(false, " before "+tc.name)
			f.ask(t, f.a, before)
			f.paid()
			tc.harm(t)
			// Generous: a request that hung until something gave it up would take longer.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var all sync.WaitGroup
			const distinct = 20
			for i := range distinct {
				for n, m := range []*peer{f.a, f.b} {
					all.Go(func() {
						got := f.send(ctx, m, keyOfCI, wanting(i%2 == 0, fmt.Sprint(tc.name, i, n)))
						if got.status != 200 || got.cut || got.header.Get("X-AI-Cache") != "miss" {
							t.Errorf("%d %v %v %s", got.status, got.err, got.header, got.body)
						}
					})
				}
			}
			all.Wait()
			if n := f.paid(); n != 2*distinct {
				t.Errorf("%d calls", n)
			}
			// What the process has itself is served on.
			if got := f.ask(t, f.a, before); got.header.Get("X-AI-Cache") != "hit" {
				t.Errorf("its own memory: %v", got.header)
			}
			tc.mend(t)
			f.shared(t)
		})
	}
	for _, m := range []*peer{f.a, f.b} {
		if n := m.metric(t, `caddy_ai_store_errors_total{store="redis"}`); n == 0 {
			t.Error("no error of the store is counted")
		}
	}
}
