package gateway

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
)

func number(f float64) *float64 { return &f }

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name, body string
		policy     Policy
		param      string // "" when the request passes
		message    string
	}{
		{"nothing demanded", `"max_tokens":999999,"temperature":9`, Policy{}, "", ""},
		{"cap below the limit", `"max_tokens":10`, Policy{MaxOutputTokens: 10}, "", ""},
		{"cap above the limit", `"max_tokens":11`, Policy{MaxOutputTokens: 10}, "max_tokens", "'max_tokens' is 11, but the site allows 10 at most (max_output_tokens)"},
		{"the other member", `"max_completion_tokens":11`, Policy{MaxOutputTokens: 10}, "max_completion_tokens", "is 11"},
		{"no cap", ``, Policy{MaxOutputTokens: 10}, "", ""},
		{"cap that is no number", `"max_tokens":"many"`, Policy{MaxOutputTokens: 10}, "max_tokens", "must be a whole number"},
		{"negative cap", `"max_tokens":-1`, Policy{MaxOutputTokens: 10}, "max_tokens", "must be a whole number"},
		{"cap in a float's dress", `"max_tokens":1e9`, Policy{MaxOutputTokens: 10}, "max_tokens", ""},
		{"temperature inside", `"temperature":0.5`, Policy{MinTemperature: number(0), MaxTemperature: number(1)}, "", ""},
		{"temperature above", `"temperature":1.5`, Policy{MinTemperature: number(0), MaxTemperature: number(1)}, "temperature", "'temperature' is 1.5, but the site allows 0 to 1 (temperature)"},
		{"temperature above a lone bound", `"temperature":2`, Policy{MaxTemperature: number(1)}, "temperature", "allows 1 at most"},
		{"temperature below a lone bound", `"temperature":0`, Policy{MinTemperature: number(0.2)}, "temperature", "allows 0.2 at least"},
		{"temperature in quotes", `"temperature":"2"`, Policy{MaxTemperature: number(1)}, "temperature", "'temperature' must be a number, since the site allows 1 at most"},
		{"temperature beyond numbers", `"temperature":1e999`, Policy{MinTemperature: number(0)}, "temperature", "must be a number"},
		{"temperature in a list", `"temperature":[2]`, Policy{MaxTemperature: number(1)}, "temperature", "must be a number"},
		{"temperature in quotes that nobody bounds", `"temperature":"2"`, Policy{MaxOutputTokens: 5}, "", ""},
		{"null temperature", `"temperature":null`, Policy{MinTemperature: number(1), MaxTemperature: number(1)}, "", ""},
		{"no temperature", ``, Policy{MinTemperature: number(1), MaxTemperature: number(1)}, "", ""},
		{"denied", `"logit_bias":{}`, Policy{DenyParams: []string{"logit_bias"}}, "logit_bias", "'logit_bias' is not allowed by the site (deny_params)"},
		{"denied in another case", `"Logit_Bias":{}`, Policy{DenyParams: []string{"logit_bias"}}, "Logit_Bias", "not allowed"},
		{"denied in escapes", `"logit\u005fbias":{}`, Policy{DenyParams: []string{"logit_bias"}}, "logit_bias", "not allowed"},
		{"allowed", `"temperature":1`, Policy{AllowParams: []string{"temperature"}}, "", ""},
		{"not among the allowed", `"seed":1`, Policy{AllowParams: []string{"temperature"}}, "seed", "'seed' is not among the parameters that the site allows (allow_params)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := `{"model":"m","messages":[{"role":"user"}]`
			if c.body != "" {
				raw += "," + c.body
			}
			var env wire.Envelope
			if err := env.Decode(wire.Chat, []byte(raw+"}")); err != nil {
				t.Fatal(err)
			}
			err := c.policy.Check(ScopeSite, "", &env)
			if c.param == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != wire.KindInvalid || e.Param != c.param || !strings.Contains(e.Message, c.message) {
				t.Errorf("%v (param %v), want %s: %s", err, e, c.param, c.message)
			}
		})
	}
}

func TestCheckInput(t *testing.T) {
	const size = int64(len(body))
	for _, c := range []struct {
		name    string
		op      *wire.Operation
		site    Policy
		route   Route
		target  string
		kind    wire.Kind
		message string
	}{
		{name: "no limits", op: wire.Chat},
		{name: "site's limit holds", op: wire.Chat, site: Policy{MaxInputTokens: size}},
		{name: "site's limit broken", op: wire.Chat, site: Policy{MaxInputTokens: size - 1}, kind: wire.KindInvalid, message: "the site allows 41 at most (max_input_tokens)"},
		{name: "model's limit broken", op: wire.Chat, route: Route{Policy: Policy{MaxInputTokens: 3}}, kind: wire.KindInvalid, message: "the prompt has 42 tokens, but model 'm' allows 3 at most"},
		{name: "fits the window", op: wire.Chat, route: Route{ContextWindow: size}},
		{name: "over the window", op: wire.Chat, route: Route{ContextWindow: 5}, kind: wire.KindContextLength, message: "more than the context window of 'gpt' (5 tokens)"},
		{name: "an estimate gets room", op: wire.Chat, target: "estimated", route: Route{ContextWindow: size * 3 / 4}},
		{name: "an estimate far over", op: wire.Chat, target: "estimated", route: Route{ContextWindow: 5}, kind: wire.KindContextLength, message: "context window"},
		{name: "embeddings have many inputs", op: wire.Embeddings, route: Route{ContextWindow: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, _, _ := newGateway(t)
			x := newExchange(t, g, wire.Chat)
			x.Operation = c.op
			if c.target != "" {
				x.Target.Model = c.target
			}
			c.route.Name, c.route.Target = x.Model, x.Target
			err := g.CheckInput(x, &c.route, &c.site)
			if c.message == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Message, c.message) {
				t.Errorf("%v, want %s: %s", err, c.kind, c.message)
			}
		})
	}
}
