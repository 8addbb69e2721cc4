package handlers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/overload"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/internal/tokens"
	"github.com/weirproxy/weir/wire"
)

// canned is a provider that answers with the same stream every time.
type canned struct {
	body []byte
}

func (canned) Speaks(*wire.Operation) bool { return true }

func (canned) Traits() gateway.Traits { return gateway.Traits{CapParam: "max_tokens"} }

func (c canned) Do(_ context.Context, call *gateway.Call) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, call.Body)
	_ = call.Body.(io.Closer).Close()
	return &http.Response{
		StatusCode: http.StatusOK, ContentLength: -1,
		Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body:   io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}

// sink is a client that reads everything and keeps nothing.
type sink struct {
	header http.Header
}

func (s *sink) Header() http.Header       { return s.header }
func (*sink) Write(p []byte) (int, error) { return len(p), nil }
func (*sink) WriteHeader(int)             {}
func (*sink) FlushError() error           { return nil }

func chatStream(events int) []byte {
	var b bytes.Buffer
	for i := range events {
		fmt.Fprintf(&b, `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],"usage":null}`+"\n\n", i%10)
	}
	b.WriteString(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}` + "\n\ndata: [DONE]\n\n")
	return b.Bytes()
}

// bare is a host that knows no prices.
type bare struct{ Host }

func (bare) Price(gateway.Target, time.Time) *prices.Price { return nil }
func (bare) UnpricedPolicy() string                        { return "" }
func (bare) Began(*gateway.Exchange)                       {}
func (bare) Went(*gateway.Exchange)                        {}
func (bare) LedgerFails() bool                             { return false }

func benchProxy(tb testing.TB, events int) (*Proxy, func()) {
	p, serve := proxyTo(tb, canned{chatStream(events)})
	return p, func() { serve(&sink{http.Header{}}) }
}

// proxyTo is a proxy whose only provider is up, and what has it serve a stream.
func proxyTo(tb testing.TB, up gateway.Provider) (*Proxy, func(http.ResponseWriter)) {
	return proxyAt(tb, up, gateway.SystemClock{})
}

// proxyAt is proxyTo with a clock.
func proxyAt(tb testing.TB, up gateway.Provider, clock gateway.Clock) (*Proxy, func(http.ResponseWriter)) {
	g, err := gateway.New(gateway.Config{
		Providers: map[string]gateway.Provider{"up": up},
		Tokens:    &tokens.Counter{},
		Health:    health.New(gateway.SystemClock{}, rand.Float64),
		Clock:     clock,
		NewID:     func() string { return "req_1" },
	})
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{
		overload: overload.New(queue.System{}, nil, nil, nil),
		logger:   zap.NewNop(), host: bare{}, gateway: g, metrics: telemetry.NewMetrics(), MaxBody: defaultMaxBody, rules: &gateway.Rules{},
		auth: Auth{gateway: g, keys: keys.NewSet(keys.NewHasher(nil))},
	}
	request := []byte(`{"model":"up/gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	return p, func(w http.ResponseWriter) {
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", bytes.NewReader(request))
		r.RemoteAddr = "127.0.0.1:1"
		if err := p.ServeHTTP(w, r, caddyhttp.HandlerFunc(nil)); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestRelayAllocatesPerStreamOnly holds the promise that an event of a
// pass-through stream costs no allocation: a stream ten times as long must
// not cost more of them.
func TestRelayAllocatesPerStreamOnly(t *testing.T) {
	allocs := func(events int) float64 {
		_, serve := benchProxy(t, events)
		serve()
		return testing.AllocsPerRun(20, serve)
	}
	short, long := allocs(100), allocs(1100)
	if perEvent := (long - short) / 1000; perEvent > 0.05 {
		t.Errorf("%.2f allocations per event (%.0f for 100 events, %.0f for 1,100)", perEvent, short, long)
	}
}

func BenchmarkRelay(b *testing.B) {
	const events = 1000
	_, serve := benchProxy(b, events)
	b.ReportAllocs()
	for b.Loop() {
		serve()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
}
