package memory

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestModule(t *testing.T) {
	for text, problem := range map[string]string{
		"memory":                                   "",
		"memory {\n counters 5\n}":                 "",
		"memory x":                                 "rong argument count",
		"memory {\n counters 0\n}":                 "at least 1",
		"memory {\n conters 5\n}":                  "did you mean 'counters'?",
		"memory {\n counters 5\n counters 5\n}":    "given twice",
		"memory {\n counters 5 6\n}":               "rong argument count",
		"memory {\n something_quite_different\n}}": "unknown option",
	} {
		var m Module
		err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
		if (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %v, want %q", text, err, problem)
		}
	}
}

// TestReloadKeeps holds that a reload, which provisions the new configuration
// before it cleans up the old one, goes on counting.
func TestReloadKeeps(t *testing.T) {
	old, young := &Module{}, &Module{Counters: 10}
	for _, m := range []*Module{old, young} {
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
	}
	if old.Store() != young.Store() {
		t.Error("a reload has another store")
	}
	if err := old.Cleanup(); err != nil {
		t.Error(err)
	}
	if err := young.Cleanup(); err != nil {
		t.Error(err)
	}
	if err := (&Module{Counters: -1}).Provision(caddy.Context{}); err == nil {
		t.Error("a negative number of counters")
	}
}
