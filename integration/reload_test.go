package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/handlers"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/redistest"
)

// eventually polls until ok holds; it fails the test when that does not come.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// newClient returns a client with connections of its own, closed at the end.
func newClient(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: persistent{transport}}
}

// persistent asks again when a connection is reset before an answer: that is
// what happens to one which Caddy has not accepted when a reload swaps its
// listener. Requests that a handler has seen are not reset.
type persistent struct{ *http.Transport }

func (p persistent) RoundTrip(req *http.Request) (res *http.Response, err error) {
	for range 5 {
		if res, err = p.Transport.RoundTrip(req); !errors.Is(err, syscall.ECONNRESET) {
			return res, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
	return res, err
}

// gated is an upstream whose streams stop in the middle until they are
// released. Each request's stream is its own: the client names it in `user`.
type gated struct {
	*weirtest.Upstream
	release chan struct{}
	gone    atomic.Int64 // streams whose caller left before they were released
}

func newGated(t testing.TB) *gated {
	t.Helper()
	g := &gated{release: make(chan struct{})}
	g.Upstream = weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		var body struct {
			User string `json:"user"`
		}
		if json.Unmarshal(r.Body, &body) != nil {
			return
		}
		n, _ := strconv.Atoi(body.User)
		first, rest := gatedStream(n)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, first)
		weirtest.Flush(w)
		select {
		case <-g.release:
		case <-r.Gone:
			g.gone.Add(1)
			return
		}
		_, _ = io.WriteString(w, rest)
	})
	return g
}

// gatedStream is the n-th stream: up to the gate, and from there to its end.
// It reports n+10 tokens in and n+20 out.
func gatedStream(n int) (first, rest string) {
	chunk := func(i int) string {
		return fmt.Sprintf(`data: {"id":"c%d","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word %d.%d "},"finish_reason":null}],"usage":null}`+"\n\n", n, n, i)
	}
	var a, b strings.Builder
	fmt.Fprintf(&a, `data: {"id":"c%d","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n", n)
	for i := range 5 {
		a.WriteString(chunk(i))
		b.WriteString(chunk(5 + i))
	}
	fmt.Fprintf(&b, `data: {"id":"c%d","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n", n)
	fmt.Fprintf(&b, `data: {"id":"c%d","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n", n, n+10, n+20, 2*n+30)
	b.WriteString("data: [DONE]\n\n")
	return a.String(), b.String()
}

// openStream is a stream that a client is reading.
type openStream struct {
	n     int
	res   *http.Response
	first []byte
}

// openStreams starts n streams and returns when each has shown its first half.
func openStreams(t *testing.T, client *http.Client, url, model string, n int) []*openStream {
	t.Helper()
	streams := make([]*openStream, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			body := fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"user":"%d","messages":[{"role":"user","content":"hi"}]}`, model, i)
			res, err := client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body))
			for try := 0; err != nil && try < 20; try++ {
				// Caddy resets connections that its old listener has taken and its
				// old server has not; a handler would have answered.
				res, err = client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body))
			}
			if err != nil {
				t.Errorf("stream %d: %v", i, err)
				return
			}
			first, _ := gatedStream(i)
			s := &openStream{n: i, res: res, first: make([]byte, len(first))}
			if _, err := io.ReadFull(res.Body, s.first); err != nil {
				t.Errorf("stream %d: status %d: first half %q: %v", i, res.StatusCode, s.first, err)
			}
			streams[i] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return streams
}

// finish reads the streams to their ends, which must be those of the upstream.
func finish(t *testing.T, streams []*openStream) {
	t.Helper()
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(func() {
			rest, err := io.ReadAll(s.res.Body)
			_ = s.res.Body.Close()
			// On a slow machine a stream waits for long enough to show signs of life.
			rest = bytes.ReplaceAll(rest, []byte(": keep-alive\n\n"), nil)
			wantFirst, wantRest := gatedStream(s.n)
			if err != nil || string(s.first) != wantFirst || string(rest) != wantRest {
				t.Errorf("stream %d: error %v\n got %q\nwant %q", s.n, err, string(s.first)+string(rest), wantFirst+wantRest)
			}
		})
	}
	wg.Wait()
}

