package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

func alias(name string) Target { return Target{Model: name} }

func branch(plan Plan, conditions ...Condition) *Branch { return &Branch{When: conditions, Plan: plan} }

var tools = Condition{Of: "tools"}

func TestChoose(t *testing.T) {
	big, small := Target{"openai", "big"}, Target{"gpu", "small-*"}
	chat := model("chat", Target{"openai", "chat"})
	chat.When = []*Branch{
		branch(Plan{Alias: "inner-7b"}, tools),
		branch(Plan{Targets: []Target{big}}, Condition{Of: "images"}, Condition{Of: "stream", Not: true}),
		branch(Plan{Targets: []Target{{"gpu", "stream"}}}, Condition{Of: "stream"}),
	}
	inner := model("inner-*", small)
	inner.Internal = true
	inner.When = []*Branch{branch(Plan{Alias: "deep/er"}, Condition{Of: "stream"})}
	g, _, _ := newGateway(t, chat, inner, model("deep/er", Target{"gpu", "deeper"}))
	for _, tt := range []struct {
		name        string
		facts       Facts
		model, rest string
		want        Target
	}{
		{"none fits", Facts{}, "chat", "", Target{"openai", "chat"}},
		{"another model", Facts{Tools: true}, "inner-*", "7b", small},
		{"the first that fits", Facts{Tools: true, Images: true}, "inner-*", "7b", small},
		{"handed on twice", Facts{Tools: true, Stream: true}, "deep/er", "", Target{"gpu", "deeper"}},
		{"all of a line", Facts{Images: true}, "chat", "", big},
		{"not all of it", Facts{Images: true, Stream: true}, "chat", "", Target{"gpu", "stream"}},
	} {
		m, rest := g.Alias("chat")
		m, rest, plan := g.Follow(m, rest, &tt.facts)
		if m.Name != tt.model || rest != tt.rest || len(plan.Targets) != 1 || plan.Targets[0] != tt.want {
			t.Errorf("%s: %s, %q, %+v", tt.name, m.Name, rest, plan)
		}
	}
}

