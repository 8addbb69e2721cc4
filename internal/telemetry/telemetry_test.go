package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap/zapcore"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// fromTheStart are metrics whose series are all there before they count.
var fromTheStart = map[string]bool{"caddy_ai_limit_decisions_total": true, "caddy_ai_fallbacks_total": true, "caddy_ai_shed_total": true}

// gather returns the counters and gauges, and the counts of histograms.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		if f.GetName() == "caddy_ai_token_memo_total" {
			continue // counts of the whole process
		}
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			if fromTheStart[f.GetName()] && m.GetCounter().GetValue() == 0 {
				continue // there from the start
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}

// TestCountsSurviveRegistries holds that collectors count on in each new
// configuration's registry, and may be registered twice in one.
func TestCountsSurviveRegistries(t *testing.T) {
	m := NewMetrics()
	record := &gateway.Record{
		Dialect: wire.OpenAI, Provider: "up", Status: 200, Stream: true, Attempts: 1, UsageSource: gateway.SourceProvider,
		Usage:   wire.Usage{Input: 3, Output: 2, CacheRead: 1},
		Timings: gateway.Timings{Total: time.Second, Upstream: time.Millisecond, FirstToken: time.Millisecond},
	}
	m.Begin()
	m.Begin()
	m.End(record, "chat")
	m.Attempt("up", &http.Response{StatusCode: 200}, nil)
	want := map[string]float64{
		"caddy_ai_in_flight":      1,
		"caddy_ai_queue_depth":    0,
		"caddy_ai_cost_usd_total": 0, "caddy_ai_cache_saved_usd_total": 0,
		"caddy_ai_cache_lookups_total kind=exact result=hit": 0, "caddy_ai_cache_lookups_total kind=exact result=miss": 0, "caddy_ai_cache_lookups_total kind=exact result=bypass": 0,
		"caddy_ai_cache_lookups_total kind=exact result=stale": 0, "caddy_ai_cache_lookups_total kind=exact result=coalesced": 0,
		"caddy_ai_unpriced_total": 1,
		"caddy_ai_requests_total dialect=openai model=chat provider=up status=200 stream=true": 1,
		"caddy_ai_request_duration_seconds dialect=openai model=chat provider=up":              1,
		"caddy_ai_time_to_first_token_seconds dialect=openai model=chat provider=up":           1,
		"caddy_ai_inter_token_seconds dialect=openai model=chat provider=up":                   1,
		"caddy_ai_overhead_seconds dialect=openai":                                             1,
		"caddy_ai_tokens_total direction=input source=provider":                                3,
		"caddy_ai_tokens_total direction=output source=provider":                               2,
		"caddy_ai_tokens_total direction=cached source=provider":                               1,
		"caddy_ai_upstream_attempts_total outcome=ok provider=up":                              1,
	}
	for range 2 {
		registry := prometheus.NewPedanticRegistry()
		for range 2 {
			if err := m.Register(registry); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, gather(t, registry)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestAttemptOutcomes(t *testing.T) {
	m := NewMetrics()
	registry := prometheus.NewRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	for status, outcome := range map[int]string{200: "ok", 302: "ok", 400: "client_error", 429: "rate_limited", 500: "server_error", 529: "server_error"} {
		m.Attempt(fmt.Sprint(status), &http.Response{StatusCode: status}, nil)
		if got := gather(t, registry)[fmt.Sprintf("caddy_ai_upstream_attempts_total outcome=%s provider=%d", outcome, status)]; got != 1 {
			t.Errorf("status %d is no %s", status, outcome)
		}
	}
	m.Attempt("x", nil, errors.New("reset"))
	m.Attempt("x", nil, gateway.ErrFirstToken)
	got := gather(t, registry)
	if got["caddy_ai_upstream_attempts_total outcome=error provider=x"] != 1 || got["caddy_ai_upstream_attempts_total outcome=timeout provider=x"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestKnownChildren holds that what every request counts goes to its own series, the
// first time as well as later, and is not looked up again.
func TestKnownChildren(t *testing.T) {
	m := NewMetrics()
	registry := prometheus.NewRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{}
	decisions := map[Decision]string{
		Allowed: "allowed", Refused: "refused", Shadowed: "shadowed", Degraded: "degraded", Downgraded: "downgraded", ShadowDowngraded: "shadow_downgraded",
	}
	n := 0
	for unit := limits.Requests; unit <= limits.Concurrency; unit++ {
		for decision, name := range decisions {
			n++
			for range n {
				m.Limit(unit, decision)
			}
			want["caddy_ai_limit_decisions_total decision="+name+" unit="+unit.String()] = float64(n)
		}
	}
	for i, source := range []string{gateway.SourceProvider, gateway.SourceEstimated, gateway.SourceNone, "else"} {
		for range 2 {
			k := int64(10 * (i + 1))
			m.End(&gateway.Record{UsageSource: source, Usage: wire.Usage{Input: k + 1, Output: k + 2, CacheRead: k + 3, Reasoning: k + 4}}, Other)
		}
		for d, direction := range []string{"input", "output", "cached", "reasoning"} {
			want["caddy_ai_tokens_total direction="+direction+" source="+source] = float64(2 * (10*(i+1) + d + 1))
		}
	}
	m.Cut("tokens")
	want["caddy_ai_limit_decisions_total decision=cut unit=tokens"] = 1
	got := gather(t, registry)
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: %v, want %v", name, got[name], n)
		}
	}
	record := &gateway.Record{UsageSource: gateway.SourceProvider, Usage: wire.Usage{Input: 1, Output: 1, CacheRead: 1, Reasoning: 1}}
	answer := &http.Response{StatusCode: http.StatusOK}
	if n := testing.AllocsPerRun(100, func() {
		m.Limit(limits.Tokens, Refused)
		m.Attempt("up", answer, nil)
		m.End(record, Other)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNoProvider holds that a refusal before any provider was chosen has a
// label all the same.
func TestNoProvider(t *testing.T) {
	m := NewMetrics()
	registry := prometheus.NewRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	m.Begin()
	m.End(&gateway.Record{Dialect: wire.Anthropic, Status: 404}, Other)
	if got := gather(t, registry)["caddy_ai_requests_total dialect=anthropic model=_other provider=_other status=404 stream=false"]; got != 1 {
		t.Errorf("%v", got)
	}
}

func TestObject(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	enc := zapcore.NewMapObjectEncoder()
	err := Object{&gateway.Record{
		RequestID: "r", Time: at, Key: "k", Principal: "k", Dialect: wire.OpenAI, Operation: "chat", Model: "m", Provider: "p",
		UpstreamModel: "u", UpstreamID: "up", Stream: true, Status: 200, Error: "timeout", Phase: "idle", FinishReason: "stop", ClientGone: true,
		Usage: wire.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, Reasoning: 5}, UsageSource: "provider", Cache: "hit", Stored: true, Attempts: 6, BytesOut: 7,
		Limits:   []gateway.Limited{{Scope: gateway.ScopeKey, Name: "k", Rule: &limits.Rule{Unit: limits.Requests, Amount: 10, Window: time.Hour}, Asked: 1, Used: 3, Remaining: 7}},
		Overhead: 2e9, Trail: []gateway.Step{{
			Provider: "p", Model: "u", Account: "key-1", Reason: "first", Error: "overloaded", Phase: "status", Status: 503, Skipped: []string{"q/v: open"},
			Begun: 1e6, FirstToken: 2e6, Total: 3e6,
		}, {}},
		Timings: gateway.Timings{Auth: 1500 * time.Microsecond, Queue: 2e6, Limit: 3e6, Cache: 4e6, Route: 5e6, Upstream: 6e6, FirstToken: 7e6, Total: 8e6},
	}}.MarshalLogObject(enc)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"overhead_usd": 2.0,
		"limits": []any{map[string]any{
			"of": "key 'k'", "limit": "requests 10 1h", "asked": int64(1), "used": int64(3), "remaining": int64(7), "over": false,
		}},
		"trail": []any{
			map[string]any{
				"provider": "p", "model": "u", "account": "key-1", "reason": "first", "error": "overloaded", "phase": "status", "status": 503,
				"skipped": []any{"q/v: open"}, "begun_ms": 1.0, "ttft_ms": 2.0, "total_ms": 3.0,
			},
			map[string]any{"provider": "", "model": "", "reason": "", "begun_ms": 0.0, "total_ms": 0.0},
		},
		"request_id": "r", "time": "2026-01-02T02:04:05.000006Z", "key": "k", "principal": "k", "dialect": "openai", "operation": "chat",
		"model": "m", "provider": "p", "upstream_model": "u", "upstream_request_id": "up", "stream": true, "status": 200, "error": "timeout",
		"error_phase": "idle", "finish_reason": "stop", "client_gone": true, "input_tokens": int64(1), "output_tokens": int64(2),
		"cached_tokens": int64(3), "cache_write_tokens": int64(4), "reasoning_tokens": int64(5), "usage_source": "provider", "cost_usd": nil,
		"cache": "hit", "cache_stored": true, "attempts": 6, "bytes_out": int64(7), "auth_ms": 1.5, "queue_ms": 2.0, "limit_ms": 3.0, "cache_ms": 4.0, "route_ms": 5.0,
		"upstream_ms": 6.0, "ttft_ms": 7.0, "total_ms": 8.0,
	}
	if diff := cmp.Diff(want, enc.Fields); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	enc = zapcore.NewMapObjectEncoder()
	estimate := Object{&gateway.Record{Cost: prices.Cost{Total: 2_500_000, PriceVersion: "1~openai/x"}, CostEstimated: true}}
	if err := estimate.MarshalLogObject(enc); err != nil {
		t.Fatal(err)
	}
	if f := enc.Fields; f["cost_usd"] != 0.0025 || f["cost_estimated"] != true || f["price_version"] != "1~openai/x" {
		t.Errorf("an estimate: %v", f)
	}
	enc = zapcore.NewMapObjectEncoder()
	if err := (Object{&gateway.Record{Continued: 1}}).MarshalLogObject(enc); err != nil || enc.Fields["continued"] != 1 {
		t.Errorf("continued: %v, %v", enc.Fields["continued"], err)
	}
}

// TestSpanWithoutTracing holds that a site without `tracing` pays nothing.
func TestSpanWithoutTracing(t *testing.T) {
	ctx, span := StartSpan(context.Background(), &gateway.Exchange{Operation: wire.Chat}, nil)
	if ctx != context.Background() || span != nil {
		t.Errorf("a span without tracing: %v", span)
	}
	EndSpan(span, &gateway.Record{}, nil)
	FailSpan(span, time.Time{}, nil)
	if trace.SpanFromContext(ctx).IsRecording() {
		t.Error("the span records")
	}
}
