package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

// hello is an upstream's whole answer with a known usage.
func hello(w http.ResponseWriter, _ *weirtest.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`)
}

const hi = `{"model":"m","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}`

// access is a gateway with keys and one upstream.
func access(t *testing.T, ai, site string, answer func(http.ResponseWriter, *weirtest.Request)) (*weirtest.Gateway, *weirtest.Upstream) {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	t.Setenv("OTHER_KEY", "a-secret-of-other-1")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	up := weirtest.NewUpstream(t, answer)
	g := weirtest.StartWith(t, "", fmt.Sprintf("provider openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m openai/gpt-4o\n%s", up.URL, ai), site)
	return g, up
}

// latch returns what upstreams wait for until open is called. A test defers open
// too: when it fails early, its servers wait for their handlers.
func latch() (opened <-chan struct{}, open func()) {
	ch := make(chan struct{})
	return ch, sync.OnceFunc(func() { close(ch) })
}

// askWith asks with a key and returns status, header and body.
func askWith(t *testing.T, g *weirtest.Gateway, path, key, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(data)
}

// TestKeys asks with good, bad and no keys, in every place that SDKs put one.
func TestKeys(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY} {\nmodels m\nteam platform\nuser ann\n}\nkey off {env.OTHER_KEY} {\ndisabled\n}\nmodel other openai/gpt-4o-mini", "ai_gateway", hello)
	for _, tt := range []struct {
		name   string
		header string
		query  string
		path   string
		body   string
		status int
		want   string
	}{
		{"bearer", "Authorization: Bearer a-secret-of-ci-0001", "", "", hi, 200, "hello"},
		{"x-api-key", "X-Api-Key: a-secret-of-ci-0001", "", "", hi, 200, "hello"},
		{"x-goog-api-key", "X-Goog-Api-Key: a-secret-of-ci-0001", "", "", hi, 200, "hello"},
		{"api-key", "Api-Key: a-secret-of-ci-0001", "", "", hi, 200, "hello"},
		{"query", "", "?key=a-secret-of-ci-0001", "", hi, 200, "hello"},
		{"none", "", "", "", hi, 401, "invalid_api_key"},
		{"wrong", "X-Api-Key: a-secret-of-ci-0002", "", "", hi, 401, "invalid_api_key"},
		{"disabled", "X-Api-Key: a-secret-of-other-1", "", "", hi, 401, "disabled"},
		{"two", "X-Api-Key: a-secret-of-ci-0001", "?key=another-secret-0001", "", hi, 401, "two different keys"},
		{"model", "X-Api-Key: a-secret-of-ci-0001", "", "", strings.Replace(hi, `"m"`, `"other"`, 1), 403, "model_not_allowed"},
		{"target", "X-Api-Key: a-secret-of-ci-0001", "", "", strings.Replace(hi, `"m"`, `"openai/gpt-4o"`, 1), 403, "model_not_allowed"},
		{"anthropic", "X-Api-Key: wrong-wrong-wrong-1", "", "/v1/messages", hi, 401, `"authentication_error"`},
		{"gemini", "", "?key=wrong-wrong-wrong-1", "/v1beta/models/m:generateContent", `{"contents":[]}`, 401, `"UNAUTHENTICATED"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.path
			if path == "" {
				path = "/v1/chat/completions"
			}
			before := len(up.Requests())
			req, err := http.NewRequest(http.MethodPost, g.URL+path+tt.query, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if name, value, ok := strings.Cut(tt.header, ": "); ok {
				req.Header.Set(name, value)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
				t.Errorf("status %d, body %s", res.StatusCode, body)
			}
			calls := up.Requests()[before:]
			if tt.status != 200 && len(calls) > 0 {
				t.Error("a refused request reached the upstream")
			}
			for _, call := range calls {
				if call.Header.Get("Authorization") != "Bearer sk-upstream" || call.Header.Get("X-Api-Key") != "" || strings.Contains(call.Query, "key=") {
					t.Errorf("the upstream got %v %s", call.Header, call.Query)
				}
			}
		})
	}
	record := g.Records.All()[0]
	if record.Key != "ci" || record.Principal != "ci" {
		t.Errorf("record of %q, %q", record.Key, record.Principal)
	}
}

// TestLimitHolds lets 1,000 clients race for what 100 may have.
func TestLimitHolds(t *testing.T) {
	for _, tt := range []struct{ name, limit, kind string }{
		// A call asks for 8 tokens of prompt and 20 of answer at most, and uses 15.
		{"requests", "requests 100 1h", "rate_limit_exceeded"},
		{"concurrency", "concurrency 100", "rate_limit_exceeded"},
		{"tokens", "tokens 2800 1h", "rate_limit_exceeded"},
		{"usd", "usd " + limits.FormatUSD(100*(8+20)*10_000) + " 1d", "insufficient_quota"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opened, open := latch()
			defer open()
			var asking atomic.Int64
			g, up := access(t, "price openai/gpt-4o input 10 output 10\nkey ci {env.CI_KEY} {\nlimit "+tt.limit+"\n}", "ai_gateway", func(w http.ResponseWriter, r *weirtest.Request) {
				asking.Add(1)
				<-opened // no one settles before all have asked
				hello(w, r)
			})
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
			defer client.CloseIdleConnections()
			var admitted, refused atomic.Int64
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					req, _ := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(hi))
					req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
					res, err := client.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					defer res.Body.Close()
					body, _ := io.ReadAll(res.Body)
					switch {
					case res.StatusCode == 200:
						admitted.Add(1)
					case res.StatusCode == 429 && strings.Contains(string(body), tt.kind):
						refused.Add(1)
					default:
						t.Errorf("status %d: %s", res.StatusCode, body)
					}
				})
			}
			eventually(t, "an end for the refused", func() bool { return refused.Load()+asking.Load() >= 1000 })
			open()
			all.Wait()
			if admitted.Load() != 100 || len(up.Requests()) != 100 {
				t.Errorf("%d admitted, %d reached the upstream", admitted.Load(), len(up.Requests()))
			}
			spent := int64(0)
			for _, r := range g.Records.Wait(t, 1000) {
				spent += r.Usage.Input + r.Usage.Output
			}
			if spent != 100*15 {
				t.Errorf("%d tokens in the records", spent)
			}
		})
	}
}

// TestSettling gives back what was not used, charges nothing for refusals, and
// tells the client what is left.
func TestSettling(t *testing.T) {
	fail := new(atomic.Bool)
	g, up := access(t, "key ci {env.CI_KEY} {\nlimit tokens 60 1h\nlimit requests 5 1h\n}", "ai_gateway", func(w http.ResponseWriter, r *weirtest.Request) {
		if fail.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error":{"message":"broken"}}`)
			return
		}
		hello(w, r)
	})
	ask := func(body string) (int, http.Header, string) {
		return askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", body)
	}
	// 28 are reserved, 15 used: a second and a third fit although three times 28 do not.
	for i, left := range []string{"45", "30", "15"} {
		status, header, body := ask(hi)
		if status != 200 || header.Get("X-Ratelimit-Remaining-Tokens") != left || header.Get("X-Ratelimit-Limit-Tokens") != "60" {
			t.Fatalf("call %d: status %d, %s left, %s", i, status, header.Get("X-Ratelimit-Remaining-Tokens"), body)
		}
		g.Records.Wait(t, i+1)
	}
	status, header, body := ask(hi)
	var refusal struct {
		Error struct{ Message, Code string }
	}
	if err := json.Unmarshal([]byte(body), &refusal); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"key 'ci'", "tokens 60 1h", "used 45", "left 15", "asked for 28"} {
		if !strings.Contains(refusal.Error.Message, want) {
			t.Errorf("%q is missing in %q", want, refusal.Error.Message)
		}
	}
	if status != 429 || header.Get("Retry-After") == "" || header.Get("X-Should-Retry") != "true" {
		t.Errorf("status %d, header %v", status, header)
	}
	// A cap that fits is admitted, an upstream that fails costs nothing.
	small := strings.Replace(hi, `20`, `7`, 1)
	fail.Store(true)
	if status, _, body := ask(small); status != 500 {
		t.Errorf("status %d: %s", status, body)
	}
	g.Records.Wait(t, 5)
	fail.Store(false)
	if status, header, body := ask(small); status != 200 || header.Get("X-Ratelimit-Remaining-Tokens") != "0" {
		t.Errorf("status %d, %s left: %s", status, header.Get("X-Ratelimit-Remaining-Tokens"), body)
	}
	g.Records.Wait(t, 6)
	if n := len(up.Requests()); n != 5 {
		t.Errorf("%d calls reached the upstream", n)
	}
	// One that could never fit is told so.
	status, header, body = ask(strings.Replace(hi, `20`, `200`, 1))
	if status != 429 || header.Get("X-Should-Retry") != "false" || !strings.Contains(body, "more than the limit allows") {
		t.Errorf("status %d, %v: %s", status, header, body)
	}
}

