package redis

import (
	"context"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/redistest"
)

func TestCaddyfile(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    Module
		problem string
	}{
		{text: "redis", want: Module{}},
		{text: "redis {env.X}", want: Module{URL: "{env.X}"}},
		{
			text: "redis {\n url {env.X}\n prefix team\n deadline 20ms\n pool 8\n tls {\n ca /ca\n certificate /c /k\n server_name n\n }\n}",
			want: Module{URL: "{env.X}", Prefix: "team", Deadline: 20_000_000, Pool: 8, TLS: &TLS{CA: "/ca", Certificate: "/c", Key: "/k", ServerName: "n"}},
		},
		{
			text: "redis {env.X} {\n mode leased\n lease 4s\n chunk 10%\n}",
			want: Module{URL: "{env.X}", Mode: "leased", Lease: 4_000_000_000, Chunk: 10},
		},
		{text: "redis {\n mode strict\n}", want: Module{Mode: "strict"}},
		{text: "redis {\n mode leesed\n}", problem: "did you mean 'leased'?"},
		{text: "redis {\n mode\n}", problem: "mode needs one value"},
		{text: "redis {\n mode leased\n mode strict\n}", problem: "mode is given twice"},
		{text: "redis {\n lease off\n}", problem: "lease cannot be off"},
		{text: "redis {\n lease x\n}", problem: "no duration"},
		{text: "redis {\n chunk 25\n}", problem: "no percentage"},
		{text: "redis {\n chunk 51%\n}", problem: "no percentage"},
		{text: "redis {\n chnk 5%\n}", problem: "did you mean 'chunk'?"},
		{text: "redis {\n tls\n}", want: Module{TLS: &TLS{}}},
		{text: "redis a b", problem: "rong argument count"},
		{text: "redis a {\n url b\n}", problem: "url is given twice"},
		{text: "redis {\n pool 2\n pool 2\n}", problem: "pool is given twice"},
		{text: "redis {\n pool x\n}", problem: "whole number"},
		{text: "redis {\n prefx a\n}", problem: "did you mean 'prefix'?"},
		{text: "redis {\n url\n}", problem: "url needs one value"},
		{text: "redis {\n tls {\n certificate a\n }\n}", problem: "two files"},
		{text: "redis {\n tls {\n sa a\n }\n}", problem: "did you mean 'ca'?"},
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
	t.Setenv("WEIR_TEST_REDIS", "redis://user:secret@127.0.0.1:1")
	for _, c := range []struct {
		module  Module
		problem string
	}{
		{Module{URL: "{env.WEIR_TEST_REDIS}"}, ""},
		{Module{URL: "redis://127.0.0.1:1"}, ""},
		{Module{URL: "redis://user:{env.WEIR_UNSET}@127.0.0.1"}, "{env.WEIR_UNSET} is not set"},
		{Module{URL: "redis://user:secret@127.0.0.1"}, "a password must be a placeholder"},
		{Module{URL: "redis://user:secret{env.WEIR_TEST_REDIS}@127.0.0.1"}, "a password must be a placeholder"},
		{Module{URL: "{env.WEIR_UNSET}"}, "{env.WEIR_UNSET} is not set"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Deadline: -1}, "deadline"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Pool: 1000}, "pool"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Mode: "leased"}, ""},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Mode: "lease"}, "unknown mode 'lease'"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Chunk: 5}, "for mode leased"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Mode: "strict", Lease: 5}, "for mode leased"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Mode: "leased", Lease: 5}, "shorter than 200ms"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", Mode: "leased", Chunk: 90}, "between 1 and 50"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", TLS: &TLS{CA: "/nonexistent"}}, "reading ca"},
		{Module{URL: "{env.WEIR_TEST_REDIS}", TLS: &TLS{Certificate: "/nonexistent"}}, "reading certificate"},
	} {
		err := c.module.Provision(caddy.Context{})
		if (err == nil) != (c.problem == "") || err != nil && (!strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%+v: %v, want %q", c.module, err, c.problem)
		}
		if err := c.module.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}

// TestReload holds that the same settings are the same store, that a request
// in flight settles after its configuration is gone, and that connections go
// then.
func TestReload(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("WEIR_TEST_REDIS", server.URL)
	first, second := &Module{URL: "{env.WEIR_TEST_REDIS}", Deadline: caddy.Duration(5e9)}, &Module{URL: "{env.WEIR_TEST_REDIS}", Deadline: caddy.Duration(5e9)}
	for _, m := range []*Module{first, second} {
		if err := m.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
	}
	store := first.Store()
	if store != second.Store() {
		t.Error("two stores for one server")
	}
	if _, err := store.(*Store).SelfTest(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := claim(t, "a", 10, "tokens", "100", "1h")
	mustReserve(t, store, r)
	for _, m := range []*Module{first, second} {
		if err := m.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Settle(context.Background(), r, []int64{4}); err != nil || r.Decisions[0].Used != 4 {
		t.Errorf("%v %+v", err, r.Decisions)
	}
	if s := store.(*Store); s.background.Err() == nil {
		t.Error("still connected")
	}
}

// TestInstances counts the gateways that share a server.
func TestInstances(t *testing.T) {
	server := redistest.Start(t)
	a, b, c := open(t, server), open(t, server), open(t, server)
	for _, s := range []*Store{a, b, c} {
		s.count()
	}
	a.count()
	if a.Instances() != 3 || c.Instances() != 3 {
		t.Errorf("%d and %d instances", a.Instances(), c.Instances())
	}
}
