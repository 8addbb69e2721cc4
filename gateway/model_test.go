package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

func TestResolve(t *testing.T) {
	g, _, _ := newGateway(
		t,
		model("chat", Target{"openai", "gpt-4.1"}, Target{"gpu", "llama"}),
		model("gpt-4o", Target{"gpu", "stand-in"}),
		model("gpt-*", Target{"openai", "*"}),
		model("gpt-4*", Target{"gpu", "four"}),
		model("local-*", Target{"gpu", "org/qwen-*-instruct"}),
		model("openai/gpt-5", Target{"gpu", "shadow"}),
		model("*", Target{"gpu", "rest-*"}),
	)
	for _, c := range []struct {
		name, ask string
		op        *wire.Operation
		want      Target
		alias     string
	}{
		{"exact", "chat", wire.Chat, Target{"openai", "gpt-4.1"}, "chat"},
		{"exact before prefix", "gpt-4o", wire.Chat, Target{"gpu", "stand-in"}, "gpt-4o"},
		{"the longest prefix", "gpt-4-turbo", wire.Chat, Target{"gpu", "four"}, "gpt-4*"},
		{"star keeps the whole name", "gpt-3.5-turbo", wire.Chat, Target{"openai", "gpt-3.5-turbo"}, "gpt-*"},
		{"star takes what the alias matched", "local-7b", wire.Chat, Target{"gpu", "org/qwen-7b-instruct"}, "local-*"},
		{"star may match nothing", "local-", wire.Chat, Target{"gpu", "org/qwen--instruct"}, "local-*"},
		{"an alias before provider/model", "openai/gpt-5", wire.Chat, Target{"gpu", "shadow"}, "openai/gpt-5"},
		{"a bare star takes the rest", "anything", wire.Chat, Target{"gpu", "rest-anything"}, "*"},
		{"the first target, translated", "chat", wire.Messages, Target{"openai", "gpt-4.1"}, "chat"},
		{"the first target that can do it", "chat", wire.CountTokens, Target{"gpu", "llama"}, "chat"},
		{"names are case-sensitive", "CHAT", wire.Chat, Target{"gpu", "rest-CHAT"}, "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			route, err := g.Resolve(c.op, c.ask)
			if err != nil {
				t.Fatal(err)
			}
			if route.Target != c.want || route.Alias != c.alias {
				t.Errorf("%s goes to %s by '%s', want %s by '%s'", c.ask, route.Target, route.Alias, c.want, c.alias)
			}
		})
	}
}

func TestResolveWithoutModels(t *testing.T) {
	g, _, _ := newGateway(t)
	for _, c := range []struct {
		name, ask string
		op        *wire.Operation
		want      Target
		kind      wire.Kind
		message   string
	}{
		{"provider and model", "gpu/org/model", wire.Chat, Target{"gpu", "org/model"}, 0, ""},
		{"a vendor's own name", "gpt-4.1", wire.Chat, Target{"openai", "gpt-4.1"}, 0, ""},
		{"another vendor's", "claude-x", wire.Messages, Target{"anthropic", "claude-x"}, 0, ""},
		{"provider before vendor", "openai/claude-x", wire.Chat, Target{"openai", "claude-x"}, 0, ""},
		{"no model after the slash", "gpu/", wire.Chat, Target{}, wire.KindModelNotFound, "the model 'gpu/' does not exist or is not configured here; did you mean 'gpu/*', 'pool/*', 'openai/*'?"},
		{"unknown", "opnai/gpt", wire.Chat, Target{}, wire.KindModelNotFound, "did you mean 'openai/*'"},
		{"empty", "", wire.Chat, Target{}, wire.KindModelNotFound, "the model '' does not exist"},
		{"another dialect", "claude-x", wire.Chat, Target{Provider: "anthropic", Model: "claude-x"}, 0, ""},
		{"nothing like it", "claude-x", wire.Speech, Target{}, wire.KindInvalid, "the upstream of model 'claude-x' has no /audio/speech (openai dialect) and nothing that it could be translated into"},
	} {
		t.Run(c.name, func(t *testing.T) {
			route, err := g.Resolve(c.op, c.ask)
			if c.message == "" {
				if err != nil || route.Target != c.want || route.Alias != "" {
					t.Errorf("%+v, %v, want %s", route, err, c.want)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Message, c.message) || e.Param != "model" {
				t.Errorf("error %#v, want %s with %q", err, c.kind, c.message)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	providers := map[string]Provider{"openai": &fake{ops: openAI}}
	for _, c := range []struct{ name, want string }{
		{"no target", "model 'm' has no target"},
		{"unknown provider", "model 'm' names the provider 'opnai', which is not configured; did you mean 'openai'?"},
		{"no model", "model 'm': target 'openai/' names no model"},
	} {
		m := map[string]*Model{
			"no target":        model("m"),
			"unknown provider": model("m", Target{"opnai", "x"}),
			"no model":         model("m", Target{"openai", ""}),
		}[c.name]
		if _, err := New(Config{Providers: providers, Models: []*Model{m}}); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	g, _, _ := newGateway(t, model("z", Target{"gpu", "z"}), model("a*", Target{"gpu", "*"}))
	if diff := cmp.Diff([]string{"a*", "z", "anthropic/*", "gpu/*", "openai/*", "pool/*", "small/*"}, g.names(anybody)); diff != "" {
		t.Error(diff)
	}
	if models := g.Models(); len(models) != 2 || models[0].Name != "a*" || models[1].Name != "z" {
		t.Errorf("models %v", models)
	}
}

func TestContextWindows(t *testing.T) {
	for name, want := range map[string]int64{
		"gpt-4.1-mini": 1_047_576, "gpt-4o-mini": 128_000, "gpt-4-0613": 8_192, "o1-mini-2024": 128_000, "o1": 200_000,
		"claude-sonnet-4-5": 1_000_000, "llama": 0, "": 0,
	} {
		if got := contextWindow(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	m := model("chat", Target{"openai", "gpt-4o"})
	m.ContextWindow = 500
	g, _, _ := newGateway(t, m)
	if route, err := g.Resolve(wire.Chat, "chat"); err != nil || route.ContextWindow != 500 {
		t.Errorf("the configured window does not win: %+v, %v", route, err)
	}
}

func TestTimeouts(t *testing.T) {
	model := Timeouts{FirstToken: time.Second, Idle: -1}
	site := Timeouts{FirstToken: time.Hour, Idle: time.Minute, Total: 2 * time.Minute}
	want := Timeouts{ResponseHeader: DefaultHeaderTimeout, FirstToken: time.Second, Idle: -1, Total: 2 * time.Minute}
	if got := model.Over(site).WithDefaults(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
