package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/pgtest"
)

// usage is an answer of GET /ai/usage.
type usage struct {
	Data []struct {
		Key      string  `json:"key"`
		Model    string  `json:"model"`
		Requests int64   `json:"requests"`
		Input    int64   `json:"input_tokens"`
		Output   int64   `json:"output_tokens"`
		Cost     float64 `json:"cost_usd"`
	} `json:"data"`
}

// TestLedger runs the real binary: what it records is there for the next
// process, also after it was killed in the middle of a stream, and budgets go
// on from it.
func TestLedger(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	streaming := make(chan struct{})
	opened, open := latch()
	defer open()
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		if !bytes.Contains(r.Body, []byte(`"stream":true`)) {
			hello(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for range 20 {
			_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`+"\n\n")
			weirtest.Flush(w)
		}
		close(streaming)
		<-opened
	})
	binary := buildBinary(t)
	site := newBinarySite(t, up, `model m openai/gpt-4o
		price openai/gpt-4o input 1000 output 1000
		key ci {env.CI_KEY} {
			team platform
			limit usd 0.10 1M
		}
		records sqlite`)
	addr, admin := site.addr, site.admin
	start := func() *exec.Cmd {
		t.Helper()
		return site.run(t, binary, "CI_KEY=a-secret-of-ci-0001")
	}
	post := func(body string) (int, string) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(data)
	}
	asked := func() (u usage) {
		t.Helper()
		res, err := http.Get("http://" + admin + "/ai/usage?by=key,model&since=1h")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	defer http.DefaultClient.CloseIdleConnections()

	cmd := start()
	for range 2 { // 15 tokens each, for a tenth of a cent a token
		if status, body := post(hi); status != 200 {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	eventually(t, "two requests in the ledger", func() bool {
		u := asked()
		return len(u.Data) == 1 && u.Data[0].Requests == 2
	})
	if got := asked().Data[0]; got.Key != "ci" || got.Model != "m" || got.Input != 20 || got.Output != 10 || got.Cost != 0.03 {
		t.Errorf("usage %+v", got)
	}
	// A stream is under way when the process is killed.
	go func() {
		req, _ := http.NewRequest(http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(strings.Replace(hi, `"model"`, `"stream":true,"model"`, 1)))
		req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
		if res, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}()
	select {
	case <-streaming:
	case <-time.After(patience):
		t.Fatal("no stream")
	}
	// One more that is there tells that what came before it is on disk.
	if status, body := post(hi); status != 200 {
		t.Fatalf("status %d: %s", status, body)
	}
	eventually(t, "three requests in the ledger", func() bool { return asked().Data[0].Requests == 3 })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()

	start()
	eventually(t, "four requests in the ledger", func() bool {
		u := asked()
		return len(u.Data) == 1 && u.Data[0].Requests == 4
	})
	spent := asked().Data[0]
	if spent.Input < 38 || spent.Cost < 0.053 {
		t.Errorf("the killed stream's prompt is not charged: %+v", spent)
	}
	// The budget of ten cents goes on from what was spent.
	admitted := 0
	for range 8 {
		if status, _ := post(hi); status == 200 {
			admitted++
		}
	}
	if total := spent.Cost + float64(admitted)*0.015; total > 0.10 || admitted == 0 {
		t.Errorf("%d admitted after $%.3f", admitted, spent.Cost)
	}
	out, err := exec.Command(binary, "ai", "usage", "--address", admin, "--by", "team", "--since", "1h").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "platform") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestBudgetsOutliveTheProcess spends two thirds of a budget of every scope: the next
// process refuses what has no room in the rest, for those that no configuration names
// too.
func TestBudgetsOutliveTheProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	up := weirtest.NewUpstream(t, hello)
	binary := buildBinary(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, tt := range []struct{ name, limit, spends, model, says string }{
		{"global", "limit usd 0.05 1M", "m", "m", "the gateway"},
		{"each team", "limit team * usd 0.05 1d", "m", "m", "team 'platform'"},
		{"each user", "limit user * usd 0.05 30d", "m", "m", "user 'ann'"},
		{"each key", "limit key * usd 0.05 1w", "m", "m", "key 'ci'"},
		{"each provider", "limit provider * usd 0.05 90d", "m", "m", "provider 'openai'"},
		{"each model", "limit model * usd 0.05 1M", "m", "m", "model 'm'"},
		{"a target", "limit model openai/gpt-4o usd 0.05 1M", "gpt-4o", "gpt-4o", "model 'openai/gpt-4o'"},
		{"a model that a limit turns to", "model mini openai/gpt-4.1 {\nlimit usd 0.05 1M\n}\nprice openai/gpt-4.1 input 1000 output 1000\nlimit model m usd 0.001 1M downgrade mini", "m", "mini", "model 'mini'"},
		{"a model that a condition leads to", "model mini openai/gpt-4o {\nlimit usd 0.05 1M\n}\nmodel w openai/gpt-4o {\nwhen not stream {\nto mini\n}\n}", "w", "mini", "model 'mini'"},
		{"a pattern", "model all-* openai/gpt-4o {\nlimit usd 0.05 30d\n}", "all-of-it", "all-of-it", "model 'all-*'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			site := newBinarySite(t, up, `model m openai/gpt-4o
		price openai/gpt-4o input 1000 output 1000
		key ci {env.CI_KEY} {
			team platform
			user ann
		}
		`+tt.limit)
			g := &weirtest.Gateway{URL: "http://" + site.addr}
			ask := func(model string) (int, string) {
				t.Helper()
				status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, `"m"`, `"`+model+`"`, 1))
				return status, body
			}
			for begin := range 2 {
				cmd := site.run(t, binary, "CI_KEY=a-secret-of-ci-0001")
				for i := range 2 * (1 - begin) {
					if status, body := ask(tt.spends); status != 200 {
						t.Fatalf("call %d: status %d: %s", i, status, body)
					}
				}
				if status, body := ask(tt.model); status != 429 || !strings.Contains(body, tt.says) || !strings.Contains(body, "used 0.03 usd") {
					t.Errorf("process %d: status %d: %s", begin, status, body)
				}
				_ = cmd.Process.Signal(os.Interrupt)
				_ = cmd.Wait()
			}
		})
	}
}

// TestBudgetsWaitForTheLedger starts while the database is away: as soon as it is back,
// budgets go on from what it knows.
func TestBudgetsWaitForTheLedger(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	server := pgtest.Start(t)
	up := weirtest.NewUpstream(t, hello)
	binary := buildBinary(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	site := newBinarySite(t, up, `model m openai/gpt-4o
		price openai/gpt-4o input 1000 output 1000
		key ci {env.CI_KEY} {
			limit usd 0.07 30d
		}
		records postgres {env.DATABASE_URL}`)
	url := server.Database("usage")
	g := &weirtest.Gateway{URL: "http://" + site.addr}
	start := func() *exec.Cmd {
		return site.run(t, binary, "CI_KEY=a-secret-of-ci-0001", "DATABASE_URL="+url)
	}
	ask := func(want int) {
		t.Helper()
		if status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != want {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	cmd := start()
	for range 3 { // of 15 tokens, a tenth of a cent each
		ask(200)
	}
	eventually(t, "three rows", func() bool { return server.Exec("usage", "SELECT count(*) FROM weir_usage") == "3" })
	ask(429)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	server.Stop()
	start()
	ask(200) // nobody knows better
	server.Restart()
	eventually(t, "the budget", func() bool {
		status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, "20", "70", 1))
		return status == 429 && strings.Contains(body, "used 0.06 usd")
	})
}
