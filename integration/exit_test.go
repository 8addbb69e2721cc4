package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestProcess runs what needs a process of its own. The real binary is built
// once for all of it.
func TestProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a binary")
	}
	binary := buildBinary(t)
	for _, c := range []struct {
		name string
		run  func(t *testing.T, binary string)
	}{
		{"exit tells streams", exitTellsStreams},
		{"exit tells waiters", exitTellsWaiters},
		{"exit turns readiness off", exitTurnsReadinessOff},
		{"exit tells streams of before a reload", exitTellsStreamsOfBeforeReload},
		{"exit lets streams finish", exitLetsStreamsFinish},
		{"second signal", secondSignal},
		{"exit ends refreshes", exitEndsRefreshes},
		{"cache commands", cacheCommands},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, binary) })
	}
}

// process is a Caddy with Weir that runs as a process of its own.
type process struct {
	cmd        *exec.Cmd
	url, admin string
	exited     chan struct{} // closed when it has exited
	code       int

	mu  sync.Mutex
	log bytes.Buffer
}

// startProcess runs the binary with a Caddyfile whose global options and site
// are given; it returns when the site is ready.
func startProcess(t *testing.T, binary, global, site string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{admin: weirtest.FreeAddr(t), exited: make(chan struct{})}
	addr := weirtest.FreeAddr(t)
	p.url = "http://" + addr
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(processConfig(p.admin, dir, addr, global, site)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(binary, "run", "--config", config)
	p.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		r := bufio.NewReader(pipe)
		for {
			line, err := r.ReadBytes('\n')
			p.mu.Lock()
			p.log.Write(line)
			p.mu.Unlock()
			if err != nil {
				break
			}
		}
		var exit *exec.ExitError
		if err := p.cmd.Wait(); errors.As(err, &exit) {
			p.code = exit.ExitCode()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("the process's log:\n%s", p.logged())
		}
	})
	client := newClient(t)
	eventually(t, "a ready process", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("the process exited early:\n%s", p.logged())
		default:
		}
		return p.ready(client) == http.StatusOK
	})
	return p
}

func processConfig(admin, dir, addr, global, site string) string {
	_, port, _ := strings.Cut(addr, ":")
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	auto_https off
	storage file_system %s
	%s
}
http://:%s {
	bind 127.0.0.1
	ai_health
	%s
}
`, admin, dir, global, port, site)
}

// ready is the status of the readiness check, 0 when there is no answer.
func (p *process) ready(client *http.Client) int {
	res, err := client.Get(p.url + "/health/ready")
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// usageLine is a record as the log has it.
type usageLine struct {
	Logger       string `json:"logger"`
	RequestID    string `json:"request_id"`
	Model        string `json:"model"`
	Status       int    `json:"status"`
	Error        string `json:"error"`
	Phase        string `json:"error_phase"`
	InputTokens  int    `json:"input_tokens"`
	OutputTokens int    `json:"output_tokens"`
	UsageSource  string `json:"usage_source"`
}

// usage returns the usage lines of the process's log.
func (p *process) usage(t *testing.T) []usageLine {
	t.Helper()
	var lines []usageLine
	for line := range strings.Lines(p.logged()) {
		if !strings.Contains(line, `"ai.usage"`) {
			continue
		}
		var u usageLine
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			t.Fatalf("usage line %q: %v", line, err)
		}
		lines = append(lines, u)
	}
	return lines
}

// childStream is a stream from the process, read to its first content.
type childStream struct {
	name string
	res  *http.Response
	r    *bufio.Reader
}

// openChild starts a stream of each dialect whose upstream stalls for ever.
func openChild(t *testing.T, client *http.Client, url string) []*childStream {
	t.Helper()
	var streams []*childStream
	for _, c := range []struct{ name, path, body, content string }{
		{"chat", "/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`, `"content":"`},
		{"messages", "/v1/messages", `{"model":"chat","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`, `"text_delta"`},
		{"responses", "/v1/responses", `{"model":"chat","stream":true,"input":"hi"}`, `output_text.delta`},
	} {
		res, err := client.Post(url+c.path, "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		s := &childStream{c.name, res, bufio.NewReader(res.Body)}
		for {
			line, err := s.r.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if strings.Contains(line, c.content) && !strings.Contains(line, `"content":""`) {
				break
			}
		}
		streams = append(streams, s)
	}
	return streams
}

