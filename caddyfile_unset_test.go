package weir

import (
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
)

// TestUnset holds that variables are named where they are missed.
func TestUnset(t *testing.T) {
	t.Setenv("WEIR_TEST_SET", "x")
	t.Setenv("WEIR_TEST_EMPTY", "")
	tokens, err := caddyfile.Tokenize([]byte(`ai {
	provider a {
		api_key {env.WEIR_TEST_SET} {env.WEIR_TEST_NOT}
		base_url http://{env.WEIR_TEST_HOST}:{env.WEIR_TEST_SET}{env.WEIR_TEST_PORT}/{env.cut
	}
	key b {env.WEIR_TEST_EMPTY}
	key c {file./nowhere}
}`), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Caddyfile:3: {env.WEIR_TEST_NOT} is not set",
		"Caddyfile:4: {env.WEIR_TEST_HOST} is not set",
		"Caddyfile:4: {env.WEIR_TEST_PORT} is not set",
		"Caddyfile:6: {env.WEIR_TEST_EMPTY} is not set",
	}
	d := caddyfile.NewDispenser(tokens)
	if diff := cmp.Diff(want, unset(d)); diff != "" {
		t.Error(diff)
	}
	if !d.Next() || d.Val() != "ai" {
		t.Error("the tokens are read")
	}
}
