package integration

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// chat is a whole answer of OpenAI's with this choice.
func chatAnswer(choices string) string {
	return `{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[` + choices + `],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}`
}

func chatChoice(finish string) string {
	return `{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":` + finish + `}`
}

func chatStream(finish, end string) string {
	return firstChunk + word("hello") + strings.Replace(lastChunks[:strings.Index(lastChunks, "\n\n")+2], `"stop"`, finish, 1) + usageChunk + end
}

const done = "data: [DONE]\n\n"

// TestNeverKept holds that nothing is kept but what the same request would get
// again: complete answers that the model has ended by itself.
func TestNeverKept(t *testing.T) {
	call := `{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}`
	for _, tc := range []struct {
		name   string
		answer answerer
		stream bool
		kept   bool
		site   string // options of `cache exact`
		body   string // in place of the usual request
	}{
		{name: "a good answer", answer: whole(200, chatAnswer(chatChoice(`"stop"`))), kept: true},
		{name: "a good stream", answer: events(chatStream(`"stop"`, done)), stream: true, kept: true},
		{name: "429", answer: whole(429, doors[0].errorBody, "Retry-After", "0")},
		{name: "500", answer: whole(500, doors[0].errorBody)},
		{name: "400", answer: whole(400, doors[0].errorBody)},
		{name: "an error with status 200", answer: whole(200, doors[0].errorBody)},
		{name: "length", answer: whole(200, chatAnswer(chatChoice(`"length"`)))},
		{name: "length, where that is wanted", answer: whole(200, chatAnswer(chatChoice(`"length"`))), site: "length on", kept: true},
		{name: "length of a stream", answer: events(chatStream(`"length"`, done)), stream: true},
		{name: "content_filter", answer: whole(200, chatAnswer(chatChoice(`"content_filter"`)))},
		{name: "content_filter of a stream", answer: events(chatStream(`"content_filter"`, done)), stream: true},
		{name: "no finish reason", answer: whole(200, chatAnswer(chatChoice(`null`)))},
		{name: "an unknown finish reason", answer: whole(200, chatAnswer(chatChoice(`"tired"`)))},
		{name: "a refusal", answer: whole(200, chatAnswer(`{"index":0,"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":"stop"}`))},
		{name: "nothing said", answer: whole(200, chatAnswer(`{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}`))},
		{name: "a call that was not offered", answer: whole(200, chatAnswer(call))},
		{name: "a stream that is cut", answer: events(chatStream(`"stop"`, "")), stream: true},
		{name: "a stream with an error", answer: events(firstChunk + word("hello") + "data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\"}}\n\n"), stream: true},
		{name: "reset", answer: func(w http.ResponseWriter, _ *weirtest.Request) {
			startStream(w)
			_, _ = io.WriteString(w, word("hello"))
			weirtest.Flush(w)
			weirtest.Reset(w)
		}, stream: true},
		{name: "too large", answer: whole(200, chatAnswer(chatChoice(`"stop"`))), site: "max_entry 100"},
		{name: "two choices", answer: whole(200, chatAnswer(chatChoice(`"stop"`)+","+strings.Replace(chatChoice(`"stop"`), `"index":0`, `"index":1`, 1)))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, cachedModel, "cache exact {\n"+tc.site+"\n}")
			s.plays("one", tc.answer)
			for range 2 {
				s.post(t, "/v1/chat/completions", wanting(tc.stream, ""))
			}
			want := "one one"
			if tc.kept {
				want = "one"
			}
			if _, names := s.called(); names != want {
				t.Errorf("called %s", names)
			}
		})
	}
}

// TestLengthIsTheAskers holds that an answer that met its cap is served only where such
// answers are kept, whoever has kept it.
func TestLengthIsTheAskers(t *testing.T) {
	s := newStage(t, cachedModel, "cache exact\n}\n@long header X-Long *\nai_cache @long exact {\nlength on\n")
	s.plays("one", whole(200, chatAnswer(chatChoice(`"length"`))))
	for _, tc := range []struct{ header, value, want string }{
		{"X-Long", "on", "miss"},
		{"X-None", "", "miss"},
		{"X-Long", "on", "hit"},
		{"X-None", "", "miss"},
	} {
		if got := s.post(t, "/v1/chat/completions", wanting(false, ""), tc.header, tc.value); got.status != 200 || got.header.Get("X-AI-Cache") != tc.want {
			t.Errorf("%s: %d, %s, want %s", tc.header, got.status, got.header.Get("X-AI-Cache"), tc.want)
		}
	}
}

