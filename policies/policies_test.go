package policies

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

// load reads words as the arguments of lb_policy and provisions the module.
func load(t *testing.T, words string) (Module, error) {
	t.Helper()
	d := caddyfile.NewTestDispenser(words)
	d.Next()
	_, raw, err := ReadGuest(d)
	if err != nil {
		t.Fatal(err)
	}
	return provision(t, string(raw))
}

func provision(t *testing.T, raw string) (Module, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	var f fallback
	if err := f.load(ctx, &Cookie{FallbackRaw: []byte(raw)}); err != nil {
		return nil, err
	}
	return f.module, nil
}

// TestPolicies holds that each word makes the policy that it names, with its
// settings: what it picks of three targets, of which each is best at one thing.
func TestPolicies(t *testing.T) {
	t.Setenv("WEIR_TEST_SECRET", "s")
	candidates := []balance.Candidate{
		{Name: "p/a", Index: 0, InFlight: 9, Latency: 1, Cost: 500, Headroom: 1},
		{Name: "p/b", Index: 1, InFlight: 5, Latency: 100, Cost: 5, Headroom: 1},
		{Name: "p/c", Index: 2, InFlight: 0, Latency: 1000, Cost: 50, Headroom: 1},
	}
	var cookie *http.Cookie
	r := &balance.Request{Cookies: jar(func(c *http.Cookie) { cookie = c }), ClientIP: "192.0.2.7", Key: "ci", Header: http.Header{"X-Session": {"s"}}}
	for words, want := range map[string]string{
		"first":                                "a",
		"random":                               "abc",
		"round_robin":                          "abc",
		"weighted_round_robin 0 1 1":           "bc",
		"least_conn":                           "c",
		"least_cost":                           "b",
		"least_latency":                        "ab",
		"header X-Session {\nweights 0 1 0\n}": "b",
		"header X-None {\nfallback least_cost\n}": "b",
		"header X-None":                                 "abc",
		"client_ip_hash {\nweights 0 0 1\n}":            "c",
		"key_hash {\nweights 1 0 0\nfallback random\n}": "a",
		"cookie sess {env.WEIR_TEST_SECRET} {\nfallback least_conn\nmax_age 1m\n}": "c",
	} {
		module, err := load(t, words)
		if err != nil {
			t.Errorf("%s: %v", words, err)
			continue
		}
		policy, got := module.Policy(), map[string]bool{}
		for range 300 {
			got[strings.TrimPrefix(candidates[policy.Pick(candidates, r)].Name, "p/")] = true
		}
		for _, name := range []string{"a", "b", "c"} {
			if got[name] != strings.Contains(want, name) {
				t.Errorf("%s picks %v, want %s", words, got, want)
				break
			}
		}
	}
	if cookie == nil || cookie.Name != "sess" || cookie.MaxAge != 60 {
		t.Errorf("cookie %+v", cookie)
	}
	one, err := load(t, "round_robin")
	if err != nil || one.Policy() == one.Policy() {
		t.Error("two models share a cursor")
	}
}

// TestRefused are settings that only JSON can have; those of a Caddyfile are
// in integration/testdata/adapt.
func TestRefused(t *testing.T) {
	for raw, want := range map[string]string{
		`{"policy":"header"}`:                                             "the name of a header field is missing",
		`{"policy":"weighted_round_robin"}`:                               "one weight at least must be above 0",
		`{"policy":"weighted_round_robin","weights":[1,-1]}`:              "-1 is no weight",
		`{"policy":"key_hash","weights":[0,0]}`:                           "weights: one weight at least must be above 0",
		`{"policy":"cookie","secret":"literal"}`:                          "secret: must be a placeholder",
		`{"policy":"cookie","name":"a b"}`:                                "'a b' is no name of a cookie",
		`{"policy":"cookie","name":"a=b"}`:                                "'a=b' is no name of a cookie",
		`{"policy":"cookie","max_age":-1}`:                                "max_age must not be negative",
		`{"policy":"client_ip_hash","fallback":{"policy":"first","x":1}}`: "unknown field",
		`{"policy":"client_ip_hash","fallback":{"policy":"round_rubin"}}`: "unknown module: ai.policies.round_rubin",
	} {
		if _, err := provision(t, raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}

// jar takes cookies.
type jar func(*http.Cookie)

func (j jar) SetCookie(c *http.Cookie) { j(c) }
