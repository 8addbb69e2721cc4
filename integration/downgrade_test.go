package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// The prices of the two models: a call asks for 28 tokens at most and uses 15.
const (
	usedOfM    = 15 * 1000 // micro-dollars, at 1000 dollars for a million
	usedOfMini = 15 * 10
	prices2    = "price openai/gpt-4o input 1000 output 1000\nprice openai/gpt-4o-mini input 10 output 10\nmodel mini openai/gpt-4o-mini\nmodel tiny openai/gpt-4.1-nano\nprice openai/gpt-4.1-nano input 1 output 1\n"
)

// modelOf is the model that an upstream was asked for.
func modelOf(t *testing.T, r *weirtest.Request) string {
	t.Helper()
	var body struct{ Model string }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Model
}

// TestDowngrade turns to another model when a budget is nearly spent, where
// that may be used and has room.
func TestDowngrade(t *testing.T) {
	type step struct {
		status     int
		model      string // that the upstream was asked for
		downgraded string
	}
	m := step{200, "gpt-4o", ""}
	mini := step{200, "gpt-4o-mini", "m"}
	refused := step{429, "", ""}
	for _, tt := range []struct {
		name, ai, key string
		want          []step
		body          string // of the last answer
	}{
		// A call of m reserves 28 mills and uses 15; one of mini 0.28 and 0.15.
		{"nearly spent", "", "limit usd 0.05 1M downgrade mini 50", []step{m, m, mini, mini}, ""},
		{"by default from 90 percent", "", "limit usd 0.1 1M downgrade mini", []step{m, m, m, m, m, mini, mini}, ""},
		{"no room for the dearer", "", "limit usd 0.05 1M downgrade mini 100", []step{m, m, mini}, ""},
		{"wholly spent", "", "limit usd 0.01550 1M downgrade mini 10\nlimit requests 100 1h", []step{mini, {}}, ""},
		{"not allowed to the key", "", "models m\nlimit usd 0.1 1M downgrade mini 10", []step{m, m, m, m, m, refused}, "insufficient_quota"},
		{"not allowed by the model", "model strict openai/gpt-4o-mini {\nmax_output_tokens 5\n}\n", "limit usd 0.1 1M downgrade strict 10", []step{m, m, m, m, m, refused}, ""},
		{"the other model is full", "limit model mini requests 1 1h\n", "limit usd 0.1 1M downgrade mini 10", []step{m, mini, m, m, m, m, refused}, ""},
		{"a place that is given back", "limit concurrency 1\n", "limit usd 0.05 1M downgrade mini 50", []step{m, m, mini, mini}, ""},
		{"in a shadow", "", "limit usd 0.02 1M downgrade mini 10 shadow", []step{m, m, m, m}, ""},
		{"a chain", "limit model mini usd 0.0005 1M downgrade tiny 25\n", "limit usd 0.05 1M downgrade mini 50", []step{m, m, mini, {200, "gpt-4.1-nano", "m"}, {200, "gpt-4.1-nano", "m"}}, ""},
		{"each names the other", "", "limit usd 0.05 1M downgrade mini 50\nlimit requests 3 1h downgrade m 50", []step{m, m, mini, refused}, "insufficient_quota"},
		{"requests", "", "limit requests 4 1h downgrade mini 50", []step{m, m, mini, mini, refused}, "rate_limit_exceeded"},
		{"a target", "", "limit usd 0.05 1M downgrade openai/gpt-4o-mini 50", []step{m, m, mini}, ""},
		{"the rule of a model", "limit model m usd 0.05 1M downgrade mini 50\n", "", []step{m, m, mini, mini}, ""},
		{"the rule of an address", "", "", []step{m, m, mini, mini}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site := "ai_gateway"
			if tt.name == "the rule of an address" {
				site = "ai_limit {\nkey {client_ip}\nusd 0.05 1M downgrade mini 50\n}\nai_gateway"
			}
			g, up := access(t, tt.ai+prices2+"key ci {env.CI_KEY} {\n"+tt.key+"\n}", site, hello)
			var body string
			for i, want := range tt.want {
				if want.status == 0 {
					continue
				}
				before := len(up.Requests())
				var status int
				var header http.Header
				status, header, body = askWith(t, g, "/v1/chat/completions", ofCI, hi)
				got := step{status, "", header.Get("X-AI-Downgraded")}
				if calls := up.Requests(); len(calls) > before {
					got.model = modelOf(t, calls[before])
				}
				if got != want {
					t.Fatalf("call %d: %+v, want %+v: %s", i, got, want, body)
				}
				record := g.Records.Wait(t, i+1)[i]
				if status == 200 && (header.Get("X-AI-Model") != want.model || record.UpstreamModel != want.model) || record.Model != "m" || (record.Downgraded != "") != (want.downgraded != "") {
					t.Errorf("call %d: model %q, record %+v", i, header.Get("X-AI-Model"), record)
				}
				cost := map[string]int64{"gpt-4o": usedOfM * 1000, "gpt-4o-mini": usedOfMini * 1000, "gpt-4.1-nano": 15 * 1000}[want.model]
				if record.Cost.Total != cost {
					t.Errorf("call %d cost %d, want %d", i, record.Cost.Total, cost)
				}
			}
			if !strings.Contains(body, tt.body) {
				t.Errorf("the last answer is %s", body)
			}
		})
	}
}

