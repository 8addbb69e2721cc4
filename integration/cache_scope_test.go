package integration

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// teamKeys are two keys of one team and one of another.
const teamKeys = "key ci {env.CI_KEY} {\nteam blue\n}\nkey other {env.OTHER_KEY} {\nteam blue\n}\nkey red {env.RED_KEY} {\nteam red\n}\n"

const keyOfRed = "a-secret-of-team-red"

// sameMeaning is an embedder for which all texts mean the same.
func sameMeaning(w http.ResponseWriter, r *weirtest.Request) {
	whole(200, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,0,0]}],"model":"e","usage":{"prompt_tokens":1,"total_tokens":1}}`)(w, r)
}

// TestSemanticScope holds that answers to similar requests are for those alone who
// share both scopes, whichever is narrower.
func TestSemanticScope(t *testing.T) {
	for _, tc := range []struct {
		exact, semantic string
		others          []string // keys that get what ci has asked for, if they ask for something similar
	}{
		{"key", "key", []string{"ci"}},
		{"global", "key", []string{"ci"}},
		{"key", "global", []string{"ci"}},
		{"global", "team", []string{"ci", "other"}},
		{"team", "global", []string{"ci", "other"}},
		{"global", "global", []string{"ci", "other", "red"}},
	} {
		t.Run(tc.exact+", "+tc.semantic, func(t *testing.T) {
			s := newStage(t, cachedModel+teamKeys, fmt.Sprintf("cache exact {\nscope %s\n}\ncache semantic {\nembedder two/text-embedding-3-small\nscope %s\ndeadline 10s\n}", tc.exact, tc.semantic))
			s.plays("two", sameMeaning)
			asked := 0
			ask := func(key string) string { // what means the same, and is not the very same
				text := "how do rivers flow" + strings.Repeat("?", asked)
				asked++
				got := s.post(t, "/v1/chat/completions", strings.Replace(asks("m"), `"hi"`, `"`+text+`"`, 1), as(key)...)
				if got.status != 200 {
					t.Fatalf("%d %s", got.status, got.body)
				}
				return got.header.Get("X-AI-Cache")
			}
			if how := ask(keyOfCI); how != "miss" {
				t.Fatalf("the first is a %s", how)
			}
			for name, key := range map[string]string{"ci": keyOfCI, "other": keyOfOther, "red": keyOfRed} {
				want := "miss"
				if strings.Contains(strings.Join(tc.others, " "), name) {
					want = "semantic-hit"
				}
				if how := ask(key); how != want {
					t.Errorf("%s: %s, want %s", name, how, want)
				}
			}
			// Who may not see it has not removed it either.
			if how := ask(keyOfCI); how != "semantic-hit" {
				t.Errorf("ci again: %s", how)
			}
		})
	}
}

// TestSimilarAnswersAreNotHandedOn holds that who waits for another's call is not
// shown what that one has found among its own similar requests.
func TestSimilarAnswersAreNotHandedOn(t *testing.T) {
	for _, tc := range []struct{ scope, cache, calls string }{{"key", "miss", "one"}, {"team", "semantic-hit", ""}} {
		t.Run(tc.scope, func(t *testing.T) {
			s := newStage(t, cachedModel+teamKeys, "cache exact {\nscope team\n}\ncache semantic {\nembedder two/text-embedding-3-small\nscope "+tc.scope+"\ndeadline 10s\n}")
			s.plays("two", sameMeaning)
			ask := func(key, text string) *reply {
				return s.post(t, "/v1/chat/completions", strings.Replace(asks("m"), `"hi"`, `"`+text+`"`, 1), as(key)...)
			}
			ask(keyOfCI, "how do rivers flow")
			embeds, release := make(chan struct{}), make(chan struct{})
			s.plays("two", func(w http.ResponseWriter, r *weirtest.Request) {
				s.plays("two", sameMeaning)
				close(embeds)
				<-release
				sameMeaning(w, r)
			})
			got := make(chan *reply, 2)
			go func() { got <- ask(keyOfCI, "how do rivers flow?") }()
			<-embeds
			s.called()
			go func() { got <- ask(keyOfOther, "how do rivers flow?") }()
			waitIn(t, "handlers.(*follower).show(", 1)
			close(release)
			if first, second := <-got, <-got; first.status != 200 || second.status != 200 {
				t.Errorf("%d %s, %d %s", first.status, first.body, second.status, second.body)
			}
			for _, r := range s.Records.Wait(t, 3)[1:] {
				want := "semantic-hit"
				if r.Key == "other" {
					want = tc.cache
				}
				if r.Cache != want {
					t.Errorf("%s: %s, want %s", r.Key, r.Cache, want)
				}
			}
			if _, names := s.called(); strings.Trim(strings.ReplaceAll(names, "two", ""), " ") != tc.calls {
				t.Errorf("called %s", names)
			}
		})
	}
}

// responseStream is a response that repeats what its request says of itself, as
// OpenAI's do; its end waits for release.
func responseStream(release <-chan struct{}) answerer {
	return func(w http.ResponseWriter, r *weirtest.Request) {
		asked := parseObject(r.Body)
		about := fmt.Sprintf(`"metadata":%s,"user":%s`, asJSON(asked["metadata"]), asJSON(asked["user"]))
		d := doors[1]
		fill := func(events string) string {
			return strings.ReplaceAll(events, `"object":"response",`, `"object":"response",`+about+`,`)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, fill(d.prelude)+fmt.Sprintf(d.word, "hello"))
		weirtest.Flush(w)
		<-release
		_, _ = io.WriteString(w, d.finish+fill(d.end))
	}
}

// TestFollowersKeepTheirOwn holds that who follows another's response sees nothing
// of what that one's request says of itself.
func TestFollowersKeepTheirOwn(t *testing.T) {
	s := newStage(t, cachedModel+teamKeys, "cache exact {\nscope team\n}")
	release := make(chan struct{})
	s.plays("one", responseStream(release))
	body := func(who string, stream bool) string {
		return fmt.Sprintf(`{"model":"m","stream":%t,"input":"hi","metadata":{"of":%q},"user":%q}`, stream, who, who)
	}
	type result struct {
		who string
		got *reply
	}
	results := make(chan result, 4)
	started := make(chan struct{}, 4)
	ask := func(who, key string, stream bool) {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/v1/responses", strings.NewReader(body(who, stream)))
		if err != nil {
			t.Error(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := s.client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		started <- struct{}{}
		data, err := io.ReadAll(res.Body)
		results <- result{who, &reply{status: res.StatusCode, header: res.Header, body: string(data), cut: err != nil}}
	}
	go ask("alice", keyOfCI, true)
	<-started // the leader's headers are out
	go ask("bob", keyOfOther, true)
	<-started
	go ask("alice", keyOfOther, true)
	<-started
	close(release)
	for range 3 {
		r := <-results
		stranger := map[string]string{"alice": "bob", "bob": "alice"}[r.who]
		if r.got.status != 200 || r.got.cut || strings.Contains(r.got.body, stranger) || strings.Count(r.got.body, `"of":"`+r.who+`"`) < 2 {
			t.Errorf("%s got %v\n%s", r.who, r.got.header, r.got.body)
		}
	}
	go ask("carol", keyOfOther, true)
	<-started
	if r := <-results; strings.Contains(r.got.body, "alice") || strings.Contains(r.got.body, "bob") || strings.Count(r.got.body, `"of":"carol"`) < 2 || r.got.header.Get("X-AI-Cache") != "hit" {
		t.Errorf("carol got %v\n%s", r.got.header, r.got.body)
	}
	// Whose request says the same of itself has followed; bob has not.
	if _, names := s.called(); names != "one one" {
		t.Errorf("called %s", names)
	}
}

// TestFollowersAreAuthorised holds that nobody is shown an answer of a target that
// his key may not use, although he asked while it was made.
func TestFollowersAreAuthorised(t *testing.T) {
	ai := "model m {\nto one/gpt-4.1 two/gpt-4.1\nlb_policy first\n}\nkey ci {env.CI_KEY} {\nteam blue\n}\nkey other {env.OTHER_KEY} {\nteam blue\nmodels one/*\n}\n"
	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprint("stream ", stream), func(t *testing.T) {
			s := newStage(t, ai, "cache exact {\nscope team\n}")
			fails, release := make(chan struct{}), make(chan struct{})
			first := true
			s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
				if first {
					first = false
					close(fails)
					<-release
					failing(500)(w, r)
					return
				}
				fine("one")(w, r)
			})
			got := make(chan *reply, 2)
			go func() { got <- s.post(t, "/v1/chat/completions", wanting(stream, ""), as(keyOfCI)...) }()
			<-fails
			go func() { got <- s.post(t, "/v1/chat/completions", wanting(stream, ""), as(keyOfOther)...) }()
			waitIn(t, "handlers.(*follower).show(", 1)
			close(release)
			for range 2 {
				r := <-got
				if r.status != 200 {
					t.Errorf("%d %v %s", r.status, r.header, r.body)
				}
			}
			for _, r := range s.Records.Wait(t, 2) {
				if r.Key == "other" && r.Provider != "one" {
					t.Errorf("other was answered by %s", r.Provider)
				}
			}
		})
	}
}

// TestHeadersThatCount holds that requests are not the same whose headers ask the
// upstream for something else.
func TestHeadersThatCount(t *testing.T) {
	s := newStage(t, "model m other/claude-sonnet-4-5\n", "cache exact")
	ask := func(want string, header ...string) {
		t.Helper()
		got := s.post(t, "/v1/messages", doors[2].whole, header...)
		if got.status != 200 || got.header.Get("X-AI-Cache") != want {
			t.Errorf("%v: %d, %s, want %s", header, got.status, got.header.Get("X-AI-Cache"), want)
		}
	}
	ask("miss")
	ask("hit")
	ask("hit", "Anthropic-Version", "2023-06-01") // what the provider sends by itself
	ask("miss", "Anthropic-Beta", "output-128k-2025-02-19")
	ask("hit", "Anthropic-Beta", "output-128k-2025-02-19")
	ask("miss", "Anthropic-Version", "2023-01-01")
	ask("hit", "X-Stainless-Lang", "js", "User-Agent", "an SDK") // which no upstream gets
	ask("hit", "OpenAI-Organization", "org-x")                   // nor this one's
}

func asJSON(v any) string {
	if v == nil {
		return "null"
	}
	if text, ok := v.(string); ok {
		return quote(text)
	}
	m := v.(map[string]any)
	return fmt.Sprintf(`{"of":%s}`, quote(fmt.Sprint(m["of"])))
}

// waitIn waits until so many goroutines are in a function.
func waitIn(t *testing.T, function string, n int) {
	t.Helper()
	stacks := make([]byte, 1<<22)
	eventually(t, fmt.Sprintf("%d goroutines in %s", n, function), func() bool {
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), function) >= n
	})
}