// administered makes a Caddyfile of weirtest's have an admin endpoint.
func administered(caddyfile, admin string) string {
	return strings.Replace(caddyfile, "admin off", "admin "+admin+"\n\tmetrics", 1)
}

func loadConfig(t testing.TB, caddyfile string) error {
	t.Helper()
	config, err := weirtest.Adapt(caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		return err
	}
	if _, rest, ok := strings.Cut(caddyfile, "\nhttp://:"); ok {
		port, _, _ := strings.Cut(rest, " ")
		weirtest.Swapped("127.0.0.1:" + port)
	}
	return nil
}

// scrape returns the metrics of the admin endpoint by name and labels.
func scrape(t testing.TB, client *http.Client, admin string) map[string]float64 {
	t.Helper()
	var res *http.Response
	// A connection that Caddy has not accepted when it swaps its listener is
	// reset.
	eventually(t, "an answer of the admin endpoint", func() (ok bool) {
		var err error
		res, err = client.Get("http://" + admin + "/metrics")
		return err == nil
	})
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("scraping: status %d, %v", res.StatusCode, err)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(body)) {
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			t.Fatalf("metric %q: %v", line, err)
		}
		values[line[:at]] = v
	}
	return values
}

func TestReloadKeepsStreams(t *testing.T) {
	const n = 100
	up, other := newGated(t), newGated(t)
	site := "ai_gateway"
	ai := func(url, model string) string {
		return fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel chat up/%s", url, model)
	}
	g := weirtest.Start(t, ai(up.URL, "m1"), site)
	admin := weirtest.FreeAddr(t)
	config := func(ai, site string) string { return administered(g.Caddyfile("", ai, site), admin) }
	if err := loadConfig(t, config(ai(up.URL, "m1"), site)); err != nil {
		t.Fatal(err)
	}
	client, scraper := newClient(t), newClient(t)
	before := scrape(t, scraper, admin)
	streams := openStreams(t, client, g.URL, "chat", n)
	if got := scrape(t, scraper, admin)["caddy_ai_in_flight"]; got != n {
		t.Errorf("in_flight is %v with %d streams open", got, n)
	}

	for _, next := range []struct{ name, ai, site string }{
		{"unchanged", ai(up.URL, "m1"), site},
		{"another URL", ai(other.URL, "m1"), site},
		{"another model", ai(up.URL, "m2"), site},
		{"another setting of the app", ai(up.URL, "m1") + "\ndrain_timeout 3s", site},
		{"another setting of the handler", ai(up.URL, "m1"), "ai_gateway {\n heartbeat 5s\n}"},
		{"another sink", ai(up.URL, "m1") + "\nusage log", site},
		{"another provider", "provider sim simulator\nmodel chat sim/default", site},
		{"no ai in the site", "provider sim simulator", `respond "elsewhere"`},
	} {
		if err := loadConfig(t, config(next.ai, next.site)); err != nil {
			t.Fatalf("%s: %v", next.name, err)
		}
	}
	// Not even the app is left.
	gone := fmt.Sprintf(`{"admin":{"listen":%q,"config":{"persist":false}},"apps":{}}`, admin)
	if err := caddy.Load([]byte(gone), true); err != nil {
		t.Fatal(err)
	}
	if got := scrape(t, scraper, admin)["caddy_ai_in_flight"]; got != n {
		t.Errorf("in_flight is %v after the reloads, want %d", got, n)
	}
	if err := loadConfig(t, config(ai(other.URL, "m3"), site)); err != nil {
		t.Fatal(err)
	}

	close(up.release)
	finish(t, streams)
	seen := make(map[int64]bool)
	for _, r := range g.Records.Wait(t, n) {
		i := r.Usage.Input - 10
		if r.Error != "" || r.Status != http.StatusOK || r.UsageSource != "provider" || r.Usage.Output != i+20 || r.FinishReason != "stop" || r.UpstreamModel != "m1" || seen[i] {
			t.Errorf("record %+v", r)
		}
		seen[i] = true
	}
	eventually(t, "an idle gateway", func() bool { return scrape(t, scraper, admin)["caddy_ai_in_flight"] == 0 })
	after := scrape(t, scraper, admin)
	name := `caddy_ai_requests_total{dialect="openai",model="chat",provider="up",status="200",stream="true"}`
	if got := after[name] - before[name]; got != n {
		t.Errorf("%s rose by %v, want %d", name, got, n)
	}
	// The configuration that runs now is the last one.
	close(other.release)
	finish(t, openStreams(t, client, g.URL, "chat", 1))
	if got := g.Records.Wait(t, n+1)[n].UpstreamModel; got != "m3" {
		t.Errorf("a new request went to %s, want m3", got)
	}
	if got := len(g.Records.All()); got != n+1 {
		t.Errorf("%d records of %d requests", got, n+1)
	}
}