// TestDowngradeSpent refuses as ever when the budget is spent, and charges
// nothing for it.
func TestDowngradeSpent(t *testing.T) {
	stores(t, func(t *testing.T, store string) {
		g, up := access(t, store+prices2+"key ci {env.CI_KEY} {\nlimit usd 0.0155 1M downgrade mini 10\nlimit tokens 1M 1h\n}", "ai_gateway", hello)
		// 28 mills do not fit, so mini is used until its 0.28 do not fit either.
		served := 0
		for {
			status, header, body := askWith(t, g, "/v1/chat/completions", ofCI, hi)
			if status == 429 {
				if !strings.Contains(body, "insufficient_quota") || header.Get("X-AI-Downgraded") != "" {
					t.Errorf("%s", body)
				}
				break
			}
			if served++; status != 200 || served > 200 {
				t.Fatalf("call %d: status %d: %s", served, status, body)
			}
		}
		// 15.5 mills hold 0.15 a time while 0.28 are left.
		if served != 102 || len(up.Requests()) != served {
			t.Errorf("%d served, %d reached the upstream", served, len(up.Requests()))
		}
		var spent int64
		for _, r := range g.Records.Wait(t, served+1) {
			spent += r.Cost.Total
		}
		if spent != int64(served)*usedOfMini*1000 {
			t.Errorf("%d spent", spent)
		}
	})
}