func TestFallbackFor(t *testing.T) {
	general, own := []Target{{"a", "general"}}, []Target{{"a", "own"}}
	for _, tt := range []struct {
		name  string
		rules []FallbackRule
		class Class
		want  []Target
	}{
		{"by default", nil, ClassRateLimit, general},
		{"a key that is refused", nil, ClassAuth, general},
		{"the request's own fault", nil, ClassContextLength, nil},
		{"a filter", nil, ClassContentPolicy, nil},
		{"targets of its own", []FallbackRule{{ClassesOf(ClassContextLength), own}}, ClassContextLength, own},
		{"and the rest as by default", []FallbackRule{{ClassesOf(ClassContextLength), own}}, ClassTimeout, general},
		{"some only", []FallbackRule{{ClassesOf(ClassTimeout, ClassContentPolicy), nil}}, ClassRateLimit, nil},
		{"of those", []FallbackRule{{ClassesOf(ClassTimeout, ClassContentPolicy), nil}}, ClassContentPolicy, general},
		{"both kinds", []FallbackRule{{ClassesOf(ClassTimeout), nil}, {ClassesOf(ClassRateLimit), own}}, ClassRateLimit, own},
		{"both kinds, neither", []FallbackRule{{ClassesOf(ClassTimeout), nil}, {ClassesOf(ClassRateLimit), own}}, ClassUpstream, nil},
	} {
		p := Plan{Fallback: general, FallbackOn: tt.rules}
		if diff := cmp.Diff(tt.want, p.FallbackFor(tt.class)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestClasses(t *testing.T) {
	all := strings.Join(classNames[:], " ")
	set, err := ParseClasses(classNames[:])
	if err != nil || set.String() != all || all != "rate_limit overloaded timeout upstream_error context_length content_policy auth" {
		t.Errorf("%s, %v", set, err)
	}
	for words, want := range map[string]string{
		"rate_limt":       "unknown error class 'rate_limt'; did you mean 'rate_limit'?",
		"timeout timeout": "the error class 'timeout' is given twice",
		"anything":        "unknown error class 'anything'",
	} {
		if _, err := ParseClasses(strings.Fields(words)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", words, err)
		}
	}
	for kind, want := range map[wire.Kind]Class{
		wire.KindRateLimit: ClassRateLimit, wire.KindBudget: ClassRateLimit, wire.KindOverloaded: ClassOverloaded, wire.KindTimeout: ClassTimeout,
		wire.KindUpstream: ClassUpstream, wire.KindInternal: ClassUpstream, wire.KindContextLength: ClassContextLength,
		wire.KindPolicy: ClassContentPolicy, wire.KindAuthentication: ClassAuth, wire.KindPermission: ClassAuth,
	} {
		if c, ok := ClassOf(kind); !ok || c != want {
			t.Errorf("%s is %s", kind, c)
		}
	}
	if _, ok := ClassOf(wire.KindInvalid); ok {
		t.Error("a bad request has a class")
	}
}

func TestPlansRefused(t *testing.T) {
	target := Target{"openai", "x"}
	with := func(edit func(*Model)) []*Model {
		m := model("chat", target)
		edit(m)
		return []*Model{m, model("big", target), model("team/big", target), model("claude-*", target)}
	}
	for want, models := range map[string][]*Model{
		"model 'chat' names 'bigg', which is neither a configured model nor written provider/model; did you mean 'big'?": with(func(m *Model) { m.Fallback = []Target{alias("bigg")} }),
		"model 'chat' names 'timeot', which is neither a configured model nor written provider/model; did you mean 'timeout'?": with(func(m *Model) {
			m.FallbackOn = []FallbackRule{{ClassesOf(ClassAuth), []Target{alias("timeot")}}}
		}),
		"model 'chat' names the provider 'opnai', which is not configured; did you mean 'openai'?": with(func(m *Model) { m.Fallback = []Target{{"opnai", "x"}} }),
		"model 'chat': target 'openai/' names no model":                                            with(func(m *Model) { m.Fallback = []Target{{"openai", ""}} }),
		"model 'chat': target 'big' must be written provider/model":                                with(func(m *Model) { m.Targets = append(m.Targets, alias("big")) }),
		"model 'chat': fallback_on names the error class 'auth' twice": with(func(m *Model) {
			m.FallbackOn = []FallbackRule{{ClassesOf(ClassAuth), []Target{target}}, {ClassesOf(ClassAuth, ClassTimeout), []Target{target}}}
		}),
		"model 'chat': fallback_on auth names no target, and there is no fallback":                             with(func(m *Model) { m.FallbackOn = []FallbackRule{{On: ClassesOf(ClassAuth)}} }),
		"model 'chat': fallback_on names no error class":                                                       with(func(m *Model) { m.FallbackOn = []FallbackRule{{To: []Target{target}}} }),
		"model 'chat': when: no condition is given":                                                            with(func(m *Model) { m.When = []*Branch{branch(Plan{Targets: []Target{target}})} }),
		"model 'chat': when: unknown condition 'tool'; did you mean 'tools'?":                                  with(func(m *Model) { m.When = []*Branch{branch(Plan{Targets: []Target{target}}, Condition{Of: "tool"})} }),
		"model 'chat': when: it has no target":                                                                 with(func(m *Model) { m.When = []*Branch{branch(Plan{}, tools)} }),
		"model 'chat' names 'nothing-like-it', which is neither a configured model nor written provider/model": with(func(m *Model) { m.When = []*Branch{branch(Plan{Alias: "nothing-like-it"}, tools)} }),
		"models lead in a circle: chat → chat":                                                                 with(func(m *Model) { m.Fallback = []Target{target, alias("chat")} }),
		"models lead in a circle: chat → claude-*":                                                             with(func(m *Model) { m.Fallback = []Target{alias("claude-3")} }),
	} {
		if strings.HasSuffix(want, "claude-*") { // and back, by what another class leads to
			models[3].FallbackOn = []FallbackRule{{ClassesOf(ClassAuth), []Target{alias("chat")}}}
			want += " → chat"
		}
		_, err := New(Config{Providers: map[string]Provider{"openai": &fake{}}, Models: models})
		if err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

func TestCircleThroughWhen(t *testing.T) {
	a, b, c := model("a", Target{"openai", "x"}), model("b", Target{"openai", "x"}), model("c", Target{"openai", "x"})
	// a leads to the circle but is not part of it.
	a.Fallback = []Target{alias("b")}
	b.When = []*Branch{branch(Plan{Alias: "c"}, tools)}
	c.When = []*Branch{branch(Plan{Targets: c.Targets, Fallback: []Target{alias("b")}}, tools)}
	_, err := New(Config{Providers: map[string]Provider{"openai": &fake{}}, Models: []*Model{a, b, c}})
	if err == nil || err.Error() != "models lead in a circle: b → c → b" {
		t.Error(err)
	}
	// Two ways to one model are no circle.
	c.When = nil
	a.Fallback = append(a.Fallback, alias("c"))
	if _, err := New(Config{Providers: map[string]Provider{"openai": &fake{}}, Models: []*Model{a, b, c}}); err != nil {
		t.Error(err)
	}
}

// TestNamesWithSlashes holds that provider/model is what it looks like, and the
// name of a model only where no such provider is.
func TestNamesWithSlashes(t *testing.T) {
	chat := model("chat", Target{"openai", "x"})
	chat.Fallback = []Target{{"team", "big"}, {"openai", "gpt"}}
	chat.When = []*Branch{branch(Plan{Targets: []Target{{"team", "big"}}}, tools)}
	newGateway(t, chat, model("team/big", Target{"gpu", "x"}), model("openai/gpt", Target{"gpu", "x"}))
	if diff := cmp.Diff([]Target{alias("team/big"), {"openai", "gpt"}}, chat.Fallback); diff != "" {
		t.Error(diff)
	}
	if got := chat.When[0].Plan; got.Alias != "team/big" || got.Targets != nil {
		t.Errorf("%+v", got)
	}
}

func TestInternalModels(t *testing.T) {
	inner, prefix := model("chat-big", Target{"openai", "big"}), model("gpt-in*", Target{"openai", "big"})
	inner.Internal, prefix.Internal = true, true
	chat := model("chat", Target{"openai", "a"})
	chat.Fallback = []Target{alias("chat-big")}
	g, _, _ := newGateway(t, chat, inner, prefix, model("chat-*", Target{"openai", "*"}))
	// Not the pattern's either, nor a vendor's own name.
	for _, name := range []string{"chat-big", "gpt-inner"} {
		_, err := g.Resolve(wire.Chat, name)
		if e := AsError(err); err == nil || e.Kind != wire.KindModelNotFound || strings.Contains(e.Message, "mean '"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Resolve(wire.Chat, "chat-small"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"chat", "chat-*", "anthropic/*", "gpu/*", "openai/*", "pool/*", "small/*"}, g.names(anybody)); diff != "" {
		t.Error(diff)
	}
	if len(g.Models()) != 2 || len(g.AllModels()) != 4 {
		t.Errorf("%d models, %d in all", len(g.Models()), len(g.AllModels()))
	}
}