func TestRejectedReloadChangesNothing(t *testing.T) {
	up := newGated(t)
	ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel chat up/m1", up.URL)
	g := weirtest.Start(t, ai, "ai_gateway")
	admin := weirtest.FreeAddr(t)
	good, err := weirtest.Adapt(administered(g.Caddyfile("", ai, "ai_gateway"), admin))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(good, true); err != nil {
		t.Fatal(err)
	}
	client, scraper := newClient(t), newClient(t)
	streams := openStreams(t, client, g.URL, "chat", 3)

	replace := func(old, to string) []byte {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return bytes.Replace(good, []byte(old), []byte(to), 1)
	}
	bad := []struct {
		name, want string
		config     []byte
	}{
		{"unknown field of the app", "unknown field", replace(`"models":`, `"modells":{},"models":`)},
		{"unknown field of a provider", "unknown field", replace(`"base_url":`, `"bass_url":"x","base_url":`)},
		{"unknown provider module", "unknown module: ai.providers.nobody", replace(`"provider":"openai_compatible"`, `"provider":"nobody"`)},
		{"target of an unknown provider", "did you mean 'up'", replace(`{"provider":"up","model":"m1"}`, `{"provider":"uq","model":"m1"}`)},
		{"unset variable", "WEIR_TEST_UNSET", replace(`"base_url":`, `"api_key":"{env.WEIR_TEST_UNSET}","base_url":`)},
		{"unreadable secret", "{file./nonexistent/secret}", replace(`"base_url":`, `"api_key":"{file./nonexistent/secret}","base_url":`)},
		{"literal secret", "must be a placeholder", replace(`"base_url":`, `"api_key":"sk-literal","base_url":`)},
		{"null model", "null", replace(`"models":{"chat":`, `"models":{"none":null,"chat":`)},
		{"unknown word of the handler", "did you mean 'cut'?", replace(`"handler":"ai_proxy"`, `"handler":"ai_proxy","on_exceed":"cutt"`)},
		{"unknown word of a model", "model 'chat': on_exceed", replace(`"targets":`, `"on_exceed":"never","targets":`)},
		{"unknown field of the handler", "unknown field", replace(`"handler":"ai_proxy"`, `"handler":"ai_proxy","max_bodyy":1`)},
	}
	// Those that fail only when an app starts, in random order, and have opened
	// what they need by then.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	startedAt := func(ai, site string) []byte {
		t.Helper()
		_, port, _ := net.SplitHostPort(taken.Addr().String())
		config, err := weirtest.Adapt(administered(g.Caddyfile("", ai, site), admin) + "http://:" + port + " {\n bind 127.0.0.1\n respond hello\n}\n")
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	started := func(ai string) []byte { return startedAt(ai, "ai_gateway") }
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	type rejected = struct {
		name, want string
		config     []byte
	}
	bad = append(bad,
		rejected{"port taken", "address already in use", started(ai)},
		rejected{"port taken, without its provider", "address already in use", started("provider sim simulator")},
		rejected{"port taken, with keys and limits", "address already in use", started(ai + "\nkey ci {env.CI_KEY} {\n limit concurrency 1 queue 1s\n}")},
		rejected{"port taken, with other records", "address already in use", started(ai + "\nrecords sqlite " + t.TempDir() + "/other.db")},
		rejected{"port taken, with answers that are kept", "address already in use", startedAt(ai, "ai_gateway {\n cache exact {\n  max_size 1MiB\n }\n}")},
		rejected{"missing keys file", "keys_file", started(ai + "\nkeys_file /nonexistent/keys.json")},
	)
	if _, err := exec.LookPath("redis-server"); err == nil {
		url := redistest.Start(t).URL
		kept := startedAt(ai+"\nstore redis "+url, "ai_gateway {\n cache exact {\n  version 1\n }\n}")
		bad = append(bad,
			rejected{"port taken, with another store", "address already in use", started(ai + "\nstore redis " + url)},
			rejected{"port taken, with answers that a fleet keeps", "address already in use", kept},
			rejected{"answers that a fleet keeps, and a word that is none", "scope: 'nobody'", bytes.Replace(kept, []byte(`"version":"1"`), []byte(`"scope":"nobody"`), 1)},
			rejected{"port taken, with a store of the cache's own", "address already in use", startedAt(ai, "ai_gateway {\n cache exact {\n  store redis "+url+"\n }\n}")},
		)
	}
	reject := func(t *testing.T, i int) {
		t.Helper()
		b := bad[i%len(bad)]
		err := caddy.Load(b.config, true)
		if err == nil || !strings.Contains(err.Error(), b.want) {
			t.Errorf("%s: error %v, want one with %q", b.name, err, b.want)
		}
	}
	// The first rounds warm up what lives as long as the process.
	for i := range 2 * len(bad) {
		reject(t, i)
	}
	client.CloseIdleConnections()
	scraper.CloseIdleConnections()
	before := takeCensus(t, admin)
	counts := scrape(t, scraper, admin)
	if counts["caddy_ai_in_flight"] != 3 {
		t.Errorf("in_flight is %v after rejected reloads, want 3", counts["caddy_ai_in_flight"])
	}
	rounds := 50
	if os.Getenv("WEIR_SOAK") != "" {
		rounds = 500
	}
	for i := range rounds {
		reject(t, i)
		if i%10 == 0 && scrape(t, scraper, admin)["caddy_ai_in_flight"] != 3 {
			t.Errorf("%s took the metrics away", bad[i%len(bad)].name)
		}
	}
	scraper.CloseIdleConnections()
	wantAsBefore(t, before, admin)

	close(up.release)
	finish(t, streams)
	finish(t, openStreams(t, client, g.URL, "chat", 2))
	for _, r := range g.Records.Wait(t, 5) {
		if r.Error != "" || r.UsageSource != "provider" || r.UpstreamModel != "m1" {
			t.Errorf("record %+v", r)
		}
	}
}

