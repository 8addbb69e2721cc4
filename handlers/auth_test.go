package handlers

import (
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway/keys"
)

// TestUserID holds that the access log's user_id is the key's holder, also where
// another authentication has set one before, or sets one behind.
func TestUserID(t *testing.T) {
	for _, before := range []string{"", "somebody"} {
		repl := caddy.NewReplacer()
		if before != "" {
			repl.Set("http.auth.user.id", before)
		}
		newCaller(&keys.Key{Name: "ann"}, repl)
		if who, _ := repl.GetString("http.auth.user.id"); who != "ann" {
			t.Errorf("set to '%s' before: '%s'", before, who)
		}
		newCaller(&keys.Key{Name: "bob"}, repl)
		if who, _ := repl.GetString("http.auth.user.id"); who != "bob" {
			t.Errorf("another key's, after '%s': '%s'", before, who)
		}
		repl.Set("http.auth.user.id", "the last")
		if who, _ := repl.GetString("http.auth.user.id"); who != "the last" {
			t.Errorf("set again, after '%s': '%s'", before, who)
		}
	}
}
