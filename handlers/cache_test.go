package handlers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/wire"
)

// TestCacheMerges holds that the first handler of each kind counts, and that
// handlers, which serve many requests at once, are not changed by that.
func TestCacheMerges(t *testing.T) {
	e1, e2, s1, s2 := new(CacheExact), new(CacheExact), new(CacheSemantic), new(CacheSemantic)
	for _, tt := range []struct {
		name     string
		handlers []*Cache
		exact    *CacheExact
		semantic *CacheSemantic
	}{
		{"none", nil, nil, nil},
		{"one of one kind", []*Cache{{Exact: e1}}, e1, nil},
		{"one of each", []*Cache{{Exact: e1}, {Semantic: s1}}, e1, s1},
		{"one of each the other way", []*Cache{{Semantic: s1}, {Exact: e1}}, e1, s1},
		{"the first of a kind", []*Cache{{Exact: e1}, {Exact: e2, Semantic: s1}}, e1, s1},
		{"the first of both", []*Cache{{Exact: e1, Semantic: s1}, {Exact: e2, Semantic: s2}}, e1, s1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, make(map[string]any)))
			served := false
			next := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				exact, semantic := cacheOf(r)
				if exact != tt.exact || semantic != tt.semantic {
					t.Errorf("exact %p, semantic %p; want %p, %p", exact, semantic, tt.exact, tt.semantic)
				}
				served = true
				return nil
			})
			before := make([]Cache, len(tt.handlers))
			for i := len(tt.handlers) - 1; i >= 0; i-- {
				h, inner := tt.handlers[i], next
				before[i] = *h
				next = func(w http.ResponseWriter, r *http.Request) error { return h.ServeHTTP(w, r, inner) }
			}
			if err := next.ServeHTTP(nil, r); err != nil || !served {
				t.Fatalf("%v, served %v", err, served)
			}
			for i, h := range tt.handlers {
				if *h != before[i] {
					t.Errorf("handler %d has changed", i)
				}
			}
		})
	}
}

