package integration

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestBypass tries to use more than a limit allows by the ways in which
// gateways have been passed. A call asks for 8 tokens of prompt.
func TestBypass(t *testing.T) {
	for _, tt := range []struct {
		name, path, body string
		status           int
		says             string
	}{
		{"fits", "/v1/chat/completions", hi, 200, ""},
		{"several answers that fit", "/v1/chat/completions", with1(hi, `"n":4`), 200, ""},
		{"several answers", "/v1/chat/completions", with1(hi, `"n":5`), 429, "asked for 108"},
		{"no cap", "/v1/chat/completions", strings.Replace(hi, `"max_tokens":20,`, ``, 1), 429, "asked for 8200"},
		{"a null cap", "/v1/chat/completions", strings.Replace(hi, `20`, `null`, 1), 429, "asked for 8200"},
		{"a huge cap", "/v1/chat/completions", strings.Replace(hi, `20`, `9000000000000000`, 1), 429, "more than the limit allows"},
		{"a cap beyond numbers", "/v1/chat/completions", strings.Replace(hi, `20`, `1e400`, 1), 400, "max_tokens"},
		{"two caps", "/v1/chat/completions", with1(hi, `"max_completion_tokens":500`), 429, "asked for 508"},
		{"the cap twice", "/v1/chat/completions", with1(hi, `"max_tokens":1`), 400, "more than once"},
		{"the cap in another case", "/v1/chat/completions", with1(hi, `"Max_Tokens":1`), 400, "another spelling"},
		{"the best of several answers", "/v1/completions", `{"model":"m","prompt":"hi","max_tokens":20,"best_of":5}`, 429, "asked for 10"},
		{"the best of several answers that fit", "/v1/completions", `{"model":"m","prompt":"hi","max_tokens":20,"best_of":4,"n":2}`, 200, ""},
		{"several prompts", "/v1/completions", `{"model":"m","prompt":["hi","hi","hi","hi","hi"],"max_tokens":20}`, 429, "asked for 10"},
		{"no cap on responses", "/v1/responses", `{"model":"m","input":"hi"}`, 429, "asked for 8"},
		{"a cap of nothing", "/v1/chat/completions", strings.Replace(hi, `20`, `0`, 1), 429, "asked for 8200"},
		{"a negative cap", "/v1/chat/completions", strings.Replace(hi, `20`, `-1`, 1), 400, "max_tokens"},
		{"several answers in quotes", "/v1/chat/completions", with1(hi, `"n":"5"`), 400, "'n' must be a whole number"},
		{"several answers and a half", "/v1/chat/completions", with1(hi, `"n":5.5`), 400, "'n' must be a whole number"},
		{"answers beyond numbers", "/v1/chat/completions", with1(hi, `"n":1e400`), 400, "'n' must be a whole number"},
		{"the best of several answers in quotes", "/v1/completions", `{"model":"m","prompt":"hi","max_tokens":20,"best_of":"5"}`, 400, "'best_of' must be a whole number"},
		{"candidates in quotes", "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":20,"candidateCount":"5"}}`, 400, "candidateCount"},
		{"the cap of responses on a chat", "/v1/chat/completions", strings.Replace(hi, `max_tokens`, `max_output_tokens`, 1), 429, "asked for 8200"},
		{"the cap of a chat on responses", "/v1/responses", `{"model":"m","input":"hi","max_tokens":20}`, 429, "asked for 8"},
		{"the cap of a chat on a completion", "/v1/completions", `{"model":"m","prompt":"hi","max_completion_tokens":20}`, 429, "asked for 8"},
		{"128 answers", "/v1/chat/completions", with1(hi, `"n":128`), 429, "asked for 2568"},
		{"the model twice", "/v1/chat/completions", with1(hi, `"model":"openai/gpt-4o"`), 400, "more than once"},
		{"the target's own name", "/v1/chat/completions", strings.Replace(strings.Replace(hi, `"m"`, `"openai/gpt-4o"`, 1), `20`, `500`, 1), 429, "asked for 508"},
		{"another dialect", "/v1/messages", strings.Replace(hi, `20`, `500`, 1), 429, "asked for 508"},
		{"another dialect's several answers", "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":20,"candidateCount":5}}`, 429, "asked for 10"},
		{"another dialect's spellings", "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":20,"max_output_tokens":2000}}`, 400, "write it once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, up := access(t, "key ci {env.CI_KEY} {\nlimit tokens 100 1h\n}", "ai_gateway", hello)
			status, _, body := askWith(t, g, tt.path, "a-secret-of-ci-0001", tt.body)
			if status != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("status %d: %s", status, body)
			}
			if calls := len(up.Requests()); (calls == 1) != (tt.status == 200) {
				t.Errorf("%d calls reached the upstream", calls)
			}
		})
	}
}

// with1 adds a member to a body.
func with1(body, member string) string { return strings.Replace(body, "{", "{"+member+",", 1) }

// TestAborts charges clients that leave at the first token, again and again.
func TestAborts(t *testing.T) {
	const times = 100
	g, _ := access(t, "key ci {env.CI_KEY} {\nlimit tokens 100000 1h\n}", "ai_gateway", func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`+"\n\n")
		weirtest.Flush(w)
		<-r.Gone
	})
	for range times {
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(with1(hi, `"stream":true`)))
		req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := res.Body.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		cancel()
		res.Body.Close()
	}
	total := int64(0)
	for _, r := range g.Records.Wait(t, times) {
		if r.Usage.Input != 8 || r.Usage.Output < 1 {
			t.Errorf("charged %+v", r.Usage)
		}
		total += r.Usage.Input + r.Usage.Output
	}
	req, _ := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(strings.Replace(hi, "20", "200000", 1)))
	req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), "used "+strconv.FormatInt(total, 10)+",") {
		t.Errorf("%d were charged: %s", total, body)
	}
}

// TestUpstreamsChooseNoModel holds that the members by which routers choose
// among models are no way around a key's models, nor around its budget. Who
// has neither may use them.
func TestUpstreamsChooseNoModel(t *testing.T) {
	for _, tt := range []struct {
		key, member string
		status      int
		says        string
	}{
		{"models m", `"models":["dear/model"]`, 403, "'models' would let the upstream choose one"},
		{"models m", `"fallbacks":["dear/model"]`, 403, "'fallbacks' would let"},
		{"models m", `"preset":"dear"`, 403, "'preset' would let"},
		{"models m", `"mod\u0065ls":["dear/model"]`, 403, "'models' would let"},
		{"models m", `"Models":["dear/model"]`, 400, "another spelling"},
		{"models m", `"models":null`, 200, ""},
		{"limit usd 5 1h", `"models":["dear/model"]`, 400, "a limit in usd"},
		{"limit tokens 1000 1h", `"models":["dear/model"]`, 200, ""},
	} {
		t.Run(tt.key+" "+tt.member, func(t *testing.T) {
			g, up := access(t, "key ci {env.CI_KEY} {\n"+tt.key+"\n}", "ai_gateway", hello)
			status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", with1(hi, tt.member))
			if status != tt.status || !strings.Contains(body, tt.says) || (len(up.Requests()) == 1) != (tt.status == 200) {
				t.Errorf("status %d after %d calls: %s", status, len(up.Requests()), body)
			}
			// In another dialect they mean nothing, and are not sent.
			status, _, body = askWith(t, g, "/v1/messages", "a-secret-of-ci-0001", with1(hi, `"models":["dear/model"]`))
			if calls := up.Requests(); status != 200 || strings.Contains(string(calls[len(calls)-1].Body), "dear") {
				t.Errorf("messages: status %d: %s", status, body)
			}
		})
	}
}
