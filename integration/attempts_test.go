package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/inflight"
	"github.com/weirproxy/weir/wire"
)

// once fails the first call and lets the others go to then.
func once(fails, then answerer) answerer {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *weirtest.Request) {
		if n.Add(1) == 1 {
			fails(w, r)
			return
		}
		then(w, r)
	}
}

// TestPauses waits for what an upstream asks for if that is not long, and not
// at all if the request would be over by then.
func TestPauses(t *testing.T) {
	soon := failing(429, "Retry-After-Ms", "200")
	for _, tt := range []struct {
		name, options string
		fails         answerer
		status        int
		said, calls   string
		least         time.Duration // that it takes
		most          time.Duration
	}{
		{"a short pause", "lb_retries 1", soon, 200, "one", "one one", 200 * time.Millisecond, patience},
		{"a short pause, with a breaker", "lb_retries 1\nmax_fails 3", soon, 200, "one", "one one", 200 * time.Millisecond, patience},
		{"until a quota is full again", "lb_retries 1", failing(429, "X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "300ms"), 200, "one", "one one", 300 * time.Millisecond, patience},
		{"of several quotas the one that is used up", "lb_retries 1", failing(429, "X-Ratelimit-Remaining-Requests", "9", "X-Ratelimit-Reset-Requests", "1h", "X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "300ms"), 200, "one", "one one", 300 * time.Millisecond, patience},
		{"a quota that is long empty", "lb_retries 1\nfallback two/gpt-4o", failing(429, "X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "1m0s"), 200, "two", "one two", 0, 10 * time.Second},
		{"a pause that the body asks for", "lb_retries 1", whole(429, `{"error":{"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.3s"}]}}`), 200, "one", "one one", 300 * time.Millisecond, patience},
		{"another target first", "lb_retries 1\nto two/gpt-4o", failing(429, "Retry-After", "15"), 200, "two", "one two", 0, 10 * time.Second},
		{"a long pause", "lb_retries 1\nfallback two/gpt-4o", failing(429, "Retry-After", "60"), 200, "two", "one two", 0, 10 * time.Second},
		{"the total limit comes before", "lb_retries 1\ntotal_timeout 5s", failing(503, "Retry-After", "15"), 503, "", "one", 0, 4 * time.Second},
		{"and the fallback is tried", "lb_retries 1\ntotal_timeout 5s\nfallback two/gpt-4o", failing(503, "Retry-After", "15"), 200, "two", "one two", 0, 4 * time.Second},
		{"lb_try_duration comes before", "lb_retries 1\nlb_try_duration 5s", failing(503, "Retry-After", "15"), 503, "", "one", 0, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, "model m one/gpt-4o {\n"+tt.options+"\n}", "")
			s.plays("one", once(tt.fails, fine("one")))
			began := time.Now()
			s.took(t, s.ask(t, "m"), tt.status, tt.said, tt.calls)
			if took := time.Since(began); took < tt.least || took > tt.most {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestLeavingInPause makes no further call for a client that has left, nor when
// the gateway goes, and gives back all that was held.
func TestLeavingInPause(t *testing.T) {
	s := newStage(t, "limit concurrency 1\nmodel m one/gpt-4o {\nlb_retries 1\n}", "")
	ctx, leave := context.WithCancel(context.Background())
	s.plays("one", once(failing(503, "Retry-After", "10"), fine("one")))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/chat/completions", strings.NewReader(asks("m")))
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		_, _ = s.send(req)
	}()
	eventually(t, "the first call", func() bool { return len(s.up.Requests()) == 1 })
	leave()
	<-left
	r := s.Records.Wait(t, 1)[0]
	if !r.ClientGone || r.Status != 499 || r.Attempts != 1 || len(s.up.Requests()) != 1 {
		t.Errorf("%+v after %d calls", r, len(s.up.Requests()))
	}
	if got := s.ask(t, "m"); got.status != 200 {
		t.Errorf("the place is not free: %d %s", got.status, got.body)
	}
	for _, target := range tracker(t).Report("one").Targets {
		if target.InFlight != 0 {
			t.Errorf("%+v", target)
		}
	}
}

// TestExitInPause answers with what is known when the process exits meanwhile.
func TestExitInPause(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o {\nlb_retries 1\n}", "")
	s.plays("one", once(failing(503, "Retry-After", "15"), fine("one")))
	answered := make(chan *reply, 1)
	go func() { answered <- s.ask(t, "m") }()
	// The pause begins when the attempt is over.
	eventually(t, "the pause", func() bool {
		targets := tracker(t).Report("one").Targets
		return len(s.up.Requests()) == 1 && len(targets) == 1 && targets[0].Failures == 1
	})
	began := time.Now()
	inflight.Process.Cancel(gateway.ErrShutdown)
	s.took(t, <-answered, 503, "", "one")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestOtherOperations fails over what is no chat.
func TestOtherOperations(t *testing.T) {
	s := newStage(t, "model m one/x {\nfallback two/y\n}", "")
	audio := strings.Repeat("\xff\xfb\x90\x00", 1000)
	const vectors = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"y","usage":{"prompt_tokens":2,"total_tokens":2}}`
	const heard = `{"text":"hello"}`
	form := formOf(part("file", "a.mp3", strings.Repeat("sound", 400_000)), part("model", "", "m"))
	for _, tt := range []struct {
		name, path, body, kind string
		answer                 answerer
		want                   string
	}{
		{"embeddings", "/v1/embeddings", `{"model":"m","input":"hi"}`, "application/json", whole(200, vectors), vectors},
		{"speech", "/v1/audio/speech", `{"model":"m","input":"hi"}`, "application/json", func(w http.ResponseWriter, _ *weirtest.Request) {
			w.Header().Set("Content-Type", "audio/mpeg")
			_, _ = io.WriteString(w, audio)
		}, audio},
		{"form", "/v1/audio/transcriptions", form, formType, whole(200, heard), heard},
	} {
		for name, fails := range map[string]answerer{"503": failing(503), "reset": bytesOnWire("")} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				tracker(t).Reset("one")
				s.plays("one", fails)
				s.plays("two", tt.answer)
				got := s.post(t, tt.path, tt.body, "Content-Type", tt.kind)
				calls, names := s.called()
				if got.status != 200 || got.body != tt.want || names != "one two" || got.header.Get("X-AI-Provider") != "two" || got.header.Get("X-AI-Attempts") != "2" {
					t.Fatalf("%d after %s: %s", got.status, names, clip(got.body))
				}
				first, second := string(calls[0].Body), string(calls[1].Body)
				if tt.kind == formType {
					a, b := fieldsOf(t, calls[0].Request), fieldsOf(t, calls[1].Request)
					if len(a) != 2 || len(b) != 2 || a[0] != b[0] || a[1].Value != "x" || b[1].Value != "y" {
						t.Error("the forms differ in more than the model")
					}
				} else if strings.Replace(first, `"x"`, `"y"`, 1) != second {
					t.Errorf("sent %s, then %s", first, second)
				}
			})
		}
	}
}

// TestOtherDialect translates a request anew for a fallback of another dialect,
// with that one's model and the cap of its own model.
func TestOtherDialect(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for _, d := range []*door{doors[0], doors[2]} {
			t.Run(fmt.Sprint(d.name, stream), func(t *testing.T) {
				s := newStage(t, "model m one/gpt-4o {\nmax_output_tokens 300\nfallback big\n}\nmodel big other/claude-sonnet-4-5 {\nmax_output_tokens 70\nfallback two/gpt-4.1\n}", "")
				s.plays("one", failing(503))
				body := `{"model":"m","messages":[{"role":"user","content":"hi there"}]`
				if stream {
					body += `,"stream":true`
				}
				got := s.post(t, d.path, body+"}")
				calls, names := s.called()
				if names != "one other" || got.status != 200 || got.cut {
					t.Fatalf("%d after %s: %s", got.status, names, got.body)
				}
				var sent [2]struct {
					Model               string
					MaxTokens           int `json:"max_tokens"`
					MaxCompletionTokens int `json:"max_completion_tokens"`
					Stream              bool
				}
				for i := range sent {
					if err := json.Unmarshal(calls[i].Body, &sent[i]); err != nil {
						t.Fatalf("call %d: %v: %s", i, err, calls[i].Body)
					}
					if !strings.Contains(string(calls[i].Body), "hi there") || sent[i].Stream != stream {
						t.Errorf("call %d: %s", i, calls[i].Body)
					}
				}
				if calls[1].Path != "/other/v1/messages" || sent[0].Model != "gpt-4o" || sent[1].Model != "claude-sonnet-4-5" || sent[0].MaxTokens+sent[0].MaxCompletionTokens != 300 || sent[1].MaxTokens != 70 {
					t.Errorf("%s %+v", calls[1].Path, sent)
				}
				text := got.body
				if stream {
					res, _ := decode(t, d, got.body)
					text = textOf(res)
				}
				if !strings.Contains(text, "said by other") {
					t.Errorf("%s", got.body)
				}
			})
		}
	}
}

// TestHeartbeatThenFailover keeps a client waiting by heartbeats while a first
// upstream fails; what follows is one stream.
func TestHeartbeatThenFailover(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "to up/other", "heartbeat 20ms")
			fail := make(chan struct{})
			rig.answers(once(func(w http.ResponseWriter, r *weirtest.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, d.prelude)
				weirtest.Flush(w)
				<-fail
				weirtest.Reset(w)
			}, events(d.stream(2))))
			c := dial(t, rig.Addr)
			c.post(t, d.path, d.body)
			res := c.response(t)
			r := &reader{body: res.Body}
			r.until(t, d.ping)
			close(fail)
			rest, err := io.ReadAll(res.Body)
			shown := d.shown(2)
			if d.dialect == wire.Anthropic { // whose prelude has a ping of its own, in other bytes
				shown = strings.ReplaceAll(shown, d.ping, "")
			}
			if body := strings.ReplaceAll(string(rest), d.ping, ""); err != nil || body != shown {
				t.Errorf("%v: %q", err, body)
			}
			want := complete(d)
			want.Attempts = 2
			rig.checkRecord(t, want)
		})
	}
}

// TestConditionsEndToEnd sends requests where their header, key, team, tag, size
// and contents lead.
func TestConditionsEndToEnd(t *testing.T) {
	s := newStage(t, `
model m one/gpt-4o {
	when header X-Tier gold* {
		to two/by-header
	}
	when key other {
		to two/by-key
	}
	when tag batch {
		to two/by-tag
	}
	when team red not stream {
		to two/by-team
	}
	when tools {
		to two/by-tools
	}
	when images {
		to two/by-images
		fallback three/images
	}
	when input_tokens >100 {
		to long
	}
}
model long three/by-tokens {
	internal
}
key ci {env.CI_KEY}
key other {env.OTHER_KEY}
key red {env.RED_KEY} {
	team red
}
key tagged {env.TAGGED_KEY} {
	tags batch
}
`, "")
	with := func(members string) string { return strings.TrimSuffix(asks("m"), "}") + members + "}" }
	for _, tt := range []struct {
		name, key, body string
		header          []string
		want            string
	}{
		{"none", keyOfCI, asks("m"), nil, "one/gpt-4o"},
		{"header", keyOfCI, asks("m"), []string{"X-Tier", "golden"}, "two/by-header"},
		{"another value", keyOfCI, asks("m"), []string{"X-Tier", "silver"}, "one/gpt-4o"},
		{"key", keyOfOther, asks("m"), nil, "two/by-key"},
		{"team", "a-secret-of-team-red", asks("m"), nil, "two/by-team"},
		{"team, but a stream", "a-secret-of-team-red", with(`,"stream":true`), nil, "one/gpt-4o"},
		{"tag", "a-secret-of-tagged-1", asks("m"), nil, "two/by-tag"},
		{"tokens", keyOfCI, strings.Replace(asks("m"), "hi", strings.Repeat("many words ", 80), 1), nil, "three/by-tokens"},
		{"tools", keyOfCI, with(`,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]`), nil, "two/by-tools"},
		{"images", keyOfCI, strings.Replace(asks("m"), `"hi"`, `[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]`, 1), nil, "two/by-images"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.post(t, "/v1/chat/completions", tt.body, append(as(tt.key), tt.header...)...)
			provider, model, _ := strings.Cut(tt.want, "/")
			r := s.took(t, got, 200, provider, provider)
			if r.UpstreamModel != model || r.Model != "m" {
				t.Errorf("%s of %s", r.UpstreamModel, r.Model)
			}
		})
	}
	t.Run("a branch's own fallback", func(t *testing.T) {
		s.plays("two", failing(503))
		body := strings.Replace(asks("m"), `"hi"`, `[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]`, 1)
		s.took(t, s.post(t, "/v1/chat/completions", body, as(keyOfCI)...), 200, "three", "two three")
	})
}

// TestAffinity keeps a session at its target while that is well, and elsewhere
// while it is not.
func TestAffinity(t *testing.T) {
	for _, tt := range []struct {
		policy  string
		session func(n int, last *reply) []string
	}{
		{"header X-Session", func(n int, _ *reply) []string { return []string{"X-Session", fmt.Sprint("s-", n)} }},
		{"key_hash", func(n int, _ *reply) []string { return as([]string{keyOfCI, keyOfOther}[n%2]) }},
		{"cookie lb", func(_ int, last *reply) []string {
			if last == nil {
				return nil
			}
			cookie, _, _ := strings.Cut(last.header.Get("Set-Cookie"), ";")
			return []string{"Cookie", cookie}
		}},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			keys := ""
			if tt.policy == "key_hash" {
				keys = "key ci {env.CI_KEY}\nkey other {env.OTHER_KEY}\n"
			}
			s := newStage(t, keys+"model m one/gpt-4o two/gpt-4o three/gpt-4o {\nlb_policy "+tt.policy+"\n}", "")
			for n := range 6 {
				first := s.ask(t, "m", tt.session(n, nil)...)
				home := first.header.Get("X-AI-Provider")
				for range 5 {
					if got := s.ask(t, "m", tt.session(n, first)...); got.header.Get("X-AI-Provider") != home {
						t.Errorf("session %d moved from %s to %s", n, home, got.header.Get("X-AI-Provider"))
					}
				}
				s.plays(home, failing(503))
				if got := s.ask(t, "m", tt.session(n, first)...); got.status != 200 || got.header.Get("X-AI-Provider") == home {
					t.Errorf("session %d while %s is down: %d", n, home, got.status)
				}
				s.plays(home, nil)
				tracker(t).Reset(home)
				if got := s.ask(t, "m", tt.session(n, first)...); got.header.Get("X-AI-Provider") != home {
					t.Errorf("session %d did not come back to %s", n, home)
				}
			}
		})
	}
}

// TestLongOpening holds back what an upstream of Responses repeats of a long
// request, twice before its first content, so that one which dies then is
// replaced unseen.
func TestLongOpening(t *testing.T) {
	s := newStage(t, "model m one/gpt-4o two/gpt-4o", "")
	tools := `[{"type":"function","name":"f","description":"` + strings.Repeat("Tells the weather. ", 3000) + `","parameters":{"type":"object"}}]`
	opening := func(kind string, n int) string {
		return fmt.Sprintf("event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%d,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"in_progress\",\"model\":\"gpt-4o\",\"output\":[],\"tools\":%s}}\n\n", kind, kind, n, tools)
	}
	s.plays("one", cutAfter(opening("response.created", 0)+opening("response.in_progress", 1)))
	s.plays("two", events("event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":0,\"response\":{\"id\":\"resp_2\",\"object\":\"response\",\"created_at\":1,\"status\":\"completed\",\"model\":\"gpt-4o\",\"output\":[]}}\n\n"))
	got := s.post(t, "/v1/responses", `{"model":"m","stream":true,"input":"hi","tools":`+tools+`}`)
	if _, names := s.called(); names != "one two" || got.status != 200 || got.cut || strings.Contains(got.body, "resp_1") || !strings.Contains(got.body, "resp_2") {
		t.Errorf("%d, cut %v, after %s: %s", got.status, got.cut, names, clip(got.body))
	}
}

// TestErrorWithoutBody takes an error by its status when the rest does not come.
func TestErrorWithoutBody(t *testing.T) {
	s := newStage(t, "model alone one/gpt-4o {\nresponse_header_timeout 1s\n}\nmodel m one/gpt-4o two/gpt-4o {\nresponse_header_timeout 1s\n}", "")
	s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "500")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":`)
		weirtest.Flush(w)
		<-r.Gone
	})
	got := s.ask(t, "alone")
	r := s.took(t, got, 503, "", "one")
	if r.Error != "overloaded" || r.Phase != "status" || got.header.Get("Retry-After") != "7" {
		t.Errorf("%s in %s, after %s s", r.Error, r.Phase, got.header.Get("Retry-After"))
	}
	checkTrail(t, s.took(t, s.ask(t, "m"), 200, "two", "one two"), "first one/gpt-4o overloaded", "failover two/gpt-4o")
}
