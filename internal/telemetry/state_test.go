package telemetry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// TestState holds what is scraped of the ledger and the stores, with a
// configuration and without one.
func TestState(t *testing.T) {
	running := true
	m := NewMetrics(
		Ledger(func() (int64, bool) { return 7, running }),
		StoreErrors(func(do func(string, int64)) {
			if running {
				do("memory", 0)
				do("redis", 3)
			}
		}),
	)
	registry := prometheus.NewPedanticRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	for _, want := range []map[string]float64{
		{"caddy_ai_ledger_pending": 7, "caddy_ai_store_errors_total store=memory": 0, "caddy_ai_store_errors_total store=redis": 3},
		{},
	} {
		got := make(map[string]float64)
		for name, v := range gather(t, registry) {
			if name == "caddy_ai_ledger_pending" || len(name) > 27 && name[:27] == "caddy_ai_store_errors_total" {
				got[name] = v
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("running %v (-want +got)\n%s", running, diff)
		}
		running = false
	}
}
