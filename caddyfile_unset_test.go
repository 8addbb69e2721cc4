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

// TestUnsetUsualKey holds that a provider's usual variable is missed where the
// provider is named.
func TestUnsetUsualKey(t *testing.T) {
	for _, name := range []string{"OPENAI_API_KEY", "GROQ_API_KEY", "GEMINI_API_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("ANTHROPIC_API_KEY", "x")
	t.Setenv("GOOGLE_API_KEY", "x") // will do for Gemini
	tokens, err := caddyfile.Tokenize([]byte(`ai openai anthropic gemini {
	provider fast groq {
		warm
	}
	provider other openai {
		api_key {env.ANTHROPIC_API_KEY}
	}
	provider gpu ollama
}`), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	p := &appParser{app: new(App), places: make(wordPlaces)}
	if err := p.parse(caddyfile.NewDispenser(tokens)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Caddyfile:1: {env.OPENAI_API_KEY} is not set",
		"Caddyfile:2: {env.GROQ_API_KEY} is not set",
	}
	if diff := cmp.Diff(want, p.missing); diff != "" {
		t.Error(diff)
	}
}