// wantBrokenOff reads the streams to their ends: an error event in the
// dialect, no terminator, and an abnormal end.
func wantBrokenOff(t *testing.T, streams []*childStream) {
	t.Helper()
	for _, s := range streams {
		hung := time.AfterFunc(grace, func() { _ = s.res.Body.Close() })
		rest, err := io.ReadAll(s.r)
		hung.Stop()
		_ = s.res.Body.Close()
		if err == nil {
			t.Errorf("%s: the stream ended normally", s.name)
		}
		want := map[string]string{"chat": `data: {"error":`, "messages": "event: error\n", "responses": "response.failed"}[s.name]
		if !bytes.Contains(rest, []byte(want)) || !bytes.Contains(rest, []byte("shutting down")) {
			t.Errorf("%s: the end has no error event: %q", s.name, rest)
		}
		for _, terminator := range []string{"[DONE]", "message_stop", "response.completed"} {
			if bytes.Contains(rest, []byte(terminator)) {
				t.Errorf("%s: a cut stream has %s", s.name, terminator)
			}
		}
	}
}

// wantSettled checks that every stream has one record that says why it ended.
func (p *process) wantSettled(t *testing.T, n int) {
	t.Helper()
	lines := p.usage(t)
	if len(lines) != n {
		t.Errorf("%d usage lines, want %d", len(lines), n)
	}
	for _, u := range lines {
		if u.Error != "overloaded" || u.Phase != "shutdown" || u.UsageSource != "estimated" || u.InputTokens == 0 || u.OutputTokens == 0 {
			t.Errorf("usage %+v", u)
		}
	}
}

// wantExit waits for the end of the process, which must be in time.
func (p *process) wantExit(t *testing.T, within time.Duration, codes ...int) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(within):
		t.Fatalf("the process has not exited within %s", within)
	}
	for _, code := range codes {
		if p.code == code {
			return
		}
	}
	t.Errorf("exit code %d, want one of %v", p.code, codes)
}

// grace leaves room for a machine that is busy: what is tested is that the
// process does not wait for streams that never end by themselves.
const (
	graceOption = "3s"
	grace       = 3*time.Second + 2*time.Second + 10*time.Second
)

const stalling = `ai {
		provider sim simulator
		model chat sim/stall-3
		drain_timeout 300ms
	}
	grace_period ` + graceOption

func exitTellsStreams(t *testing.T, binary string) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, p *process)
	}{
		{"SIGTERM", func(t *testing.T, p *process) { p.signal(t, syscall.SIGTERM) }},
		{"SIGINT", func(t *testing.T, p *process) { p.signal(t, syscall.SIGINT) }},
		{"stop", func(t *testing.T, p *process) { askAdmin(t, p.admin, http.MethodPost, "/stop", "", http.StatusOK) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The drain ends streams, long before Caddy would give up on them.
			p := startProcess(t, binary, strings.Replace(stalling, graceOption, "10m", 1), "ai_gateway")
			client := newClient(t)
			streams := openChild(t, client, p.url)
			c.end(t, p)
			wantBrokenOff(t, streams)
			p.wantExit(t, grace, 0)
			p.wantSettled(t, len(streams))
		})
	}
}