// provisioned is a policy as its handler has it.
func provisioned(t *testing.T, change func(e *CacheExact)) *CacheExact {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	e := new(CacheExact)
	change(e)
	if err := e.provision(ctx); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCacheCheck(t *testing.T) {
	number := func(n int) *int { return &n }
	const longest = caddy.Duration(cache.MaxLife)
	float := func(x float64) *float64 { return &x }
	for _, tt := range []struct {
		name   string
		change func(e *CacheExact)
		want   string
	}{
		{"nothing given", func(*CacheExact) {}, ""},
		{"all of a small memory", func(e *CacheExact) { e.MaxSize = 1000 }, ""},
		{"the bounds", func(e *CacheExact) { e.Jitter, e.MaxTemperature = number(100), float(0) }, ""},
		{"ttl", func(e *CacheExact) { e.TTL = -1 }, "ttl must be longer than 0"},
		{"the longest ttl", func(e *CacheExact) { e.TTL = longest }, ""},
		{"ttl, longer than anything is kept", func(e *CacheExact) { e.TTL = longest + 1 }, "ttl 720h0m0.000000001s is more than 720h0m0s"},
		{"stale, longer than anything is kept", func(e *CacheExact) { e.TTL, e.StaleIfError = longest-10, 11 }, "ttl and the time that answers are served stale are together more than 720h0m0s"},
		{"stale for ages", func(e *CacheExact) { e.StaleWhileRevalidate = 1 << 62 }, "ttl and the time"},
		{"size", func(e *CacheExact) { e.MaxSize = -1 }, "sizes must not be negative"},
		{"entry", func(e *CacheExact) { e.MaxSize, e.MaxEntry = 10, 11 }, "max_entry 11 is more than max_size 10"},
		{"stale", func(e *CacheExact) { e.StaleIfError = -1 }, "durations must not be negative"},
		{"jitter", func(e *CacheExact) { e.Jitter = number(101) }, "jitter must be from 0 to 100 percent"},
		{"jitter below", func(e *CacheExact) { e.Jitter = number(-1) }, "jitter must be from 0 to 100 percent"},
		{"temperature", func(e *CacheExact) { e.MaxTemperature = float(-1) }, "max_temperature must not be negative"},
		{"scope", func(e *CacheExact) { e.Scope = "teem" }, "scope: 'teem' is none of [key team global]; did you mean 'team'?"},
		{"seed", func(e *CacheExact) { e.Seed = "skip" }, "seed: 'skip' is none of"},
		{"replay", func(e *CacheExact) { e.Replay = "slow" }, "replay: 'slow' is none of"},
		{"operations", func(e *CacheExact) { e.Operations = []string{"speech"} }, "operations: 'speech' is none of"},
		{"tags", func(e *CacheExact) { e.Tags = []string{"all"} }, "tags: 'all' is no tag"},
		{"too many tags", func(e *CacheExact) { e.Tags = strings.Split(strings.Repeat("a,", 16)+"b", ",") }, "tags: 17 are more than 16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&Cache{Exact: provisioned(t, tt.change)}).Validate()
			switch {
			case err == nil && tt.want != "":
				t.Errorf("it is taken, want %q", tt.want)
			case err != nil && (tt.want == "" || !strings.HasPrefix(err.Error(), "exact: "+tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if err := new(Cache).Validate(); err == nil {
		t.Error("a handler without a kind is taken")
	}
}

func TestSemanticCheck(t *testing.T) {
	warm := 0.5
	good := func() *CacheSemantic {
		return &CacheSemantic{CacheCommon: CacheCommon{Scope: "key"}, Embedder: "embed", Threshold: 0.9, Turns: 1, MaxTemperature: &warm, Guard: "words"}
	}
	for _, tt := range []struct {
		name   string
		change func(s *CacheSemantic)
		ok     bool
	}{
		{"as it should be", func(*CacheSemantic) {}, true},
		{"the same only", func(s *CacheSemantic) { s.Threshold = 1 }, true},
		{"no embedder", func(s *CacheSemantic) { s.Embedder = "" }, false},
		{"two", func(s *CacheSemantic) { s.Static = "/models" }, false},
		{"above one", func(s *CacheSemantic) { s.Threshold = 1.1 }, false},
		{"below nothing", func(s *CacheSemantic) { s.Threshold = -0.1 }, false},
		{"deadline", func(s *CacheSemantic) { s.Deadline = -1 }, false},
		{"turns", func(s *CacheSemantic) { s.Turns = -1 }, false},
		{"entries", func(s *CacheSemantic) { s.MaxEntries = -1 }, false},
		{"cold", func(s *CacheSemantic) { cold := -0.1; s.MaxTemperature = &cold }, false},
		{"scope", func(s *CacheSemantic) { s.Scope = "all" }, false},
		{"guard", func(s *CacheSemantic) { s.Guard = "sentences" }, false},
	} {
		s := good()
		tt.change(s)
		if err := (&Cache{Semantic: s}).Validate(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestCacheCovers(t *testing.T) {
	e := provisioned(t, func(*CacheExact) {})
	for op, want := range map[*wire.Operation]bool{
		wire.Chat: true, wire.Completions: true, wire.Responses: true, wire.Messages: true, wire.GeminiGenerate: true,
		wire.Embeddings: true, wire.GeminiEmbed: true, wire.GeminiBatchEmbed: true,
		wire.Moderations: false, wire.Speech: false, wire.Rerank: false, wire.CountTokens: false,
	} {
		if e.covers(op) != want {
			t.Errorf("%s: %v", op.Name, !want)
		}
	}
}

func TestCacheTags(t *testing.T) {
	repl := caddy.NewEmptyReplacer()
	repl.Set("project", "blue")
	repl.Set("odd", "a b")
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
	for _, tt := range []struct {
		name  string
		given []string
		want  []string
		ok    bool
	}{
		{"none", nil, nil, true},
		{"words and placeholders", []string{"app", "p-{project}", "{project}", "app"}, []string{"app", "p-blue", "blue"}, true},
		{"a placeholder for nothing", []string{"app", "{none}"}, []string{"app"}, true},
		{"one that is no tag then", []string{"app", "{odd}"}, nil, false},
	} {
		got, ok := (&CacheCommon{Tags: tt.given}).tags(r)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
			t.Errorf("%s: ok %v (-want +got)\n%s", tt.name, ok, diff)
		}
	}
}
