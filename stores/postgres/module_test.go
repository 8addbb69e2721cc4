package postgres

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/pgtest"
)

func TestCaddyfile(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    Module
		problem string
	}{
		{text: "postgres", want: Module{}},
		{text: "postgres {env.X}", want: Module{URL: "{env.X}"}},
		{text: "postgres {\n url {env.X}\n prefix team_1\n deadline 20ms\n}", want: Module{URL: "{env.X}", Prefix: "team_1", Deadline: 20_000_000}},
		{text: "postgres a b", problem: "rong argument count"},
		{text: "postgres a {\n url b\n}", problem: "url is given twice"},
		{text: "postgres {\n prefix a\n prefix b\n}", problem: "prefix is given twice"},
		{text: "postgres {\n deadline 1s\n deadline 1s\n}", problem: "deadline is given twice"},
		{text: "postgres {\n deadline x\n}", problem: "no duration"},
		{text: "postgres {\n deadline off\n}", problem: "cannot be off"},
		{text: "postgres {\n prefix Team\n}", problem: "lower-case"},
		{text: "postgres {\n prefix \"a; DROP TABLE b\"\n}", problem: "lower-case"},
		{text: "postgres {\n prefix " + strings.Repeat("a", 41) + "\n}", problem: "lower-case"},
		{text: "postgres {\n prefx a\n}", problem: "did you mean 'prefix'?"},
		{text: "postgres {\n url\n}", problem: "url"},
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
	t.Setenv("WEIR_TEST_DATABASE", "postgres://user:secret@127.0.0.1:1/x")
	for _, c := range []struct {
		module  Module
		problem string
	}{
		{Module{URL: "{env.WEIR_TEST_DATABASE}"}, ""},
		{Module{URL: "postgres://127.0.0.1:1/x"}, ""},
		{Module{URL: "{env.WEIR_UNSET}"}, "{env.WEIR_UNSET} is not set"},
		{Module{URL: "postgres://user:secret@127.0.0.1"}, "a password must be a placeholder"},
		{Module{URL: "host=h password=secret"}, "a password must be a placeholder"},
		{Module{URL: "postgres://user:{env.WEIR_TEST_DATABASE}@host:port/x"}, "no connection string"},
		{Module{URL: "{env.WEIR_TEST_DATABASE}", Deadline: -1}, "deadline"},
		{Module{URL: "{env.WEIR_TEST_DATABASE}", Prefix: "a-b"}, "prefix"},
	} {
		err := c.module.Provision(caddy.Context{})
		if (err == nil) != (c.problem == "") || err != nil && (!strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "secret@")) {
			t.Errorf("%+v: %v, want %q", c.module, err, c.problem)
		}
		if err := c.module.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}

// TestReload holds that a reload keeps the connections while nothing about them
// changes, that nobody connects before somebody asks, and that they go with the
// last configuration.
func TestReload(t *testing.T) {
	server := pgtest.Start(t)
	t.Setenv("WEIR_TEST_DATABASE", server.Database("a"))
	load := func(change func(*Module)) *Module {
		m := &Module{URL: "{env.WEIR_TEST_DATABASE}", Deadline: caddy.Duration(5e9)}
		change(m)
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	asked := func(m *Module) cache.Remote {
		r, err := m.Remote()
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := m.Remote(); again != r {
			t.Error("another one")
		}
		return r
	}
	first, second := load(func(*Module) {}), load(func(*Module) {})
	if n := server.Exec("a", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'weir'"); n != "0" {
		t.Errorf("%s connections before anybody asked", n)
	}
	third := load(func(m *Module) { m.Prefix = "other" })
	r := asked(first)
	if asked(second) != r || asked(third) == r {
		t.Error("a reload makes another one, or another prefix does not")
	}
	_ = first.Cleanup()
	eventually(t, "connecting", r.(*Cache).breaker.Allow)
	_ = second.Cleanup()
	_ = third.Cleanup()
	if r.Stats().Up || r.(*Cache).background.Err() == nil {
		t.Error("it is connected when nobody uses it")
	}
	eventually(t, "the end", func() bool {
		return server.Exec("a", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'weir'") == "0"
	})
}
