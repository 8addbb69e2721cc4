package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/records/ledger/ledgertest"
)

const day = 24 * time.Hour

func TestCaddyfile(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    Module
		problem string
	}{
		{text: "sqlite", want: Module{}},
		{text: "sqlite /var/usage.db", want: Module{Path: "/var/usage.db"}},
		{
			text: "sqlite {\n path {env.X}\n retention 30d\n sums_retention 365d\n}",
			want: Module{Path: "{env.X}", Retention: caddy.Duration(30 * day), SumsRetention: caddy.Duration(365 * day)},
		},
		{text: "sqlite {\n retention off\n}", want: Module{Retention: -1}},
		{text: "sqlite a b", problem: "rong argument count"},
		{text: "sqlite a {\n path b\n}", problem: "path is given twice"},
		{text: "sqlite {\n path\n}", problem: "path needs one value"},
		{text: "sqlite {\n retention x\n}", problem: "retention"},
		{text: "sqlite {\n retantion 1d\n}", problem: "did you mean 'retention'?"},
	} {
		var m Module
		err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser(c.text))
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%q: %v, want %s", c.text, err, c.problem)
			}
			continue
		}
		if diff := cmp.Diff(c.want, m, cmpopts.IgnoreUnexported(Module{})); err != nil || diff != "" {
			t.Errorf("%q: %v %s", c.text, err, diff)
		}
	}
}

func TestProvision(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("WEIR_TEST_DIR", dir)
	t.Setenv("XDG_DATA_HOME", dir)
	for _, c := range []struct {
		module        Module
		path, problem string
	}{
		{module: Module{}, path: filepath.Join(dir, "caddy", "ai", "usage.db")},
		{module: Module{Path: "{env.WEIR_TEST_DIR}/u.db"}, path: filepath.Join(dir, "u.db")},
		{module: Module{Path: "{env.WEIR_UNSET}/u.db"}, problem: "WEIR_UNSET"},
		{module: Module{Retention: caddy.Duration(time.Hour)}, problem: "24h"},
		{module: Module{SumsRetention: caddy.Duration(30 * day)}, problem: "sums"},
	} {
		err := c.module.Provision(caddy.Context{})
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%+v: %v", c.module, err)
			}
		} else if err != nil || c.module.store.path != c.path {
			t.Errorf("%+v: %v", c.module, err)
		}
		if err := c.module.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}

// TestReload holds that a new configuration with the same file has the same
// store, which only the last Cleanup closes.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	first, second := Module{Path: path}, Module{Path: path}
	for _, m := range []*Module{&first, &second} {
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
	}
	store := second.Store()
	if first.Store() != store {
		t.Error("two stores for one file")
	}
	rows := []ledger.Row{ledgertest.Row("a", ledgertest.Noon, 1)}
	if err := first.Cleanup(); err != nil || store.Put(t.Context(), rows) != nil {
		t.Error("the old configuration closed the new one's store")
	}
	if err := second.Cleanup(); err != nil || store.Put(t.Context(), rows) == nil {
		t.Error("the store outlives its last configuration")
	}
}
