package handlers

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/canon"
	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/stores/memory"
)

// keeper is a host with a memory for answers.
type keeper struct {
	bare
	kept *Kept
}

func (k keeper) Kept() *Kept                 { return k.kept }
func (keeper) Remote() (cache.Remote, error) { return nil, nil }
func (keeper) WantMemory(int64)              {}

// benchCache returns what asks for a stream of so many events; the same number
// gets the same answer, which is kept.
func benchCache(tb testing.TB, events int) (serve func(number int) (word string)) {
	p, _ := benchProxy(tb, events)
	_, serve = keeps(tb, p, new(CacheExact))
	return serve
}

// keeps has p keep answers, by a policy that is returned, and returns what asks for
// one.
func keeps(tb testing.TB, p *Proxy, exact *CacheExact) (policy *Cache, serve func(number int) (word string)) {
	answers, err := cache.NewMemory(64 << 20)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(answers.Close)
	p.kept = &Kept{
		Memory: answers, Marks: cache.NewMarks(time.Now, nil), Refreshes: new(cache.Once),
		Flights:   flight.NewSet(8<<20, 256<<20, time.Now),
		Spellings: canon.NewMemo(1<<12, 1<<22),
	}
	p.host = keeper{kept: p.kept}
	rule, err := limits.Parse([]string{"requests", "1000000000", "1m"})
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.rules.Add(gateway.ScopeGlobal, "", rule); err != nil {
		tb.Fatal(err)
	}
	p.limits, p.queues, p.margins = memory.New(time.Now, 1<<10), queue.NewSet(queue.System{}), limits.NewMargins()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: tb.Context()})
	tb.Cleanup(cancel)
	policy = &Cache{Exact: exact}
	if err := policy.Exact.provision(ctx); err != nil {
		tb.Fatal(err)
	}
	if err := policy.Exact.open(p.host); err != nil {
		tb.Fatal(err)
	}
	vars := context.WithValue(context.Background(), caddyhttp.VarsCtxKey, map[string]any{cacheVar: policy})
	return policy, func(number int) string {
		request := fmt.Appendf(nil, `{"model":"up/gpt-4o","stream":true,"messages":[{"role":"user","content":"hi %d"}]}`, number)
		r := httptest.NewRequestWithContext(vars, http.MethodPost, "/v1/chat/completions", bytes.NewReader(request))
		r.RemoteAddr = "127.0.0.1:1"
		header := http.Header{}
		if err := p.ServeHTTP(&sink{header}, r, caddyhttp.HandlerFunc(nil)); err != nil {
			tb.Fatal(err)
		}
		return header.Get(headerCache)
	}
}

// TestHitAllocates holds that a kept answer costs a fixed number of allocations,
// however long it is.
func TestHitAllocates(t *testing.T) {
	hit := func(events int) float64 {
		serve := benchCache(t, events)
		serve(0)
		least := math.Inf(1) // a collection in between may empty pools
		for range 3 {
			least = min(least, testing.AllocsPerRun(100, func() {
				if word := serve(0); word != cacheHit {
					t.Fatalf("X-AI-Cache: %s", word)
				}
			}))
		}
		return least
	}
	short, long := hit(10), hit(1000)
	if long > short+1 {
		t.Errorf("%v allocations for 1,000 events, %v for 10", long, short)
	}
	if short > mostOfHit {
		t.Errorf("%v allocations, with those of the test's request; at most %d are meant", short, mostOfHit)
	}
}

// mostOfHit is what a hit may allocate, with what the test itself does and what
// pools lose under the race detector.
const mostOfHit = 46

// TestMissAllocates holds that keeping a stream costs no allocation per event.
func TestMissAllocates(t *testing.T) {
	miss := func(events int) float64 {
		serve, n := benchCache(t, events), 0
		serve(n)
		return testing.AllocsPerRun(20, func() {
			if n++; serve(n) != cacheMiss {
				t.Fatal("no miss")
			}
		})
	}
	short, long := miss(100), miss(1100)
	if perEvent := (long - short) / 1000; perEvent > 0.05 {
		t.Errorf("%.2f allocations per event (%.0f for 100 events, %.0f for 1,100)", perEvent, short, long)
	}
}

func BenchmarkHit(b *testing.B) {
	serve := benchCache(b, 30)
	serve(0)
	b.ReportAllocs()
	for b.Loop() {
		if word := serve(0); word != cacheHit {
			b.Fatalf("X-AI-Cache: %s", word)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	b.Run("no cache", func(b *testing.B) {
		_, serve := benchProxy(b, 30)
		b.ReportAllocs()
		for b.Loop() {
			serve()
		}
	})
	b.Run("kept", func(b *testing.B) {
		serve := benchCache(b, 30)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if word := serve(i); word != cacheMiss {
				b.Fatalf("X-AI-Cache: %s", word)
			}
		}
	})
}