// TestCapIsWritten holds that a limit on tokens writes a cap where the client
// has none.
func TestCapIsWritten(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY} {\nlimit tokens 100000 1h\n}", "ai_gateway", hello)
	body := `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", body); status != 200 {
		t.Fatalf("status %d: %s", status, answer)
	}
	if sent := up.Requests()[0].Body; !bytes.Contains(sent, []byte(`"max_completion_tokens":8192`)) {
		t.Errorf("sent %s", sent)
	}
	// An upstream that takes "3" for 3 would answer three times for the price of one.
	for _, member := range []string{`"n":"3"`, `"max_tokens":"3"`} {
		status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(body, `"model"`, member+`,"model"`, 1))
		if status != 400 || !strings.Contains(answer, "must be a whole number") || len(up.Requests()) != 1 {
			t.Errorf("%s: status %d: %s", member, status, answer)
		}
	}
}

// TestScopes holds limits of teams, users, models, providers, everybody and
// placeholders.
func TestScopes(t *testing.T) {
	for _, tt := range []struct {
		name, ai, site string
		shared         bool // both keys share the counter
		says           string
	}{
		{"global", "limit requests 1 1h", "", true, "the gateway"},
		{"team", "limit team platform requests 1 1h", "", true, "team 'platform'"},
		{"each team", "limit team * requests 1 1h", "", true, "team 'platform'"},
		{"user", "limit user ann requests 1 1h", "", false, "user 'ann'"},
		{"provider", "limit provider openai requests 1 1h", "", true, "provider 'openai'"},
		{"model", "model n openai/gpt-4o {\nlimit requests 1 1h\n}", "", true, "model 'n'"},
		{"each key", "limit key * requests 1 1h", "", false, "key 'ci'"},
		{"a placeholder", "", "ai_limit {\nkey {client_ip}\nrequests 1 1h\n}\n", true, "the site"},
		{"the key by placeholder", "", "ai_limit {\nkey {http.ai.key.name}\nrequests 1 1h\n}\n", false, "the site"},
		{"the key before it is known", "", "ai_limit {\nkey {http.ai.key.name}\nrequests 1 1h\n}\nai_gateway", false, "the site"},
		{"the team before it is known", "", "ai_limit {\nkey {http.ai.key.team}\nrequests 1 1h\n}\nai_gateway", true, "the site"},
		{"the model", "", "ai_limit {\nkey {http.ai.key.name}/{http.ai.model}\nrequests 1 1h\n}\nai_gateway", false, "the site"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site := tt.site
			if !strings.HasSuffix(site, "ai_gateway") {
				site = "ai_auth\n" + site + "ai_proxy"
			}
			g, _ := access(t, "key ci {env.CI_KEY} {\nteam platform\nuser ann\n}\nkey other {env.OTHER_KEY} {\nteam platform\nuser bob\n}\n"+modelN(tt.ai), site, hello)
			body := strings.Replace(hi, `"m"`, `"n"`, 1)
			if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", body); status != 200 {
				t.Fatalf("status %d: %s", status, answer)
			}
			status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", body)
			if status != 429 || !strings.Contains(answer, tt.says) {
				t.Errorf("status %d: %s", status, answer)
			}
			want := 200
			if tt.shared {
				want = 429
			}
			if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-other-1", body); status != want {
				t.Errorf("the other: status %d: %s", status, answer)
			}
			if !strings.Contains(tt.site, "http.ai.model") {
				return
			}
			if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != 200 {
				t.Errorf("another model: status %d: %s", status, answer)
			}
		})
	}
}

// modelN adds the model `n` to ai unless it is there.
func modelN(ai string) string {
	if strings.Contains(ai, "model n ") {
		return ai
	}
	return ai + "\nmodel n openai/gpt-4o"
}

// TestBudgets charges money, refuses what has no price, and tells the cost.
func TestBudgets(t *testing.T) {
	g, _ := access(t, "key ci {env.CI_KEY} {\nlimit usd 1 1M\n}\nmodel secret openai/nobody-knows-1\nmodel gold openai/gold-1\nprice openai/gold-1 input 100 output 1000", "ai_gateway", hello)
	status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi)
	if status != 200 || header.Get("X-Ai-Cost-Usd") != "0.000075" { // 10 × 2.50 and 5 × 10 dollars for a million
		t.Errorf("status %d, cost %q: %s", status, header.Get("X-Ai-Cost-Usd"), body)
	}
	status, _, body = askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, `"m"`, `"secret"`, 1))
	if status != 403 || !strings.Contains(body, "price of 'openai/nobody-knows-1' is not known") {
		t.Errorf("status %d: %s", status, body)
	}
	status, header, body = askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, `"m"`, `"gold"`, 1))
	if status != 200 || header.Get("X-Ai-Cost-Usd") != "0.006" {
		t.Errorf("status %d, cost %q: %s", status, header.Get("X-Ai-Cost-Usd"), body)
	}
	status, header, body = askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(strings.Replace(hi, `"m"`, `"gold"`, 1), "20", "994", 1))
	if status != 429 || header.Get("X-Should-Retry") != "false" || header.Get("Retry-After") == "" || !strings.Contains(body, `"insufficient_quota"`) {
		t.Errorf("status %d, %v: %s", status, header, body)
	}
	records := g.Records.Wait(t, 3)
	if r := records[0]; !r.Priced || r.Cost.Total != 75_000 {
		t.Errorf("record %+v", r.Cost)
	}
}

// TestKeysFile watches a file, and manages it through the admin endpoint.
func TestKeysFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := weirtest.FreeAddr(t)
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	up := weirtest.NewUpstream(t, hello)
	g := weirtest.StartWith(t, "admin "+admin, fmt.Sprintf("provider openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m openai/gpt-4o\nkeys_file %s\nkey ci {env.CI_KEY}", up.URL, path), "ai_gateway")
	call := func(method, url, body string) (int, string) {
		req, err := http.NewRequest(method, "http://"+admin+url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(data)
	}
	status, body := call("POST", keys.AdminPath, `{"name":"app","models":["m"],"limits":[["requests","2","1h"]]}`)
	var issued keys.Issued
	if err := json.Unmarshal([]byte(body), &issued); err != nil || status != 201 || !strings.HasPrefix(issued.Secret, keys.Prefix) {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	for i, want := range []int{200, 200, 429} {
		if status, _, answer := askWith(t, g, "/v1/chat/completions", issued.Secret, hi); status != want {
			t.Errorf("call %d: status %d: %s", i, status, answer)
		}
	}
	if status, body := call("GET", keys.AdminPath, ""); status != 200 || !strings.Contains(body, `"app"`) || !strings.Contains(body, `"ci"`) || strings.Contains(body, "hmac") || strings.Contains(body, issued.Secret) {
		t.Errorf("status %d: %s", status, body)
	}
	if status, body := call("DELETE", keys.AdminPath+"/app", ""); status != 204 {
		t.Errorf("status %d: %s", status, body)
	}
	if status, _, answer := askWith(t, g, "/v1/chat/completions", issued.Secret, hi); status != 401 {
		t.Errorf("revoked: status %d: %s", status, answer)
	}
	// Another process changes the file.
	store := keys.NewFile(path, keys.NewHasher(nil), time.Now, zeros{})
	_, secret, err := store.Create(t.Context(), keys.Draft{Name: "late"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new key", func() bool {
		status, _, _ := askWith(t, g, "/v1/chat/completions", secret, hi)
		return status == 200
	})
}

// zeros is a source of secrets for tests.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 37)
	}
	return len(p), nil
}

// TestQueue lets a request wait for room under a limit that says so.
func TestQueue(t *testing.T) {
	entered := make(chan struct{}, 2)
	opened, open := latch()
	defer open()
	g, _ := access(t, "key ci {env.CI_KEY} {\nlimit concurrency 1 queue 20s\n}\nkey other {env.OTHER_KEY} {\nlimit concurrency 1\n}", "ai_gateway", func(w http.ResponseWriter, r *weirtest.Request) {
		entered <- struct{}{}
		<-opened
		hello(w, r)
	})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != 200 {
				t.Errorf("status %d: %s", status, answer)
			}
		})
	}
	<-entered
	all.Go(func() {
		if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-other-1", hi); status != 200 {
			t.Errorf("status %d: %s", status, answer)
		}
	})
	<-entered
	if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-other-1", hi); status != 429 {
		t.Errorf("without a queue: status %d: %s", status, answer)
	}
	open()
	all.Wait()
}

// TestReloadKeepsCounts holds that a reload, also one that changes a limit's
// amount, goes on counting.
func TestReloadKeepsCounts(t *testing.T) {
	config := func(up string, n int) string {
		return fmt.Sprintf("provider openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m openai/gpt-4o\nkey ci {env.CI_KEY} {\nlimit requests %d 1h\n}", up, n)
	}
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	up := weirtest.NewUpstream(t, hello)
	g := weirtest.StartWith(t, "", config(up.URL, 2), "ai_gateway")
	ask := func(want int) {
		t.Helper()
		if status, _, answer := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != want {
			t.Errorf("status %d, want %d: %s", status, want, answer)
		}
	}
	ask(200)
	if err := g.Load("", config(up.URL, 3), "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	weirtest.Swapped(g.Addr)
	ask(200)
	ask(200)
	ask(429)
}

// TestCountsNeedTheModel holds that a key's models are those that it may count for.
func TestCountsNeedTheModel(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY} {\nmodels m\n}\nmodel other openai/gpt-4o-mini", "ai_gateway", hello)
	for _, tt := range []struct {
		path, model, body string
		status            int
	}{
		{"/v1/messages/count_tokens", "m", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, 200},
		{"/v1/messages/count_tokens", "other", `{"model":"other","messages":[{"role":"user","content":"hi"}]}`, 403},
		{"/v1/messages/count_tokens", "openai/gpt-4o", `{"model":"openai/gpt-4o","messages":[{"role":"user","content":"hi"}]}`, 403},
		{"/v1beta/models/m:countTokens", "m", `{"contents":[{"parts":[{"text":"hi"}]}]}`, 200},
		{"/v1beta/models/other:countTokens", "other", `{"contents":[{"parts":[{"text":"hi"}]}]}`, 403},
		{"/v1/tokenize", "m", `{"model":"m","input":"hi"}`, 200},
		{"/v1/tokenize", "other", `{"model":"other","input":"hi"}`, 403},
		{"/v1/tokenize", "gpt-4o", `{"model":"gpt-4o","input":"hi"}`, 200},
	} {
		status, _, body := askWith(t, g, tt.path, "a-secret-of-ci-0001", tt.body)
		if status != tt.status || status == 403 && !strings.Contains(body, "may not use the model '"+tt.model+"'") {
			t.Errorf("%s of %s: %d %s", tt.path, tt.model, status, body)
		}
	}
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d upstream calls", n)
	}
}

// TestFreeCalls holds that calls for which vendors charge nothing use no tokens and no
// money, whatever they report, but count as requests.
func TestFreeCalls(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, tt := range []struct{ name, provider, path, body, answer string }{
		{"counts", "anthropic", "/v1/messages/count_tokens", hi, `{"input_tokens":12}`},
		{"counts for responses", "openai", "/v1/responses/input_tokens", `{"model":"m","input":"hi"}`, `{"object":"response.input_tokens","input_tokens":12}`},
		{"moderations", "openai", "/v1/moderations", `{"model":"m","input":"hi"}`, `{"id":"x","model":"m","results":[{"flagged":false,"categories":{},"category_scores":{}}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			up := weirtest.NewUpstream(t, whole(200, tt.answer))
			g := weirtest.StartWith(t, "", fmt.Sprintf("provider up %s {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m up/some\nprice up/some input 1 output 1 request 1\nkey ci {env.CI_KEY} {\nlimit requests 2 1h\nlimit tokens 20000 1h\nlimit usd 100 1d\n}", tt.provider, up.URL), "ai_gateway")
			for i, want := range []int{200, 200, 429} {
				status, header, body := askWith(t, g, tt.path, "a-secret-of-ci-0001", tt.body)
				if status != want {
					t.Fatalf("call %d: status %d: %s", i, status, body)
				}
				left := header.Get("X-Ratelimit-Remaining-Tokens") + header.Get("Anthropic-Ratelimit-Tokens-Remaining")
				if left != "20000" || status == 200 && header.Get("X-Ai-Cost-Usd") != "0" {
					t.Errorf("call %d: %s tokens left, it costs %s", i, left, header.Get("X-Ai-Cost-Usd"))
				}
			}
			for _, r := range g.Records.Wait(t, 2)[:2] {
				if r.Usage != (wire.Usage{}) || r.Cost.Total != 0 || r.UsageSource != gateway.SourceNone {
					t.Errorf("record %+v, %d by %s", r.Usage, r.Cost.Total, r.UsageSource)
				}
			}
		})
	}
}