// exitTellsWaiters holds that calls which have no answer yet are told the
// truth and recorded as well: those that wait for headers, for a first token,
// for room under a limit, and for another attempt.
func exitTellsWaiters(t *testing.T, binary string) {
	p := startProcess(t, binary, `metrics
	ai {
		provider sim simulator
		model headers sim/hang
		model token sim/stall-0
		model queued sim/hang {
			limit concurrency 1 queue 10m
		}
		model paused sim/err-503 {
			lb_retries 5
			lb_try_interval 30m
		}
		drain_timeout 300ms
	}
	grace_period 10m`, "ai_gateway")
	client, scraper := newClient(t), newClient(t)
	models := []string{"headers", "token", "queued", "queued", "paused"}
	answers := make(chan string, len(models))
	for _, model := range models {
		go func() {
			body := fmt.Sprintf(`{"model":%q,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, model)
			res, err := client.Post(p.url+"/v1/chat/completions", "application/json", strings.NewReader(body))
			if err != nil {
				answers <- model + ": " + err.Error()
				return
			}
			defer res.Body.Close()
			answer, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(answer, []byte("shutting down")) {
				answers <- fmt.Sprintf("%s: status %d, %v: %s", model, res.StatusCode, err, answer)
				return
			}
			answers <- ""
		}()
	}
	eventually(t, "calls that wait", func() bool {
		values, paused := scrape(t, scraper, p.admin), 0.0
		for name, v := range values {
			if strings.HasPrefix(name, "caddy_ai_fallbacks_total") {
				paused += v
			}
		}
		return values["caddy_ai_in_flight"] == float64(len(models)) && paused > 0
	})
	p.signal(t, syscall.SIGTERM)
	for range models {
		select {
		case wrong := <-answers:
			if wrong != "" {
				t.Error(wrong)
			}
		case <-time.After(grace):
			t.Fatal("a call goes on")
		}
	}
	p.wantExit(t, grace, 0)
	lines := p.usage(t)
	if len(lines) != len(models) {
		t.Errorf("%d usage lines, want %d", len(lines), len(models))
	}
	for _, u := range lines {
		if u.Error != "overloaded" || u.Phase != "shutdown" {
			t.Errorf("usage %+v", u)
		}
	}
}

// exitTurnsReadinessOff holds that load balancers hear of the exit while
// the process still serves: that is what shutdown_delay is for. Streams that
// begin in that time are told too.
func exitTurnsReadinessOff(t *testing.T, binary string) {
	p := startProcess(t, binary, stalling+"\n\tshutdown_delay 8s", "ai_gateway")
	prober, client := newClient(t), newClient(t)
	p.signal(t, syscall.SIGTERM)
	eventually(t, "an unready process", func() bool { return p.ready(prober) == http.StatusServiceUnavailable })
	streams := openChild(t, client, p.url)
	wantBrokenOff(t, streams)
	p.wantExit(t, grace, 0)
	p.wantSettled(t, len(streams))
}

// exitTellsStreamsOfBeforeReload holds that streams which began under an
// earlier configuration, for which Caddy does not wait, are told as well: also
// when the last one has no `ai` app at all.
func exitTellsStreamsOfBeforeReload(t *testing.T, binary string) {
	for _, c := range []struct{ name, global, site string }{
		{"same site", stalling + "\n\tlog {\n\t\tlevel INFO\n\t}", "ai_gateway"},
		{"no ai", "grace_period " + graceOption, `respond "elsewhere"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProcess(t, binary, stalling, "ai_gateway")
			client := newClient(t)
			streams := openChild(t, client, p.url)
			site := "ai_health\n"
			if c.name == "no ai" {
				site = ""
			}
			config := strings.Replace(processConfig(p.admin, t.TempDir(), strings.TrimPrefix(p.url, "http://"), c.global, c.site), "ai_health\n", site, 1)
			res, err := newClient(t).Post("http://"+p.admin+"/load", "text/caddyfile", strings.NewReader(config))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Fatalf("loading: %d %s", res.StatusCode, body)
			}
			p.signal(t, syscall.SIGTERM)
			wantBrokenOff(t, streams)
			p.wantExit(t, grace, 0)
			p.wantSettled(t, len(streams))
		})
	}
}

// exitLetsStreamsFinish holds that a stream which ends by itself within
// the drain is not touched, and that nothing waits longer than it.
func exitLetsStreamsFinish(t *testing.T, binary string) {
	p := startProcess(t, binary, "ai {\n\t\tprovider sim simulator\n\t\tmodel chat sim/tokens-20+tps-20\n\t}\n\tgrace_period 20s", "ai_gateway")
	client := newClient(t)
	streams := openChild(t, client, p.url)
	p.signal(t, syscall.SIGTERM)
	for _, s := range streams {
		rest, err := io.ReadAll(s.r)
		_ = s.res.Body.Close()
		if err != nil {
			t.Errorf("%s: %v after %q", s.name, err, rest)
		}
	}
	p.wantExit(t, 15*time.Second, 0)
	for _, u := range p.usage(t) {
		if u.Error != "" || u.UsageSource != "provider" || u.OutputTokens != 20 {
			t.Errorf("usage %+v", u)
		}
	}
	if got := len(p.usage(t)); got != len(streams) {
		t.Errorf("%d usage lines, want %d", got, len(streams))
	}
}

// secondSignal holds that a second SIGTERM changes nothing and a second
// SIGINT ends the process at once, as in any Caddy.
func secondSignal(t *testing.T, binary string) {
	t.Run("SIGTERM", func(t *testing.T) {
		p := startProcess(t, binary, stalling, "ai_gateway")
		streams := openChild(t, newClient(t), p.url)
		p.signal(t, syscall.SIGTERM)
		p.signal(t, syscall.SIGTERM)
		wantBrokenOff(t, streams)
		p.wantExit(t, grace, 0)
		p.wantSettled(t, len(streams))
	})
	t.Run("SIGINT", func(t *testing.T) {
		p := startProcess(t, binary, "ai {\n\t\tprovider sim simulator\n\t\tmodel chat sim/stall-3\n\t\tdrain_timeout 1h\n\t}", "ai_gateway")
		streams := openChild(t, newClient(t), p.url)
		p.signal(t, syscall.SIGINT)
		eventually(t, "the word that Caddy exits", func() bool { return strings.Contains(p.logged(), "exiting; byeee") })
		p.signal(t, syscall.SIGINT)
		p.wantExit(t, 10*time.Second, 2)
		for _, s := range streams {
			_ = s.res.Body.Close()
		}
	})
}
