package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestFreshBearers lets 200 clients race for the 10 places of somebody whom
// nobody has seen before (B02).
func TestFreshBearers(t *testing.T) {
	opened, open := latch()
	defer open()
	var asking atomic.Int64
	g, up := access(t, "key ci {env.CI_KEY}\nlimit key * requests 10 1h", "ai_auth\nai_limit {\nkey {header.X-Customer}\nrequests 10 1h\n}\nai_proxy", func(w http.ResponseWriter, r *weirtest.Request) {
		asking.Add(1)
		<-opened
		hello(w, r)
	})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	defer client.CloseIdleConnections()
	var admitted, refused atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			req, _ := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(hi))
			req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
			req.Header.Set("X-Customer", "new")
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
			if res.StatusCode == 200 {
				admitted.Add(1)
			} else {
				refused.Add(1)
			}
		})
	}
	eventually(t, "an end for the refused", func() bool { return refused.Load()+asking.Load() >= 200 })
	open()
	all.Wait()
	if admitted.Load() != 10 || len(up.Requests()) != 10 {
		t.Errorf("%d admitted, %d reached the upstream", admitted.Load(), len(up.Requests()))
	}
}

// TestModelSpellings asks for a model that a key may not use by every name that
// might be taken for it (B11).
func TestModelSpellings(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY} {\nmodels m\n}\nmodel gold openai/gpt-4o\nmodel golden/* openai/*", "ai_gateway", hello)
	for _, name := range []string{
		"gold", "Gold", "GOLD", " gold", "gold ", "gold\\u0000", "gold\\n", "g\\u006fld", "gоld", "gold\\u200b", "ｇｏｌｄ",
		"openai/gpt-4o", "openai/GPT-4o", "OpenAI/gpt-4o", "openai//gpt-4o", "/openai/gpt-4o", "golden/gpt-4o", "gold@preset", "m@gold", "m/../gold", "m,gold", "m*", "*",
	} {
		status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, `"m"`, `"`+name+`"`, 1))
		if status != 403 && status != 404 && status != 400 {
			t.Errorf("%q: status %d: %s", name, status, body)
		}
	}
	for _, path := range []string{"gold", "openai%2Fgpt-4o", "openai/gpt-4o", "%67old", "m%2F..%2Fgold", "m/../gold", "gold;x", "GOLD"} {
		status, _, body := askWith(t, g, "/v1beta/models/"+path+":generateContent", "a-secret-of-ci-0001", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
		if status == 200 {
			t.Errorf("%q: status %d: %s", path, status, body)
		}
	}
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
}

// operations are a call of every operation of clients.
var operations = []struct{ path, body string }{
	{"/v1/chat/completions", hi},
	{"/v1/completions", `{"model":"m","prompt":"hi","max_tokens":5}`},
	{"/v1/responses", `{"model":"m","input":"hi","max_output_tokens":20}`},
	{"/v1/responses/compact", `{"model":"m","input":"hi"}`},
	{"/v1/responses/input_tokens", `{"model":"m","input":"hi"}`},
	{"/v1/embeddings", `{"model":"m","input":"hi"}`},
	{"/v1/moderations", `{"model":"m","input":"hi"}`},
	{"/v1/rerank", `{"model":"m","query":"hi","documents":["a"]}`},
	{"/v1/images/generations", `{"model":"m","prompt":"hi"}`},
	{"/v1/audio/speech", `{"model":"m","input":"hi","voice":"alloy"}`},
	{"/v1/messages", `{"model":"m","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}`},
	{"/v1/messages/count_tokens", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`},
	{"/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
	{"/v1beta/models/m:streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
	{"/v1beta/models/m:embedContent", `{"content":{"parts":[{"text":"hi"}]}}`},
	{"/v1beta/models/m:countTokens", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
	{"/tokenize", `{"model":"m","text":"hi"}`},
}

// TestEveryDoorIsMetered holds that no operation reaches an upstream past a
// limit that is used up (B16), and that what is no operation reaches none.
func TestEveryDoorIsMetered(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY} {\nlimit requests 1 1h\n}", "ai_gateway", hello)
	if status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != 200 {
		t.Fatalf("status %d: %s", status, body)
	}
	for _, op := range operations {
		status, _, body := askWith(t, g, op.path, "a-secret-of-ci-0001", op.body)
		if status < 400 && !strings.Contains(op.path, "count") && !strings.Contains(op.path, "token") {
			t.Errorf("%s: status %d: %s", op.path, status, body)
		}
	}
	for _, path := range []string{"/v1/files", "/v1/batches", "/v1/fine_tuning/jobs", "/v1/realtime", "/v1/assistants", "/v1/chat/completions/x", "/v1/anything", "/api/chat", "/"} {
		if status, _, body := askWith(t, g, path, "a-secret-of-ci-0001", hi); status != 404 && status != 405 && status != 429 {
			t.Errorf("%s: status %d: %s", path, status, body)
		}
	}
	if n := len(up.Requests()); n != 1 {
		for _, r := range up.Requests() {
			t.Log(r.Method, r.Path)
		}
		t.Errorf("%d calls reached the upstream", n)
	}
}

// TestCountersAreOutOfReach holds that nothing that a client can ask for
// changes what is counted, except a call (B13).
func TestCountersAreOutOfReach(t *testing.T) {
	g, _ := access(t, "key ci {env.CI_KEY} {\nlimit requests 5 1h\nlimit tokens 1000 1h\n}", "ai_health\nai_gateway", hello)
	left := func() string {
		t.Helper()
		status, header, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi)
		if status != 200 {
			t.Fatalf("status %d: %s", status, body)
		}
		return header.Get("X-Ratelimit-Remaining-Requests") + " " + header.Get("X-Ratelimit-Remaining-Tokens")
	}
	if got := left(); got != "4 985" {
		t.Fatalf("%s left", got)
	}
	for _, path := range []string{"/v1/models", "/v1/models/m", "/v1beta/models", "/health", "/health/ready", "/ai/keys", "/ai/keys/ci", "/ai/usage", "/ai/cache", "/ai/cache/purge", "/ai/limits", "/v1/nothing", "/metrics", "/config/"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			req, _ := http.NewRequest(method, g.URL+path, strings.NewReader(`{"limits":[],"spend":0}`))
			req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
	}
	for _, body := range []string{`{`, `[]`, `{"model":"nobody","messages":[]}`, `{"model":"m"}`} {
		askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", body)
	}
	askWith(t, g, "/v1/chat/completions", "a-wrong-secret-0001", hi)
	if got := left(); got != "3 970" {
		t.Errorf("%s left", got)
	}
}

// TestNoKeys holds that a gateway that asks for keys or another identity and
// has none serves nobody, not even its neighbours (H01). TestStrangers is one
// that asks for nothing.
func TestNoKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, ai, site string }{
		{"an empty file", "keys_file " + file, "ai_gateway"},
		{"another identity", "", "ai_auth {\nidentity {http.auth.user.id}\n}\nai_proxy"},
		{"only a disabled one", "key off {env.OTHER_KEY} {\ndisabled\n}", "ai_gateway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, up := access(t, tt.ai, tt.site, hello)
			for _, key := range []string{"", "x", "a-secret-of-ci-0001", "a-secret-of-other-1", "sk-upstream"} {
				if status, _, body := askWith(t, g, "/v1/chat/completions", key, hi); status != 401 {
					t.Errorf("%q: status %d: %s", key, status, body)
				}
			}
			if n := len(up.Requests()); n != 0 {
				t.Errorf("%d calls reached the upstream", n)
			}
		})
	}
}

// TestStrangeCredentials presents what has broken into gateways or brought
// them down (H05), often, and the one good key in between (H08).
func TestStrangeCredentials(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY}", "ai_gateway", hello)
	strange := []string{
		"' OR 1=1 --", `"; return redis.call("FLUSHALL") --`, "*", "?", "[a-z]*", "a-secret-of-ci-*", "a-secret-of-ci-0001 ", "a-secret-of-ci-0001,", "A-SECRET-OF-CI-0001",
		"a-secret-of-ci-0001\t", "%61-secret-of-ci-0001", "{env.CI_KEY}", "{http.ai.key.name}", "../../etc/passwd", "null", "undefined", "Bearer", "sk-weir-", "sk-weir--", "sk-weir-ci-",
		strings.Repeat("x", 100_000), "ключ", "\u202ea-secret-of-ci-0001",
	}
	for range 20 {
		for _, credential := range strange {
			trimmed := strings.TrimSpace(credential)
			status, _, body := askWith(t, g, "/v1/chat/completions", credential, hi)
			if want := 401; trimmed == "a-secret-of-ci-0001" {
				// HTTP takes the space off.
				if status != 200 {
					t.Errorf("%q: status %d: %s", credential, status, body)
				}
			} else if status != want && status != 431 {
				t.Errorf("%.40q: status %d: %.200s", credential, status, body)
			} else if len(credential) > 12 && strings.Contains(body, credential) {
				t.Errorf("%.40q is in the answer", credential)
			}
		}
		if status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != 200 {
			t.Fatalf("the good key: status %d: %s", status, body)
		}
	}
	if n := len(up.Requests()); n != 20*3 {
		t.Errorf("%d calls reached the upstream", n)
	}
}

// TestPathTricks writes paths and hosts so that a matcher might miss them
// (H07): without a key no call reaches an upstream.
func TestPathTricks(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY}", "ai_gateway", hello)
	for _, path := range []string{
		"/v1/chat/completions", "//v1/chat/completions", "/v1//chat/completions", "/v1/./chat/completions", "/x/../v1/chat/completions", "/%76%31/chat/completions",
		"/v1/chat%2fcompletions", "/v1%2Fchat%2Fcompletions", "/v1/%2e%2e/v1/chat/completions", "/V1/CHAT/COMPLETIONS", "/v1/chat/completions/", "/v1/chat/completions;x", "/v1/chat/completions%20", "/v1/chat/completions%00", "/health/../v1/chat/completions",
		"http://elsewhere/v1/chat/completions",
	} {
		for _, host := range []string{"test", "test.", "TEST", "127.0.0.1", "localhost:1", "xn--80ak6aa92e.com"} {
			c := dial(t, g.Addr)
			fmt.Fprintf(c.conn, "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, host, len(hi), hi)
			res, err := http.ReadResponse(c.br, &http.Request{Method: http.MethodPost})
			if err != nil {
				t.Fatalf("%s %s: %v", host, path, err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode < 400 {
				t.Errorf("%s %s: status %d", host, path, res.StatusCode)
			}
		}
	}
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
}

// TestRefusedBeforeTheBody holds that who is refused on their headers alone is
// told at once, also when they hold the body back until they are told to send
// it, and that nobody tells them to.
func TestRefusedBeforeTheBody(t *testing.T) {
	g, up := access(t, "key ci {env.CI_KEY}", "ai_gateway {\nmax_body 1MB\n}", hello)
	for _, tt := range []struct {
		name, key, length string
		want              int
	}{
		{"no such key", "nobody", "1000", 401},
		{"too large", "a-secret-of-ci-0001", "2000000", 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", g.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			// No body follows: whoever waits for one waits for the patience of the test.
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+tt.key+
				"\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: "+tt.length+"\r\n\r\n")
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := io.ReadAll(res.Body); err != nil || res.StatusCode != tt.want {
				t.Errorf("status %d, %v", res.StatusCode, err)
			}
		})
	}
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
}