// TestSuggestions holds that who mistypes a name is shown names that are the key's
// own to use, and no others.
func TestSuggestions(t *testing.T) {
	g, _ := access(t, "key ci {env.CI_KEY} {\nmodels m\n}\nkey all {env.OTHER_KEY}\nmodel acme-secret openai/gpt-4o-mini", "ai_gateway", hello)
	for _, tt := range []struct{ key, model, want, never string }{
		{"a-secret-of-ci-0001", "acme-secre", "does not exist", "acme-secret"},
		{"a-secret-of-ci-0001", "mm", "did you mean 'm'?", "acme"},
		{"a-secret-of-ci-0001", "openi/x", "does not exist", "openai"},
		{"a-secret-of-other-1", "acme-secre", "did you mean 'acme-secret'", "\x00"},
		{"a-secret-of-other-1", "openi/x", "'openai/*'", "\x00"},
	} {
		for _, ask := range []func() (*http.Request, error){
			func() (*http.Request, error) {
				return http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(strings.Replace(hi, `"m"`, `"`+tt.model+`"`, 1)))
			},
			func() (*http.Request, error) {
				return http.NewRequest(http.MethodGet, g.URL+"/v1/models/"+tt.model, http.NoBody)
			},
		} {
			req, err := ask()
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Api-Key", tt.key)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			rest := strings.ReplaceAll(string(body), "'"+tt.model+"'", "")
			if err != nil || res.StatusCode != 404 || !strings.Contains(rest, tt.want) || strings.Contains(rest, tt.never) {
				t.Errorf("%s of %s: %d %s %v", req.Method, tt.model, res.StatusCode, body, err)
			}
		}
	}
}
