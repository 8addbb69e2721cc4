package integration

import (
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestLeasedRatio holds that metrics say what of a limit a gateway may hold, as
// long as its configuration has it borrow.
func TestLeasedRatio(t *testing.T) {
	t.Setenv("WEIR_TEST_REDIS", redistest.Start(t).URL)
	g := weirtest.Start(t, "provider sim simulator", "ai_gateway")
	admin := weirtest.FreeAddr(t)
	client := newClient(t)
	for _, c := range []struct {
		name, store string
		want        float64
		reported    bool
	}{
		{"memory", "", 0, false},
		{"leased", "store redis {env.WEIR_TEST_REDIS} {\n mode leased\n chunk 40%\n deadline 2s\n}", 0.4, true},
		{"strict", "store redis {env.WEIR_TEST_REDIS} {\n deadline 2s\n}", 0, false},
	} {
		ai := "provider sim simulator\n" + c.store
		if err := loadConfig(t, administered(g.Caddyfile("", ai, "ai_gateway"), admin)); err != nil {
			t.Fatal(err)
		}
		got, reported := scrape(t, client, admin)["caddy_ai_limit_leased_ratio"]
		if got != c.want || reported != c.reported {
			t.Errorf("%s: %v, reported %t", c.name, got, reported)
		}
	}
}
