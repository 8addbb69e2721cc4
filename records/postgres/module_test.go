package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCaddyfile(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    Module
		problem string
	}{
		{text: "postgres", want: Module{}},
		{text: "postgres {env.X}", want: Module{URL: "{env.X}"}},
		{
			text: "postgres {\n url {env.X}\n retention 48h\n sums_retention off\n}",
			want: Module{URL: "{env.X}", Retention: caddy.Duration(48 * time.Hour), SumsRetention: -1},
		},
		{text: "postgres a b", problem: "rong argument count"},
		{text: "postgres a {\n url b\n}", problem: "url is given twice"},
		{text: "postgres {\n url\n}", problem: "url needs one value"},
		{text: "postgres {\n ulr a\n}", problem: "did you mean 'url'?"},
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
	t.Setenv("WEIR_TEST_DATABASE", "postgres://weir:hunter2@127.0.0.1:1/weir\n")
	t.Setenv("WEIR_TEST_PASSWORD", "hunter2")
	t.Setenv("WEIR_TEST_BROKEN", "postgres://weir:hunter2@host:port/x")
	t.Setenv("DATABASE_URL", "")
	for _, c := range []struct {
		module  Module
		problem string
	}{
		{Module{URL: "{env.WEIR_TEST_DATABASE}"}, ""},
		{Module{URL: "postgres://weir@127.0.0.1:1/weir"}, ""},
		{Module{URL: "postgres://weir:{env.WEIR_TEST_PASSWORD}@127.0.0.1:1/weir"}, ""},
		{Module{URL: "host=127.0.0.1 user=weir password='{env.WEIR_TEST_PASSWORD}'"}, ""},
		{Module{URL: "postgres://weir:hunter2@127.0.0.1:1/weir"}, "placeholder"},
		{Module{URL: "postgres://127.0.0.1:1/weir?user=weir&password=hunter2"}, "placeholder"},
		{Module{URL: "host=127.0.0.1 password=hunter2 user=weir"}, "placeholder"},
		{Module{}, "not set or empty"},
		{Module{URL: "{env.WEIR_TEST_BROKEN}"}, "connection string"},
		{Module{URL: "{env.WEIR_TEST_DATABASE}", Retention: 1}, "24h"},
	} {
		err := c.module.Provision(caddy.Context{})
		switch {
		case c.problem == "" && err != nil, c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v, want %q", c.module.URL, err, c.problem)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("the password is in the error: %v", err)
		}
		if err := c.module.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}
