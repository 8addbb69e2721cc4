package limits

import (
	"fmt"
	"strings"
	"testing"
)

func parsed(tb testing.TB, lines ...[]string) (rules []Rule) {
	tb.Helper()
	for _, words := range lines {
		rule, err := Parse(words)
		if err != nil {
			tb.Fatal(err)
		}
		rules = append(rules, rule)
	}
	return rules
}

// TestKeysOf holds that the keys of a reservation are those of Key, whichever way its
// claims are made, and that those of known bearers cost nothing.
func TestKeysOf(t *testing.T) {
	r := &Reservation{}
	rules := parsed(t, []string{"tokens", "5", "1m"}, []string{"usd", "5", "1M"}, []string{"concurrency", "3"}, []string{"requests", "3", "1d", "zone", "Europe/Kyiv"})
	known := RulesOf("team", "known", rules)
	for range 2 { // its memory is used again
		r.Reset()
		var want []Claim
		for i := range rules {
			if i != 1 {
				r.ClaimRule(&known, i, int64(i))
				want = append(want, Claim{Key: Key("team", "known", &rules[i]), Rule: &rules[i], Amount: int64(i), Scope: "team", Name: "known"})
			}
			name := fmt.Sprint("n", i)
			r.ClaimOf("key", name, &rules[i], 1)
			want = append(want, Claim{Key: Key("key", name, &rules[i]), Rule: &rules[i], Amount: 1, Scope: "key", Name: name})
		}
		r.NameKeys()
		for i := range want {
			if r.Claims[i] != want[i] {
				t.Errorf("%+v, want %+v", r.Claims[i], want[i])
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		r.Reset()
		for i := range rules {
			r.ClaimRule(&known, i, 1)
		}
		r.NameKeys()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestShares holds that rules share a counter when they have the same ID.
func TestShares(t *testing.T) {
	rules := parsed(t,
		[]string{"requests", "3", "1m"}, []string{"requests", "5", "60s", "shadow"}, []string{"requests", "3", "1h"}, []string{"tokens", "3", "1m"},
		[]string{"concurrency", "3"}, []string{"concurrency", "5"},
		[]string{"usd", "5", "1M"}, []string{"usd", "5", "1M", "zone", "UTC"}, []string{"usd", "5", "1M", "zone", "Europe/Kyiv"},
		[]string{"usd", "5", "1d"}, []string{"usd", "5", "24h"}, []string{"usd", "5", "1w"}, []string{"tokens", "3", "24h"}, []string{"tokens", "3", "1d"},
		[]string{"tokens", "3", "1d", "zone", "UTC"},
	)
	for i := range rules {
		for j := range rules {
			if got, want := rules[i].Shares(&rules[j]), rules[i].ID() == rules[j].ID(); got != want {
				t.Errorf("%s and %s: %v", &rules[i], &rules[j], got)
			}
		}
	}
}

// TestUnite holds that of rules with one counter the one that refuses first is asked.
func TestUnite(t *testing.T) {
	parse := func(words ...string) *Rule {
		t.Helper()
		rule, err := Parse(words)
		if err != nil {
			t.Fatal(err)
		}
		return &rule
	}
	wide, narrow := parse("tokens", "10", "1m"), parse("tokens", "7", "1m")
	shadow, hour := parse("tokens", "5", "1m", "shadow"), parse("tokens", "10", "1h")
	for _, rules := range [][]*Rule{
		{wide, hour, narrow, shadow}, {narrow, hour, wide, shadow}, {shadow, hour, narrow, wide}, {shadow, hour, shadow, wide, narrow, narrow},
	} {
		var r Reservation
		r.Reset()
		for _, rule := range rules {
			r.ClaimOf("site", "a", rule, 3)
		}
		r.ClaimOf("site", "b", wide, 3)
		r.NameKeys()
		r.Unite()
		if len(r.Claims) != 3 || r.Claims[0].Rule != narrow || r.Claims[1].Rule != hour || r.Claims[2].Name != "b" || r.Begin() != nil {
			t.Errorf("%v: %+v", rules, r.Claims)
		}
	}
}

// TestUniteAway holds that of rules with one counter the strictest is followed while the
// store is away; a shadow denies nothing.
func TestUniteAway(t *testing.T) {
	for _, c := range []struct {
		first, second string
		want          OnStoreError
	}{
		{"20", "25", Local},
		{"20", "25 on_store_error deny", Deny},
		{"25 on_store_error deny", "20", Deny},
		{"20 on_store_error deny", "25 on_store_error allow", Deny},
		{"20 on_store_error allow", "25", Local},
		{"25", "20 on_store_error allow", Local},
		{"20 on_store_error allow", "25 on_store_error deny", Deny},
		{"20 on_store_error allow", "25 on_store_error allow", Allow},
		{"20", "15 shadow on_store_error deny", Local},
	} {
		r := new(Reservation)
		for _, words := range []string{c.first, c.second} {
			amount, rest, _ := strings.Cut(words, " ")
			rule, err := Parse(strings.Fields("usd " + amount + " 30d " + rest))
			if err != nil {
				t.Fatal(err)
			}
			was := rule
			r.Claim("a", &rule, 1)
			defer func() {
				if rule != was {
					t.Errorf("%q, %q: a rule was changed", c.first, c.second)
				}
			}()
		}
		r.Unite()
		if rule := r.Claims[0].Rule; len(r.Claims) != 1 || rule.Amount > 20*Dollar || rule.Shadow || rule.OnStoreError != c.want {
			t.Errorf("%q, %q: %s", c.first, c.second, rule)
		}
	}
}