// TestStandInsAreNotKept holds that an answer of a fallback is not taken for the
// model's own.
func TestStandInsAreNotKept(t *testing.T) {
	s := newStage(t, "model m one/gpt-4.1 {\nfallback two/gpt-4.1\n}\n", "cache exact")
	s.plays("one", failing(500))
	if got := s.post(t, "/v1/chat/completions", wanting(false, "")); got.status != 200 || got.header.Get("X-AI-Provider") != "two" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	s.plays("one", nil)
	s.called()
	if got := s.post(t, "/v1/chat/completions", wanting(false, "")); got.header.Get("X-AI-Cache") != "miss" || got.header.Get("X-AI-Provider") != "one" {
		t.Errorf("%v", got.header)
	}
}

// TestBypasses holds which requests the cache has nothing to do with.
func TestBypasses(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],`
	turns := `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`
	with := func(more string) string {
		return strings.Replace(wanting(false, ""), `"max_tokens"`, more+`"max_tokens"`, 1)
	}
	for _, tc := range []struct {
		name, site, body, header, value string
		status                          string // Cache-Status of the second; empty: a hit
	}{
		{name: "nothing special", body: with("")},
		{name: "tools", body: with(tools), status: "weir; fwd=bypass; detail=tools"},
		{name: "tools, where that is wanted", site: "tools on", body: with(tools)},
		{name: "hot", body: with(`"temperature":1.5,`), status: "weir; fwd=bypass; detail=temperature"},
		{name: "hot, where that is wanted", site: "max_temperature 2", body: with(`"temperature":1.5,`)},
		{name: "warm", body: with(`"temperature":0.9,`)},
		{name: "choices", body: with(`"n":2,`), status: "weir; fwd=bypass; detail=choices"},
		{name: "state", body: with(`"store":true,`), status: "weir; fwd=bypass; detail=state"},
		{name: "turns", body: turns},
		{name: "turns, where they are not wanted", site: "multi_turn off", body: turns, status: "weir; fwd=bypass; detail=turns"},
		{name: "seed", body: with(`"seed":1,`)},
		{name: "seed, where that is not wanted", site: "seed bypass", body: with(`"seed":1,`), status: "weir; fwd=bypass; detail=seed"},
		{name: "no-store", body: with(""), header: "X-AI-Cache", value: "no-store", status: "weir; fwd=request"},
		{name: "no-store of HTTP", body: with(""), header: "Cache-Control", value: "no-store", status: "weir; fwd=request"},
		{name: "refresh", body: with(""), header: "X-AI-Cache", value: "refresh", status: "weir; fwd=request; stored"},
		{name: "no-cache", body: with(""), header: "Cache-Control", value: "no-cache", status: "weir; fwd=request; stored"},
		{name: "max-age", body: with(""), header: "Cache-Control", value: "max-age=60"},
		{name: "max-age=0", body: with(""), header: "Cache-Control", value: "max-age=0", status: "weir; fwd=miss; stored"},
		{name: "another operation", site: "operations embeddings", body: with(""), status: "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, cachedModel, "cache exact {\n"+tc.site+"\n}")
			var got *reply
			for range 2 {
				got = s.post(t, "/v1/chat/completions", tc.body, cmp.Or(tc.header, "X-None"), tc.value)
			}
			status := got.header.Get("Cache-Status")
			switch _, names := s.called(); {
			case tc.status == "":
				if names != "one" || !strings.HasPrefix(status, "weir; hit; ttl=") {
					t.Errorf("%s, called %s", status, names)
				}
			case tc.status == "none":
				if status != "" || got.header.Get("X-AI-Cache") != "" {
					t.Errorf("%s although the cache has nothing to do with it", status)
				}
			case status != tc.status || names != "one one":
				t.Errorf("%s, want %s; called %s", status, tc.status, names)
			}
		})
	}
}

// TestScopes holds who shares answers.
func TestCacheScopes(t *testing.T) {
	keys := cachedModel + "key ci {env.CI_KEY} {\nteam blue\n}\nkey other {env.OTHER_KEY} {\nteam blue\n}\nkey red {env.RED_KEY} {\nteam red\n}\n"
	for _, tc := range []struct {
		scope string
		calls string // of ci twice, other and red
	}{
		{"key", "one one one"},
		{"team", "one one"},
		{"global", "one"},
	} {
		t.Run(tc.scope, func(t *testing.T) {
			s := newStage(t, keys, "cache exact {\nscope "+tc.scope+"\n}")
			for _, key := range []string{keyOfCI, keyOfCI, keyOfOther, "a-secret-of-team-red"} {
				if got := s.post(t, "/v1/chat/completions", wanting(false, ""), as(key)...); got.status != 200 {
					t.Fatalf("%d %s", got.status, got.body)
				}
			}
			if _, names := s.called(); names != tc.calls {
				t.Errorf("called %s, want %s", names, tc.calls)
			}
		})
	}
}

// TestHitsAndLimits holds that a hit is a request and no tokens.
func TestHitsAndLimits(t *testing.T) {
	for _, tc := range []struct {
		name, limit, site string
		ok                int // of five requests
	}{
		{"requests", "limit requests 3 1h", "", 3},
		{"tokens", "limit tokens 80 1h", "", 5},
		{"tokens that count", "limit tokens 80 1h", "count_hits on", 2},
		{"usd", "limit usd 1 1d", "", 5},
		{"concurrency", "limit concurrency 1", "", 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, cachedModel+"key ci {env.CI_KEY} {\n"+tc.limit+"\n}\n", "cache exact {\n"+tc.site+"\n}")
			ok := 0
			for range 5 {
				if s.post(t, "/v1/chat/completions", wanting(false, ""), as(keyOfCI)...).status == 200 {
					ok++
				}
			}
			if ok != tc.ok {
				t.Errorf("%d of 5 were served, want %d", ok, tc.ok)
			}
		})
	}
}

// TestUnreportedHits counts the tokens of a kept answer whose upstream has not said
// them, as those of one that is paid for, in both forms.
func TestUnreportedHits(t *testing.T) {
	silent := strings.Replace(chatAnswer(chatChoice(`"stop"`)), `"usage"`, `"no_usage"`, 1)
	for name, answer := range map[string]answerer{
		"whole":  whole(200, silent),
		"stream": events(doors[0].prelude + fmt.Sprintf(doors[0].word, "hello") + doors[0].finish + doors[0].end),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, cachedModel+"key ci {env.CI_KEY} {\nlimit tokens 1000 1h\n}\n", "cache exact {\ncount_hits on\n}")
			s.plays("one", answer)
			// left is what a request is told that asks for too much.
			left := func() (n int) {
				got := s.post(t, "/v1/chat/completions", strings.Replace(wanting(false, ""), "50", "2000", 1), as(keyOfCI)...)
				if _, rest, _ := strings.Cut(got.body, "left "); got.status == 429 {
					_, _ = fmt.Sscan(strings.TrimSuffix(strings.Fields(rest)[0], ","), &n)
				}
				return n
			}
			for i := 1; i <= 3; i++ {
				got := s.post(t, "/v1/chat/completions", wanting(name == "stream", ""), as(keyOfCI)...)
				if hit := got.header.Get("X-AI-Cache") == "hit"; got.status != 200 || hit != (i > 1) {
					t.Fatalf("%d %v %s", got.status, got.header, got.body)
				}
				eventually(t, "tokens counted", func() bool { return left() == 1000-9*i })
			}
		})
	}
}

// TestStale holds what becomes of answers that are no longer fresh.
func TestStale(t *testing.T) {
	t.Run("if error", func(t *testing.T) {
		s := newStage(t, cachedModel, "cache exact {\nttl 1ns\nstale_if_error 1h\n}")
		fresh := s.post(t, "/v1/chat/completions", wanting(false, ""))
		s.plays("one", failing(500))
		got := s.post(t, "/v1/chat/completions", wanting(false, ""))
		if got.status != 200 || got.body != fresh.body || got.header.Get("X-AI-Cache") != "hit" || !strings.HasPrefix(got.header.Get("Cache-Status"), "weir; hit; ttl=-") {
			t.Errorf("%d %v %s", got.status, got.header, got.body)
		}
		s.plays("one", failing(400))
		if got := s.post(t, "/v1/chat/completions", wanting(false, "")); got.status != 400 {
			t.Errorf("an error of the request's own was hidden: %d", got.status)
		}
		records := s.Records.Wait(t, 3)
		if r := records[1]; r.Cache != gateway.CacheStale || r.Error != "" {
			t.Errorf("record %+v", r)
		}
	})
	t.Run("while revalidate", func(t *testing.T) {
		s := newStage(t, cachedModel, "cache exact {\nttl 1ns\nstale_while_revalidate 1h\n}")
		n := 0
		s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
			n++
			whole(200, strings.Replace(chatAnswer(chatChoice(`"stop"`)), "hello", fmt.Sprintf("answer %d", n), 1))(w, r)
		})
		s.post(t, "/v1/chat/completions", wanting(false, ""))
		got := s.post(t, "/v1/chat/completions", wanting(false, ""))
		if !strings.Contains(got.body, "answer 1") || got.header.Get("X-AI-Cache") != "hit" {
			t.Errorf("%v %s", got.header, got.body)
		}
		records := s.Records.Wait(t, 3)
		counts := map[string]int{}
		for _, r := range records {
			counts[r.Cache]++
		}
		if counts[gateway.CacheMiss] != 1 || counts[gateway.CacheStale] != 1 || counts[gateway.CacheRefresh] != 1 {
			t.Errorf("%v", counts)
		}
		if got := s.post(t, "/v1/chat/completions", wanting(false, "")); !strings.Contains(got.body, "answer 2") {
			t.Errorf("%s", got.body)
		}
		s.Records.Wait(t, 5)
	})
}

// TestOnlyIfCached is RFC 9111, 5.2.1.7.
func TestOnlyIfCached(t *testing.T) {
	s := newStage(t, cachedModel, "cache exact")
	if got := s.post(t, "/v1/chat/completions", wanting(false, ""), "Cache-Control", "only-if-cached"); got.status != 504 || got.header.Get("X-Should-Retry") != "false" || got.header.Get("X-AI-Cache") != "miss" || got.header.Get("Cache-Status") != "weir; detail=only-if-cached" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if r := s.Records.Wait(t, 1)[0]; r.Cache != gateway.CacheMiss || r.Cost.Total != 0 || r.Attempts != 0 {
		t.Errorf("record %+v", r)
	}
	s.post(t, "/v1/chat/completions", wanting(false, ""))
	if got := s.post(t, "/v1/chat/completions", wanting(false, ""), "Cache-Control", "only-if-cached"); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if _, names := s.called(); names != "one" {
		t.Errorf("called %s", names)
	}
	// Nor is what the cache has nothing to do with.
	hot := strings.Replace(wanting(false, ""), `"max_tokens"`, `"temperature":1.5,"max_tokens"`, 1)
	for _, tc := range []struct{ name, path, body, header, value string }{
		{"a rule", "/v1/chat/completions", hot, "X-None", ""},
		{"a rule, streamed", "/v1/chat/completions", strings.Replace(hot, "{", `{"stream":true,`, 1), "X-None", ""},
		{"no-store", "/v1/chat/completions", wanting(false, ""), "X-AI-Cache", "no-store"},
		{"refresh", "/v1/chat/completions", wanting(false, ""), "X-AI-Cache", "refresh"},
		{"another operation", "/v1/moderations", `{"model":"m","input":"x"}`, "X-None", ""},
	} {
		got := s.post(t, tc.path, tc.body, "Cache-Control", "only-if-cached", tc.header, tc.value)
		if got.status != 504 || got.header.Get("X-Should-Retry") != "false" || got.header.Get("X-AI-Cache") != "miss" || got.header.Get("Cache-Status") != "weir; detail=only-if-cached" {
			t.Errorf("%s: %d %v", tc.name, got.status, got.header)
		}
	}
	if _, names := s.called(); names != "" {
		t.Errorf("called %s", names)
	}
}

// TestHitsNeedNobody holds that a kept answer is served when no target is left.
func TestHitsNeedNobody(t *testing.T) {
	s := newStage(t, "model m one/gpt-4.1 {\nmax_fails 1\nfail_duration 1h\nlb_retries 0\n}\n", "cache exact")
	s.post(t, "/v1/chat/completions", wanting(false, ""))
	s.plays("one", failing(500))
	if got := s.post(t, "/v1/chat/completions", wanting(false, " you")); got.status < 500 {
		t.Fatalf("%d", got.status)
	}
	if got := s.post(t, "/v1/chat/completions", wanting(false, " them")); got.status != 503 {
		t.Fatalf("the breaker is not open: %d %s", got.status, got.body)
	}
	if got := s.post(t, "/v1/chat/completions", wanting(false, "")); got.status != 200 || got.header.Get("X-AI-Cache") != "hit" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
}