// TestPatchModel changes one model through the admin API, as scripts do.
func TestPatchModel(t *testing.T) {
	up := newGated(t)
	ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel chat up/m1", up.URL)
	g := weirtest.Start(t, ai, "ai_gateway")
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(g.Caddyfile("", ai, "ai_gateway"), admin)); err != nil {
		t.Fatal(err)
	}
	client := newClient(t)
	streams := openStreams(t, client, g.URL, "chat", 2)
	patch := func(body string) int {
		t.Helper()
		req, err := http.NewRequest(http.MethodPatch, "http://"+admin+"/config/apps/ai/models/chat", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := newClient(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	if got := patch(`{"targets":[{"provider":"nobody","model":"m2"}]}`); got < http.StatusBadRequest {
		t.Errorf("a bad patch answers %d", got)
	}
	if got := patch(`{"targets":[{"provider":"up","model":"m2"}],"max_output_tokens":9}`); got != http.StatusOK {
		t.Fatalf("a good patch answers %d", got)
	}
	close(up.release)
	finish(t, streams)
	finish(t, openStreams(t, client, g.URL, "chat", 1))
	records := g.Records.Wait(t, 3)
	for i, want := range []string{"m1", "m1", "m2"} {
		if records[i].UpstreamModel != want || records[i].Error != "" {
			t.Errorf("record %d: %+v, want model %s", i, records[i], want)
		}
	}
	requests := up.Requests()
	if last := requests[len(requests)-1]; !bytes.Contains(last.Body, []byte(`"max_tokens":9`)) {
		t.Errorf("the patched cap is not in %s", last.Body)
	}
}

// TestPatchWithOpenStreams changes parts of the running configuration by paths
// and by `@id`: streams go on, and the next call follows the change.
func TestPatchWithOpenStreams(t *testing.T) {
	up, other := newGated(t), newGated(t)
	ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel chat {\n to up/m1 up/m2\n lb_policy weighted_round_robin 1 0\n}", up.URL)
	g := weirtest.Start(t, ai, "ai_gateway")
	admin := weirtest.FreeAddr(t)
	config, err := weirtest.Adapt(administered(g.Caddyfile("", ai, "ai_gateway"), admin))
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte(`"chat":{`), []byte(`"chat":{"@id":"chat-model",`), 1)
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	weirtest.Swapped(g.Addr)
	client := newClient(t)
	streams := openStreams(t, client, g.URL, "chat", 2)
	wants := []string{"m1", "m1"}
	for _, c := range []struct{ name, method, path, body, want string }{
		{"weights", http.MethodPatch, "/config/apps/ai/models/chat/lb_policy", `{"policy":"weighted_round_robin","weights":[0,1]}`, "m2"},
		{"targets, by id", http.MethodPatch, "/id/chat-model", `{"@id":"chat-model","targets":[{"provider":"up","model":"m3"}]}`, "m3"},
		{"another provider", http.MethodPut, "/config/apps/ai/providers/other", fmt.Sprintf(`{"provider":"openai_compatible","base_url":%q}`, other.URL), "m3"},
		{"its target, by id", http.MethodPatch, "/id/chat-model/targets", `[{"provider":"other","model":"m4"}]`, "m4"},
		{"no first provider", http.MethodDelete, "/config/apps/ai/providers/up", "", "m4"},
	} {
		askAdmin(t, admin, c.method, c.path, c.body, http.StatusOK)
		weirtest.Swapped(g.Addr)
		streams = append(streams, openStreams(t, client, g.URL, "chat", 1)...)
		wants = append(wants, c.want)
	}
	// What is still asked for cannot go.
	askAdmin(t, admin, http.MethodDelete, "/config/apps/ai/providers/other", "", http.StatusInternalServerError) // as Caddy words it
	close(up.release)
	close(other.release)
	finish(t, streams)
	served := make(map[string]int)
	for _, r := range g.Records.Wait(t, len(wants)) {
		if r.Error != "" || r.UsageSource != "provider" {
			t.Errorf("record %+v", r)
		}
		served[r.UpstreamModel]++
	}
	for _, want := range wants {
		served[want]--
	}
	for model, n := range served {
		if n != 0 {
			t.Errorf("%+d streams of %s", n, model)
		}
	}
}

// TestAppOfBefore holds that an app still answers those who found it just before it
// was replaced, as metrics and administrators do.
func TestAppOfBefore(t *testing.T) {
	g := weirtest.Start(t, "provider sim simulator", "ai_gateway")
	app, err := caddy.ActiveContext().AppIfConfigured("ai")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Load("", "provider sim simulator\nmodel m sim/echo", "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	host := app.(handlers.Host)
	if host.Kept() == nil || host.Metrics() == nil || host.Queues() == nil || host.Guard() == nil {
		t.Error("it has let go of what is shared")
	}
}