// TestDowngradeDialects turns streams and other dialects too.
func TestDowngradeDialects(t *testing.T) {
	const sse = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}` + "\n\ndata: [DONE]\n\n"
	for _, d := range []struct{ name, path, body string }{
		{"openai", "/v1/chat/completions", hi},
		{"openai stream", "/v1/chat/completions", strings.Replace(hi, "{", `{"stream":true,`, 1)},
		{"anthropic", "/v1/messages", hi},
		{"anthropic stream", "/v1/messages", strings.Replace(hi, "{", `{"stream":true,`, 1)},
		{"gemini", "/v1beta/models/m:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
		{"gemini stream", "/v1beta/models/m:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	} {
		t.Run(d.name, func(t *testing.T) {
			g, up := access(t, prices2+"key ci {env.CI_KEY} {\nlimit usd 0.001 1M downgrade mini 50\n}\nlimit requests 2 1h downgrade tiny 50", "ai_gateway", func(w http.ResponseWriter, r *weirtest.Request) {
				if strings.Contains(string(r.Body), `"stream":true`) {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, sse)
					return
				}
				hello(w, r)
			})
			body := d.body
			if strings.HasPrefix(d.name, "gemini") {
				body = strings.Replace(body, "{", `{"generationConfig":{"maxOutputTokens":20},`, 1)
			}
			status, header, answer := askWith(t, g, d.path, ofCI, body)
			if status != 200 || header.Get("X-AI-Model") != "gpt-4o-mini" || header.Get("X-AI-Downgraded") != "m" || !strings.Contains(answer, "hello") {
				t.Errorf("status %d, header %v: %s", status, header, answer)
			}
			if got := modelOf(t, up.Requests()[0]); got != "gpt-4o-mini" {
				t.Errorf("the upstream was asked for %s", got)
			}
			if r := g.Records.Wait(t, 1)[0]; r.Model != "m" || r.Downgraded != "mini" || r.UpstreamModel != "gpt-4o-mini" || r.Usage.Output != 5 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestDowngradeQueue waits for room with the model that a call was turned to.
func TestDowngradeQueue(t *testing.T) {
	h := newHall(t, prices2, "limit usd 0.001 1M downgrade mini 50\nlimit concurrency 1 queue 1m", "limit requests 1 200ms queue 30s downgrade mini 50\nmodels m mini")
	first := h.hold()
	second := h.queue(ofCI, "second", 1)
	h.drain(1)
	for _, done := range []<-chan outcome{first, second} {
		if got := <-done; got.status != 200 || got.header.Get("X-AI-Model") != "gpt-4o-mini" {
			t.Errorf("%+v", got)
		}
	}
	third := h.ask(ofOther, "third")
	<-h.entered
	fourth := h.ask(ofOther, "fourth")
	<-h.entered
	h.open <- struct{}{}
	h.open <- struct{}{}
	for i, done := range []<-chan outcome{third, fourth} {
		if got := <-done; got.status != 200 || got.header.Get("X-AI-Model") != []string{"gpt-4o", "gpt-4o-mini"}[i] {
			t.Errorf("%+v", got)
		}
	}
	if n := h.metric(`caddy_ai_limit_decisions_total{decision="downgraded",unit="usd"}`); n < 2 {
		t.Errorf("%v downgrades are counted", n)
	}
	h.all.Wait()
}

// TestDowngradeConfig refuses limits that send requests nowhere, or in a circle.
func TestDowngradeConfig(t *testing.T) {
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	for _, tt := range []struct{ name, ai, site, problem string }{
		{"a key's", "key ci {env.CI_KEY} {\nlimit usd 1 1M downgrade mimi\n}", "", "did you mean 'mini'"},
		{"a bearer's", "limit team x usd 1 1M downgrade nobody/knows", "", "downgrade: 'nobody/knows' is neither"},
		{"a model's", "model a sim/a {\nlimit usd 1 1M downgrade mini2\n}", "", "model 'a': limit usd 1 1M downgrade mini2: downgrade: 'mini2' is neither"},
		{"a site's", "", "ai_limit {\nrequests 1 1h downgrade mimi\n}", "did you mean 'mini'"},
		{"itself", "model a sim/a {\nlimit usd 1 1M downgrade a\n}", "", "in a circle: a → a"},
		{"a circle", "model a sim/a {\nlimit usd 1 1M downgrade b-1\n}\nmodel b-* sim/*\nlimit model b-* requests 1 1h downgrade c\nmodel c sim/c {\nlimit requests 5 1h\nlimit usd 1 1M downgrade a\n}", "", "in a circle: a → b-* → c → a"},
		{"a priority", "key ci {env.CI_KEY} {\npriority hihg\n}", "", "did you mean 'high'?"},
		{"two priorities", "key ci {env.CI_KEY} {\npriority high\npriority low\n}", "", "priority is given twice"},
		{"known", "model a sim/a {\nlimit usd 1 1M downgrade mini\n}\nlimit usd 1 1M downgrade sim/x\nlimit model * usd 1 1M downgrade mini", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := weirtest.Validate(fmt.Sprintf("{\nadmin off\nai {\nprovider sim simulator\nmodel mini sim/mini\n%s\n}\n}\nhttp://:8080 {\n%s\nai_gateway\n}\n", tt.ai, tt.site))
			if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%v, want %q", err, tt.problem)
			}
		})
	}
}
