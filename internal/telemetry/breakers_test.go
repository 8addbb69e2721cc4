package telemetry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// TestBreakers holds that only names of configurations are labels, and that
// any state can be scraped.
func TestBreakers(t *testing.T) {
	type target struct {
		provider, model  string
		configured, open bool
	}
	targets := []target{
		{"a", "up", true, false},
		{"a", "down", true, true},
		{"a", "invented-1", false, true},
		{"a", "invented-2", false, true},
		{"a", "invented-3", false, false},
		{"b", Other, true, false}, // a name that somebody may have taken
		{"b", "invented-1", false, true},
	}
	m := NewMetrics(Breakers(func(do func(provider, model string, configured, open bool)) {
		for _, t := range targets {
			do(t.provider, t.model, t.configured, t.open)
		}
	}))
	registry := prometheus.NewPedanticRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for name, v := range gather(t, registry) {
		if len(name) > 22 && name[:22] == "caddy_ai_breaker_open " {
			got[name[22:]] = v
		}
	}
	want := map[string]float64{
		"model=up provider=a": 0, "model=down provider=a": 1, "model=_other provider=a": 2, "model=_other provider=b": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
