package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestFallbackAuthorised does not give a key by way of a fallback what it may
// not use: the first failure stands, and is told as if there were no other.
func TestFallbackAuthorised(t *testing.T) {
	const models = "model m one/gpt-4o {\nfallback big\n}\nmodel big two/gpt-4o-mini {\nfallback three/gpt-4.1\n}\nmodel direct one/gpt-4o {\nfallback two/gpt-4o-mini\n}\n"
	for _, tt := range []struct {
		name, key, model string
		status           int
		provider, calls  string
	}{
		{"may use all", "", "m", 200, "two", "one two"},
		{"may use the alias", "models m big", "m", 200, "two", "one two"},
		{"may not use the alias", "models m", "m", 503, "", "one"},
		{"may use what the alias leads to", "models m two/*", "m", 200, "two", "one two"},
		{"may use the alias's fallback by its target", "models m three/gpt-4.1", "m", 200, "three", "one three"},
		{"a target is part of the model", "models direct", "direct", 200, "two", "one two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, models+"price one/* input 2 output 6\nprice two/* input 3 output 9\nkey ci {env.CI_KEY} {\n"+tt.key+"\n}", "")
			s.plays("one", failing(503, "X-Request-Id", "one-1", "Retry-After", "9"))
			got := s.ask(t, tt.model, as(keyOfCI)...)
			r := s.took(t, got, tt.status, tt.provider, tt.calls)
			if tt.status == 200 {
				return
			}
			if got.body != doors[0].errorBody || got.header.Get("Retry-After") != "9" || got.header.Get("X-Upstream-Request-Id") != "one-1" {
				t.Errorf("header %v: %s", got.header, got.body)
			}
			if r.Provider != "one" || r.UpstreamModel != "gpt-4o" || r.UpstreamID != "one-1" || r.Error != "overloaded" || !r.Priced {
				t.Errorf("record %+v", r)
			}
			checkTrail(t, r, "first one/gpt-4o overloaded")
		})
	}
}

// TestFallbackRefused charges what the first target has used at its own price
// when the only other may not be used.
func TestFallbackRefused(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o {\nfallback big\n}\nmodel big two/gpt-4o-mini\nprice one/* input 2 output 6\nprice two/* input 900 output 900\nkey ci {env.CI_KEY} {\nmodels m\n}", "")
	s.plays("one", bytesOnWire(""))
	r := s.took(t, s.ask(t, "m", as(keyOfCI)...), 502, "", "one")
	if r.Usage.Input == 0 || r.Cost.Total != r.Usage.Input*firstIn || r.Overhead != 0 {
		t.Errorf("usage %+v, cost %d, overhead %d", r.Usage, r.Cost.Total, r.Overhead)
	}
}

// TestFallbackRules holds a fallback to the rules of its model.
func TestFallbackRules(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o {\nfallback strict two/gpt-4o-mini\n}\nmodel strict three/gpt-4o {\nmax_output_tokens 5\n}", "")
	s.plays("one", failing(503))
	body := strings.TrimSuffix(asks("m"), "}") + `,"max_tokens":20}`
	r := s.took(t, s.post(t, "/v1/chat/completions", body), 200, "two", "one two")
	checkTrail(t, r, "first one/gpt-4o overloaded", "fallback two/gpt-4o-mini")
	s.took(t, s.ask(t, "m"), 200, "three", "one three")
}

// TestFallbackBudget makes room for a fallback at its own price and under its own
// limits, or leaves it alone; what is held in the end is what was used.
func TestFallbackBudget(t *testing.T) {
	// A prompt of 8 tokens with 20 for the answer costs 2.8 mills at one, 28 at
	// two; 28 tokens are used of it, as the upstream reports.
	const models = "model m one/gpt-4o {\nfallback big\n}\nmodel big two/gpt-4o\nprice one/* input 100 output 100\nprice two/* input 1000 output 1000\n"
	body := strings.TrimSuffix(asks("m"), "}") + `,"max_tokens":20}`
	for _, tt := range []struct {
		name, limits, key string
		status            int
		provider, calls   string
		left              map[string]string // of the header
		after             []int             // the statuses of calls after it, when all is well again
	}{
		{"room for both", "", "limit usd 1 1M", 200, "two", "one two", nil, []int{200}},
		{"none for the dearer", "", "limit usd 0.01 1M", 503, "", "one", nil, []int{200, 200, 200, 429}},
		{"requests count once", "", "limit requests 3 1h", 200, "two", "one two", map[string]string{"X-Ratelimit-Remaining-Requests": "2"}, []int{200, 200, 429}},
		{"the fallback's own limit", "limit model big requests 1 1h\n", "limit requests 10 1h", 200, "two", "one two", nil, []int{200}},
		{"the fallback is full", "limit model big tokens 10 1h\n", "limit requests 10 1h", 503, "", "one", nil, []int{200}},
		{"the provider's limit", "limit provider two tokens 10 1h\n", "", 503, "", "one", nil, []int{200}},
		{"a place for one", "limit concurrency 1\n", "", 200, "two", "one two", nil, []int{200}},
		{"tokens once", "", "limit tokens 60 1h", 200, "two", "one two", map[string]string{"X-Ratelimit-Remaining-Tokens": "32"}, []int{200, 429}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, models+tt.limits+"key ci {env.CI_KEY} {\n"+tt.key+"\n}", "")
			s.plays("one", failing(503))
			got := s.post(t, "/v1/chat/completions", body, as(keyOfCI)...)
			r := s.took(t, got, tt.status, tt.provider, tt.calls)
			for name, want := range tt.left {
				if v := got.header.Get(name); v != want {
					t.Errorf("%s: %q, want %q", name, v, want)
				}
			}
			if tt.status == 200 && r.Cost.Total != 28*1_000_000 || tt.status != 200 && r.Cost.Total != 0 {
				t.Errorf("cost %d", r.Cost.Total)
			}
			s.plays("one", nil)
			for i, want := range tt.after {
				if again := s.post(t, "/v1/chat/completions", body, as(keyOfCI)...); again.status != want {
					t.Errorf("call %d after it: %d, want %d: %s", i+1, again.status, want, again.body)
				}
			}
		})
	}
}

// TestFallbackLimitOfAlias counts a fallback under the limits of its own alias,
// also when it leads to the target that has failed, by another account.
func TestFallbackLimitOfAlias(t *testing.T) {
	s := newStageWith(t, "", "api_key {env.ACCOUNT_ONE}\napi_key {env.ACCOUNT_TWO}\nkey_policy first",
		"model m one/gpt-4o {\nlb_retries 0\nfallback again\n}\nmodel again one/gpt-4o\nlimit model again requests 1 1h", "")
	s.plays("one", perAccount(map[string]answerer{accountOne: failing(503)}))
	s.took(t, s.ask(t, "m"), 200, "one", "one one")
	s.took(t, s.ask(t, "m"), 503, "", "one")
}

// perAccount answers by the key that a call was made with; others are fine.
func perAccount(answers map[string]answerer) answerer {
	return func(w http.ResponseWriter, r *weirtest.Request) {
		if answer := answers[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]; answer != nil {
			answer(w, r)
			return
		}
		fine("one")(w, r)
	}
}

// TestErrorClasses leads each class of failure where the model says.
func TestErrorClasses(t *testing.T) {
	const long = `{"error":{"message":"maximum context length is 10 tokens","type":"invalid_request_error","code":"context_length_exceeded"}}`
	const policy = `{"error":{"message":"no","type":"invalid_request_error","code":"content_policy_violation"}}`
	const inside = `{"id":"gen-1","object":"chat.completion","choices":[{"index":0,"finish_reason":"error","error":{"code":503,"message":"all are busy"},"message":{"role":"assistant","content":""}}]}`
	s := newStage(t, `
model both one/gpt-4o {
	fallback_on context_length two/large
	fallback_on content_policy three/lenient
	fallback two/spare
}
model all one/gpt-4o {
	fallback_on context_length content_policy
	fallback two/spare
}
model slow one/gpt-4o {
	first_token_timeout 300ms
	response_header_timeout 300ms
	fallback_on timeout
	fallback two/spare
}
model only one/gpt-4o three/gpt-4o {
	retry_on rate_limit
}
model none one/gpt-4o {
	retry_on overloaded
	lb_retries 1
}
model context one/gpt-4o {
	context_window 10
	fallback_on context_length two/large
}
`, "")
	for _, tt := range []struct {
		name, model string
		answer      answerer
		status      int
		said, calls string
		trail       []string
	}{
		{"context length leads to the larger", "both", whole(400, long), 200, "two", "one two", []string{"first one/gpt-4o context_length", "fallback two/large"}},
		{"policy leads to another", "both", whole(400, policy), 200, "three", "one three", []string{"first one/gpt-4o content_policy", "fallback three/lenient"}},
		{"the rest to the fallback", "both", failing(500), 200, "two", "one two", []string{"first one/gpt-4o upstream", "fallback two/spare"}},
		{"an error in a choice of an answer", "both", whole(200, inside), 200, "two", "one two", []string{"first one/gpt-4o overloaded", "fallback two/spare"}},
		{"told when there is no other", "none", whole(200, strings.Replace(inside, "503", "500", 1)), 502, "", "one", []string{"first one/gpt-4o upstream"}},
		{"classes without names", "all", whole(400, long), 200, "two", "one two", []string{"first one/gpt-4o context_length", "fallback two/spare"}},
		{"and then no others", "all", failing(500), 500, "", "one", []string{"first one/gpt-4o upstream"}},
		{"a class that fits", "slow", stall, 200, "two", "one two", []string{"first one/gpt-4o timeout", "fallback two/spare"}},
		{"one that does not", "slow", failing(503), 503, "", "one", []string{"first one/gpt-4o overloaded"}},
		{"retry_on bounds failover", "only", failing(503), 503, "", "one", []string{"first one/gpt-4o overloaded"}},
		{"a class of retry_on", "only", failing(429), 200, "three", "one three", []string{"first one/gpt-4o rate_limit", "failover three/gpt-4o"}},
		{"a class that retry_on leaves out", "none", failing(500), 500, "", "one", []string{"first one/gpt-4o upstream"}},
		{"the request's own fault", "both", whole(400, doors[0].errorBody), 400, "", "one", []string{"first one/gpt-4o invalid_request"}},
		{"no such model", "both", whole(404, doors[0].errorBody), 404, "", "one", []string{"first one/gpt-4o model_not_found"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tracker(t).Reset("one")
			s.plays("one", tt.answer)
			got := s.ask(t, tt.model)
			r := s.took(t, got, tt.status, tt.said, tt.calls)
			checkTrail(t, r, tt.trail...)
			if tt.status == 502 && !strings.Contains(got.body, `{"error":{"message":"the upstream reported an error: all are busy"`) {
				t.Errorf("told %s", got.body)
			}
		})
	}
	t.Run("too long before any call", func(t *testing.T) {
		body := strings.Replace(asks("context"), `"hi"`, `"`+strings.Repeat("many words ", 40)+`"`, 1)
		r := s.took(t, s.post(t, "/v1/chat/completions", body), 200, "two", "two")
		if r.UpstreamModel != "large" {
			t.Errorf("%s", r.UpstreamModel)
		}
	})
}

// TestPoolAccounts turns to the other account at once when one is limited or
// refused, and leaves that one alone.
func TestPoolAccounts(t *testing.T) {
	const pool = "api_key {env.ACCOUNT_ONE}\napi_key {env.ACCOUNT_TWO}\nkey_policy first"
	keyOf := func(c stageCall) string { return strings.TrimPrefix(c.Header.Get("Authorization"), "Bearer ") }
	for _, tt := range []struct {
		name  string
		fails answerer
		event string
		wrong string
	}{
		{"429", failing(429, "Retry-After", "60"), "ai.account_cooling", "rate_limit"},
		{"401", failing(401), "ai.account_disabled", "authentication"},
		{"403", failing(403), "ai.account_cooling", "permission"},
		{"no money", whole(429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`), "ai.account_cooling", "budget"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStageWith(t, "events {\n on ai.account_cooling weirtest\n on ai.account_disabled weirtest\n}", pool, "model m one/gpt-4o", "")
			s.plays("one", perAccount(map[string]answerer{accountOne: tt.fails}))
			began := time.Now()
			got := s.ask(t, "m")
			calls, _ := s.called()
			if len(calls) != 2 || keyOf(calls[0]) != accountOne || keyOf(calls[1]) != accountTwo {
				t.Fatalf("%d calls", len(calls))
			}
			if string(calls[0].Body) != string(calls[1].Body) {
				t.Errorf("bodies differ: %s %s", calls[0].Body, calls[1].Body)
			}
			if got.status != 200 || time.Since(began) > patience/2 {
				t.Errorf("%d: %s", got.status, got.body)
			}
			r := s.Records.Wait(t, 1)[0]
			checkTrail(t, r, "first one/gpt-4o "+tt.wrong, "failover one/gpt-4o")
			if a, b := r.Trail[0].Account, r.Trail[1].Account; a == b || !strings.HasPrefix(a, "key-") || !strings.HasPrefix(b, "key-") {
				t.Errorf("accounts %q and %q", a, b)
			}
			event := hear(t, 1)[0]
			if !strings.HasPrefix(event, tt.event+" from ai provider=one") || !strings.Contains(event, r.Trail[0].Account) {
				t.Errorf("event %q", event)
			}
			for range 5 {
				if again := s.ask(t, "m"); again.status != 200 {
					t.Errorf("%d: %s", again.status, again.body)
				}
			}
			calls, _ = s.called()
			for _, c := range calls {
				if keyOf(c) != accountTwo {
					t.Error("the account that is out of use was called")
				}
			}
			if len(calls) != 5 {
				t.Errorf("%d calls", len(calls))
			}
		})
	}
}

// TestHeadersTellTruth holds that the headers of an answer are its own: none of
// a failed attempt shows.
func TestHeadersTellTruth(t *testing.T) {
	s := newStage(t, "model m other/claude-sonnet-4-5 {\nfallback two/gpt-4o\n}", "")
	body := `{"model":"m","logit_bias":{"1":2},"seed":7,"messages":[{"role":"user","content":"hi"}]`
	s.plays("other", func(w http.ResponseWriter, r *weirtest.Request) {
		for name, value := range map[string]string{
			"X-Request-Id": "req-of-other", "Request-Id": "req-of-other", "Set-Cookie": "lb=other", "Retry-After": "3", "Retry-After-Ms": "3000", "X-Should-Retry": "true",
			"Anthropic-Ratelimit-Requests-Remaining": "0", "Content-Disposition": "attachment", "Server": "other",
		} {
			w.Header().Set(name, value)
		}
		whole(529, doors[2].errorBody)(w, r)
	})
	s.plays("two", func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("X-Request-Id", "req-of-two")
		fine("two")(w, r)
	})
	for _, form := range []string{"}", `,"stream":true}`} {
		got := s.post(t, "/v1/chat/completions", body+form)
		r := s.took(t, got, 200, "two", "other two")
		for _, name := range []string{"Set-Cookie", "Retry-After", "Retry-After-Ms", "X-Should-Retry", "X-AI-Dropped", "Content-Disposition", "Anthropic-Ratelimit-Requests-Remaining"} {
			if v := got.header.Get(name); v != "" {
				t.Errorf("%s: %s", name, v)
			}
		}
		if id := got.header.Get("X-Upstream-Request-Id"); id != "req-of-two" || r.UpstreamID != id {
			t.Errorf("X-Upstream-Request-Id %q, %q in the record", id, r.UpstreamID)
		}
		if len(r.Dropped) != 0 {
			t.Errorf("the record says that %v were dropped", r.Dropped)
		}
		tracker(t).Reset("other")
	}
}

// TestUpstreamIDOfLast does not name the request of an upstream that failed as
// that of one which could not be reached.
func TestUpstreamIDOfLast(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o {\nfallback gone/gpt-4o\n}\nprovider gone openai {\nbase_url http://"+weirtest.FreeAddr(t)+"/v1\napi_key {env.UPSTREAM_KEY}\n}", "")
	s.plays("one", failing(503, "X-Request-Id", "req-of-one"))
	got := s.ask(t, "m")
	r := s.took(t, got, 502, "", "one")
	if got.header.Get("X-Upstream-Request-Id") != "" || r.UpstreamID != "" || r.Provider != "gone" {
		t.Errorf("upstream id %q, %q of %s in the record", got.header.Get("X-Upstream-Request-Id"), r.UpstreamID, r.Provider)
	}
}

// TestUntranslatableFallback keeps the first failure when the request cannot be
// said in the dialect of what would be next.
func TestUntranslatableFallback(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o {\nfallback other/claude-sonnet-4-5\n}\nmodel both one/gpt-4o {\nfallback other/claude-sonnet-4-5 two/gpt-4o\n}", "unmapped reject")
	s.plays("one", failing(503))
	body := `{"model":"%s","logit_bias":{"1":2},"messages":[{"role":"user","content":"hi"}]}`
	r := s.took(t, s.post(t, "/v1/chat/completions", fmt.Sprintf(body, "m")), 503, "", "one")
	checkTrail(t, r, "first one/gpt-4o overloaded")
	tracker(t).Reset("one")
	r = s.took(t, s.post(t, "/v1/chat/completions", fmt.Sprintf(body, "both")), 200, "two", "one two")
	checkTrail(t, r, "first one/gpt-4o overloaded", "fallback two/gpt-4o")
}

// TestFallbackWhileDown passes over a fallback that the request may not go to also
// when it would be the first: the client never asked for it.
func TestFallbackWhileDown(t *testing.T) {
	const file = `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-of-openai"}}]}]}`
	const big = "\nfallback big\n}\nmodel big two/gpt-4o-mini {\nmax_output_tokens 50\n}\n"
	for _, tt := range []struct {
		name, models, key, body string
		status                  int
		calls, trail            string
	}{
		{"it may be used", "model m one/gpt-4o {" + big, "models m big", "", 200, "two", "unhealthy two/gpt-4o-mini"},
		{"the key may not use it", "model m one/gpt-4o {" + big, "models m", "", 200, "one", "panic one/gpt-4o"},
		{"the key may not use it, and there is a breaker", "model m one/gpt-4o {\nmax_fails 3" + big, "models m", "", 503, "", ""},
		{"its rules do not allow the request", "model m one/gpt-4o {" + big, "models m big", `,"max_tokens":60`, 200, "one", "panic one/gpt-4o"},
		{"its dialect has no place for the request", "model m one/gpt-4o {\nfallback other/claude-sonnet-4-5\n}\n", "models m", file, 200, "one", "panic one/gpt-4o"},
		{"it has no room under its limits", "limit model big requests 1 1h\nmodel m one/gpt-4o {" + big, "models m big", "", 200, "one", "panic one/gpt-4o"},
		{"it has no room under its limits, and there is a breaker", "limit model big requests 1 1h\nmodel m one/gpt-4o {\nmax_fails 3" + big, "models m big", "", 429, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, tt.models+"key ci {env.CI_KEY} {\n"+tt.key+"\n}\nkey other {env.OTHER_KEY} {\nmodels big one/gpt-4o\n}", "")
			s.plays("one", failing(503, "Retry-After", "60"))
			for range 3 {
				s.ask(t, "one/gpt-4o", as(keyOfOther)...)
			}
			if strings.Contains(tt.models, "limit") {
				s.ask(t, "big", as(keyOfOther)...)
			}
			s.called()
			s.seen = len(s.Records.All())
			s.plays("one", nil)
			body := tt.body
			if body != file {
				body = strings.TrimSuffix(asks("m"), "}") + body + "}"
			}
			r := s.took(t, s.post(t, "/v1/chat/completions", body, as(keyOfCI)...), tt.status, tt.calls, tt.calls)
			if tt.trail != "" {
				checkTrail(t, r, tt.trail)
			}
			if tt.status == 503 && (r.Provider != "" || r.Model != "m") {
				t.Errorf("the record names %s/%s", r.Provider, r.UpstreamModel)
			}
		})
	}
}

// TestFallbackFull gives back what was taken for a fallback that the request was not
// sent to in the end, since its provider has no place free.
func TestFallbackFull(t *testing.T) {
	s := newStageWith(t, "", "api_key {env.UPSTREAM_KEY}\nmax_in_flight 1", "model m two/gpt-4o {\nfallback one/gpt-4o-mini\n}\nlimit provider one requests 2 1h\nlimit provider two requests 1 1h", "")
	open := make(chan struct{})
	s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
		<-open
		fine("one")(w, r)
	})
	s.plays("two", bytesOnWire("")) // which has taken the call, so that it counts
	held := make(chan *reply, 1)
	go func() { held <- s.ask(t, "one/gpt-4o") }()
	eventually(t, "the call that takes the place", func() bool { return len(s.up.Requests()) == 1 })
	s.called()
	if got := s.ask(t, "m"); got.status != 502 {
		t.Errorf("%d: %s", got.status, got.body)
	}
	if _, names := s.called(); names != "two" {
		t.Errorf("%q were called", names)
	}
	close(open)
	if got := <-held; got.status != 200 {
		t.Errorf("%d: %s", got.status, got.body)
	}
	if got := s.ask(t, "one/gpt-4o"); got.status != 200 {
		t.Errorf("a call to a provider that was called once: %d: %s", got.status, got.body)
	}
	if got := s.ask(t, "m"); got.status != 429 {
		t.Errorf("a second call to a provider that may be called once: %d: %s", got.status, got.body)
	}
}

// TestFallbackWhileDownCounts counts what limits decide once for each request, also when
// a fallback that would be the first has no room.
func TestFallbackWhileDownCounts(t *testing.T) {
	const models = "limit requests 100 1h\nlimit model big requests 1 1h\nlimit model small requests 1 1h\nmodel m one/gpt-4o {\nmax_fails 3\nfallback big small\n}\nmodel big two/gpt-4o-mini\nmodel small three/gpt-4o-mini\n"
	s := newStage(t, models+"key ci {env.CI_KEY}", "}\nhandle /metrics {\nmetrics\n")
	const series = `caddy_ai_limit_decisions_total{decision="%s",unit="requests"}`
	counts := func() (n [2]float64) {
		res, err := http.Get(s.URL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, _ := io.ReadAll(res.Body)
		for line := range strings.Lines(string(data)) {
			for i, decision := range []string{"allowed", "refused"} {
				if rest, ok := strings.CutPrefix(line, fmt.Sprintf(series, decision)+" "); ok {
					_, _ = fmt.Sscan(rest, &n[i])
				}
			}
		}
		return n
	}
	s.plays("one", failing(503, "Retry-After", "60"))
	for range 3 {
		s.ask(t, "one/gpt-4o", as(keyOfCI)...)
	}
	s.ask(t, "big", as(keyOfCI)...)
	for _, tt := range []struct {
		name             string
		status           int
		allowed, refused float64
	}{
		{"the second has room", 200, 2, 0},
		{"neither has", 429, 1, 1},
	} {
		before := counts()
		if got := s.ask(t, "m", as(keyOfCI)...); got.status != tt.status {
			t.Errorf("%s: %d %s", tt.name, got.status, got.body)
		}
		if after := counts(); after[0]-before[0] != tt.allowed || after[1]-before[1] != tt.refused {
			t.Errorf("%s: allowed %v and refused %v, want %v and %v", tt.name, after[0]-before[0], after[1]-before[1], tt.allowed, tt.refused)
		}
	}
}
