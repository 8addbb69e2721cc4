package handlers

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/limits"
)

// issuer is a host whose keys have these rules.
type issuer struct {
	bare
	rules *limits.Ruled
}

func (i issuer) KeyRules(*keys.Key) (*limits.Ruled, error) { return i.rules, nil }

// claimer is a call of the key `k`, which has the rules issued, under the rules of
// scopes, each line `scope name rule`.
func claimer(tb testing.TB, scopes []string, issued ...string) *call {
	tb.Helper()
	parse := func(words string) limits.Rule {
		rule, err := limits.Parse(strings.Fields(words))
		if err != nil {
			tb.Fatal(err)
		}
		return rule
	}
	p := &Proxy{rules: new(gateway.Rules)}
	for _, line := range scopes {
		f := strings.SplitN(line, " ", 3)
		if f[1] == "-" {
			f[1] = ""
		}
		if err := p.rules.Add(f[0], f[1], parse(f[2])); err != nil {
			tb.Fatal(err)
		}
	}
	var own []limits.Rule
	for _, words := range issued {
		own = append(own, parse(words))
	}
	ruled := limits.RulesOf(gateway.ScopeKey, "k", own)
	p.host = issuer{rules: &ruled}
	c := &call{proxy: p, r: httptest.NewRequest(http.MethodPost, "/", nil)}
	c.target = &gateway.Route{Alias: "m", Target: gateway.Target{Provider: "p", Model: "x"}}
	c.caller = &caller{principal: gateway.Principal{Key: "k", Team: "t"}, key: &keys.Key{Name: "k"}}
	return c
}

// TestClaims holds which rules a call falls under, in which order, and that one for
// each of a scope gives way to one that counts the same for a bearer that is named.
func TestClaims(t *testing.T) {
	for _, tt := range []struct {
		name   string
		scopes []string
		issued []string
		want   []string
	}{
		{"none", nil, nil, nil},
		{"issued with the key", nil, []string{"requests 5 1m", "concurrency 3"}, []string{"key:k:requests/1m 5", "key:k:concurrency 3"}},
		{
			"all scopes",
			[]string{"key k requests 6 1h", "user * requests 1 1m", "team * requests 2 1m", "model m requests 3 1m", "model other requests 9 1m", "provider p requests 4 1m", "global - requests 7 1m"},
			[]string{"requests 5 1m"},
			[]string{"global::requests/1m 7", "provider:p:requests/1m 4", "model:m:requests/1m 3", "team:t:requests/1m 2", "key:k:requests/1h 6", "key:k:requests/1m 5"},
		},
		{
			"each but what is said by name",
			[]string{"key * requests 1 1m", "key * requests 1 1h", "key * requests 1 1s", "key k requests 2 60m"},
			[]string{"requests 3 60s"},
			[]string{"key:k:requests/1h 2", "key:k:requests/1m 3", "key:k:requests/1s 1"},
		},
	} {
		c := claimer(t, tt.scopes, tt.issued...)
		r := new(limits.Reservation)
		if err := c.claim(r); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range r.Claims {
			claim := &r.Claims[i]
			if claim.Key != limits.Key(claim.Scope, claim.Name, claim.Rule) || claim.Amount != 1 {
				t.Errorf("%s: %+v", tt.name, claim)
			}
			got = append(got, claim.Key+" "+strings.Fields(claim.Rule.String())[1])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestClaimsOfKnownBearers holds that they cost no allocation.
func TestClaimsOfKnownBearers(t *testing.T) {
	c := claimer(t, []string{"global - requests 7 1m", "key * requests 1 1m"}, "requests 5 1m", "concurrency 3")
	r := new(limits.Reservation)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset()
		if err := c.claim(r); err != nil || len(r.Claims) != 3 {
			t.Fatal(err, r.Claims)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
