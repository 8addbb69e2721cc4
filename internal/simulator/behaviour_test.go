package simulator

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBehaviour(t *testing.T) {
	with := func(set func(*behaviour)) behaviour {
		b := behaviour{tokens: 64, ttft: time.Second, tps: 7, cut: off, stall: off, errAt: off}
		set(&b)
		return b
	}
	for _, tt := range []struct {
		name string
		set  func(*behaviour)
	}{
		{"gpt-4.1", func(*behaviour) {}},
		{"claude-sonnet-4-5", func(*behaviour) {}},
		{"err-abc", func(*behaviour) {}},
		{"err-200", func(*behaviour) {}},
		{"cut--1", func(*behaviour) {}},
		{"tps-0", func(*behaviour) {}},
		{"tps-NaN", func(*behaviour) {}},
		{"ttft--1s", func(*behaviour) {}},
		{"tokens-999999999", func(*behaviour) {}},
		{"", func(*behaviour) {}},
		{"lorem", func(*behaviour) {}},
		{"default", func(*behaviour) {}},
		{"echo", func(b *behaviour) { b.kind = echo }},
		{"json", func(b *behaviour) { b.kind = jsonObject }},
		{"tool", func(b *behaviour) { b.kind = toolCalls }},
		{"refuse", func(b *behaviour) { b.kind = refuse }},
		{"slow", func(b *behaviour) { b.ttft, b.tps = 2*time.Second, 5 }},
		{"fast", func(b *behaviour) { b.ttft, b.tps = 0, 0 }},
		{"slow+tokens-20", func(b *behaviour) { b.ttft, b.tps, b.tokens, b.exact = 2*time.Second, 5, 20, true }},
		{"tokens-20+slow", func(b *behaviour) { b.ttft, b.tps, b.tokens, b.exact = 2*time.Second, 5, 20, true }},
		{"err-429", func(b *behaviour) { b.status = 429 }},
		{"err-context", func(b *behaviour) { b.code = "context_length_exceeded" }},
		{"err-quota", func(b *behaviour) { b.code = "insufficient_quota" }},
		{"err-stream-5", func(b *behaviour) { b.errAt = 5 }},
		{"cut-0", func(b *behaviour) { b.cut = 0 }},
		{"stall-10", func(b *behaviour) { b.stall = 10 }},
		{"ttft-1.5s+tps-2.5", func(b *behaviour) { b.ttft, b.tps = 1500*time.Millisecond, 2.5 }},
		{"hang", func(b *behaviour) { b.hang = true }},
		{"length", func(b *behaviour) { b.length = true }},
		{"nousage", func(b *behaviour) { b.noUsage = true }},
		{"garbage", func(b *behaviour) { b.garbage = true }},
		{"html", func(b *behaviour) { b.html = true }},
		{"slow+tokns-5", func(b *behaviour) { b.ttft, b.tps, b.unknown = 2*time.Second, 5, "tokns-5" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := simulate(Config{TTFT: time.Second, TokensPerSecond: 7}).behaviour(tt.name)
			if diff := cmp.Diff(with(tt.set), got, cmp.AllowUnexported(behaviour{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMistypedBehaviourIsNoModel(t *testing.T) {
	res := post(t, simulate(Config{}), "/v1/chat/completions", `{"model":"sim/slow+tokns-5",`+hello+`}`)
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("status %d, want 404", res.StatusCode)
	}
}

// TestCatalogue: what a listing shows has to be a behaviour.
func TestCatalogue(t *testing.T) {
	for _, name := range catalogue {
		var b behaviour
		if !b.apply(name) && name != "text-embedding" {
			t.Errorf("%q is listed and does nothing", name)
		}
	}
}
