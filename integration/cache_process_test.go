package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/integration/weirtest"
)

// cacheCommands runs `caddy ai cache` against a process: what is warmed ordinary
// clients get, and what is purged they do not.
func cacheCommands(t *testing.T, binary string) {
	t.Setenv("CI_KEY", keyOfCI)
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	up := weirtest.NewUpstream(t, failing(400))
	p := startProcess(t, binary, `ai {
		provider sim simulator
		provider broken openai {
			base_url `+up.URL+`/v1
			api_key {env.UPSTREAM_KEY}
		}
		model m sim/default
		model n sim/default
		key ci {env.CI_KEY}
	}`, "ai_gateway {\ncache exact {\ntags site-{http.request.header.X-Site}\n}\n}")
	run := func(ok bool, args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"ai", "cache"}, args...)...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if (err == nil) != ok {
			t.Fatalf("caddy ai cache %v: %v\n%s%s", args, err, out, errs.String())
		}
		return string(out)
	}
	whole := `{"model":"m","messages":[{"role":"user","content":"whole"}]}`
	streamed := `{"model":"m","stream":true,"messages":[{"role":"user","content":"streamed"}]}`
	line := func(body string) string {
		return `{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":` + body + "}\n"
	}
	file := filepath.Join(t.TempDir(), "requests.jsonl")
	lines := line(whole) + line(streamed) + line(whole) + line(streamed) +
		line(`{"model":"broken/x","messages":[{"role":"user","content":"hi"}]}`) +
		line(`{"model":"m","temperature":2,"messages":[{"role":"user","content":"hi"}]}`)
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	warm := []string{"warm", file, "--url", p.url, "--key-env", "CI_KEY", "--concurrency", "1"}
	if out := run(false, warm...); strings.TrimSpace(out) != "sent 6, kept already 2, new 2, not kept 1, failed 1" {
		t.Errorf("%s", out)
	}
	client := newClient(t)
	ask := func(model, body string, header ...string) string {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, p.url+"/v1/chat/completions", strings.NewReader(strings.Replace(body, `"m"`, `"`+model+`"`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		for header = append(header, as(keyOfCI)...); len(header) > 0; header = header[2:] {
			req.Header.Set(header[0], header[1])
		}
		got, err := (&stage{client: client}).send(req)
		if err != nil || got.status != http.StatusOK {
			t.Fatalf("%v %+v", err, got)
		}
		return got.header.Get("X-AI-Cache")
	}
	for _, body := range []string{whole, streamed, strings.Replace(streamed, `"stream":true,`, "", 1)} {
		if got := ask("m", body); got != "hit" {
			t.Errorf("after warming: %s", got)
		}
	}
	var report cache.Report
	if err := json.Unmarshal([]byte(run(true, "stats", "--json", "--address", p.admin)), &report); err != nil || report.Entries < 2 || report.Hits < 5 || report.MaxBytes == 0 {
		t.Errorf("%v %+v", err, report)
	}
	eventually(t, "the hits are in the ledger", func() bool {
		res, err := http.Get("http://" + p.admin + "/ai/usage?by=key&since=1h")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		var sums struct {
			Data []struct {
				Hits int64 `json:"cache_hits"`
			}
		}
		return json.NewDecoder(res.Body).Decode(&sums) == nil && len(sums.Data) == 1 && sums.Data[0].Hits == 5
	})
	if out := run(true, "stats", "--address", p.admin); !strings.Contains(out, "SAVED USD") {
		t.Errorf("%s", out)
	}
	tagged := func(model string) string { return ask(model, whole, "X-AI-Cache-Tags", "mine", "X-Site", "7") }
	for _, tc := range []struct {
		args []string
		m, n string
	}{
		{[]string{"--all"}, "miss", "miss"},
		{[]string{"--tag", "mine"}, "miss", "miss"},
		{[]string{"--tag", "site-7"}, "miss", "miss"},
		{[]string{"--tag", "site-8"}, "hit", "hit"},
		{[]string{"--model", "m"}, "miss", "hit"},
		{[]string{"--model", "sim/default"}, "miss", "miss"},
		{[]string{"--key", "ci"}, "miss", "miss"},
		{[]string{"--key", "other"}, "hit", "hit"},
	} {
		run(true, append([]string{"purge", "--address", p.admin}, tc.args...)...)
		if m, n := tagged("m"), tagged("n"); m != tc.m || n != tc.n {
			t.Errorf("after purge %v: %s and %s, want %s and %s", tc.args, m, n, tc.m, tc.n)
		}
		if m, n := tagged("m"), tagged("n"); m != "hit" || n != "hit" {
			t.Errorf("%v: %s and %s again", tc.args, m, n)
		}
	}
	run(true, "purge", "--address", p.admin, "--all")
	if out := run(false, append(warm, "--refresh")...); strings.TrimSpace(out) != "sent 6, kept already 0, new 4, not kept 1, failed 1" {
		t.Errorf("%s", out)
	}
}

// exitEndsRefreshes holds that a refresh, whose client has long been answered, is
// settled when the process ends.
func exitEndsRefreshes(t *testing.T, binary string) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	begun, calls := make(chan struct{}, 2), 0
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		begun <- struct{}{}
		if calls++; calls > 1 {
			<-r.Gone
			return
		}
		whole(http.StatusOK, chatAnswer(chatChoice(`"stop"`)))(w, r)
	})
	p := startProcess(t, binary, `grace_period 3s
	ai {
		drain_timeout 500ms
		provider up openai {
			base_url `+up.URL+`/v1
			api_key {env.UPSTREAM_KEY}
		}
		model m up/gpt-4.1
	}`, "ai_gateway {\ncache exact {\nttl 1ns\nstale_while_revalidate 1h\n}\n}")
	s := &stage{Gateway: &weirtest.Gateway{URL: p.url}, client: newClient(t)}
	for _, want := range []string{"miss", "hit"} {
		if got := s.post(t, "/v1/chat/completions", wanting(false, "")); got.header.Get("X-AI-Cache") != want {
			t.Errorf("%d %v", got.status, got.header)
		}
		<-begun
	}
	s.client.CloseIdleConnections()
	p.signal(t, syscall.SIGTERM)
	p.wantExit(t, grace, 0)
	if lines := p.usage(t); len(lines) != 3 {
		t.Errorf("%d usage lines", len(lines))
	}
	refreshes := 0
	for line := range strings.Lines(p.logged()) {
		if strings.Contains(line, `"ai.usage"`) && strings.Contains(line, `"cache":"refresh"`) {
			if refreshes++; !strings.Contains(line, `"error_phase":"shutdown"`) {
				t.Errorf("%s", line)
			}
		}
	}
	if refreshes != 1 {
		t.Errorf("%d refreshes", refreshes)
	}
}
