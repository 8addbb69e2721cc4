package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/redistest"
)

// fleet is two gateways, processes of their own, that share a Redis and an
// upstream.
type fleet struct {
	redis  *redistest.Server
	up     *weirtest.Upstream
	client *http.Client
	build  string
	dir    string
	a, b   *peer

	mu     sync.Mutex
	answer answerer
	calls  int // upstream calls that earlier cases made
}

// peer is one of them.
type peer struct {
	url, admin string
	process    *exec.Cmd
	start      func() *exec.Cmd
	log        string
	seen       int // records that earlier cases made
}

// fleetSite is the inside of ai_gateway's block.
const fleetSite = "cache exact"

// newFleet starts it. ai is the rest of the `ai` block, args those of the Redis.
func newFleet(t *testing.T, ai, site string, args ...string) *fleet {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a binary")
	}
	f := &fleet{redis: redistest.Start(t, args...), dir: t.TempDir(), client: newClient(t), answer: fine("one")}
	f.client.Transport.(persistent).DisableCompression = true
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	f.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		f.mu.Lock()
		answer := f.answer
		f.mu.Unlock()
		answer(w, r)
	})
	f.build = buildBinary(t)
	f.a, f.b = f.peer(t, "a", ai, site), f.peer(t, "b", ai, site)
	return f
}

func (f *fleet) peer(t *testing.T, name, ai, site string) *peer {
	t.Helper()
	addr, home := weirtest.FreeAddr(t), filepath.Join(f.dir, name)
	m := &peer{url: "http://" + addr, admin: "http://" + weirtest.FreeAddr(t), log: filepath.Join(f.dir, name+".log")}
	config := filepath.Join(f.dir, "Caddyfile-"+name)
	text := fmt.Sprintf(`{
	admin %s
	auto_https off
	persist_config off
	log {
		output file %s
		format json
	}
	ai {
		provider one openai {
			base_url %s/v1
			api_key {env.UPSTREAM_KEY}
		}
		model m one/gpt-4.1
		key ci {env.CI_KEY}
		key other {env.OTHER_KEY}
		store redis {env.REDIS_URL}
		usage log
		%s
	}
}
http://%s {
	ai_health
	ai_gateway {
		%s
	}
}
`, strings.TrimPrefix(m.admin, "http://"), m.log, f.up.URL, ai, addr, site)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start = func() *exec.Cmd {
		return runBinary(t, f.build, config, addr, "UPSTREAM_KEY=sk-upstream", "CI_KEY="+keyOfCI, "OTHER_KEY="+keyOfOther,
			"REDIS_URL="+f.redis.URL, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	}
	m.process = m.start()
	return m
}

// plays sets what the upstream answers from now on.
func (f *fleet) plays(answer answerer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// paid is how many calls the upstream has had since it was last asked.
func (f *fleet) paid() int {
	all := len(f.up.Requests())
	n := all - f.calls
	f.calls = all
	return n
}

func (f *fleet) open(ctx context.Context, m *peer, key, body string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return f.client.Do(req)
}

// send sends a request and reads the whole answer; a status of 0 is none.
func (f *fleet) send(ctx context.Context, m *peer, key, body string, header ...string) *reply {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := f.open(ctx, m, key, body, header...)
	if err != nil {
		return &reply{header: http.Header{}, err: err}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return &reply{status: res.StatusCode, header: res.Header, body: string(data), cut: err != nil, err: err}
}

// ask is send for the key ci, and must be answered well.
func (f *fleet) ask(t *testing.T, m *peer, body string, header ...string) *reply {
	t.Helper()
	got := f.send(t.Context(), m, keyOfCI, body, header...)
	if got.status != http.StatusOK || got.cut {
		t.Fatalf("%d %v: %s", got.status, got.err, got.body)
	}
	return got
}

// listen opens a stream that must come.
func (f *fleet) listen(t *testing.T, m *peer, body string, header ...string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	res, err := f.open(ctx, m, keyOfCI, body, header...)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); res.Body.Close() })
	return &listener{res: res, lines: bufio.NewReader(res.Body), leave: cancel}
}

// shared makes sure that both have reached the Redis: what one keeps the other
// has.
func (f *fleet) shared(t *testing.T) {
	t.Helper()
	for n, from := range []*peer{f.a, f.b} {
		to := f.b
		if from == f.b {
			to = f.a
		}
		tries := 0
		eventually(t, "the fleet's cache", func() bool {
			body := wanting(false, fmt.Sprintf(" warm %d %d %p", n, tries, from))
			tries++
			f.ask(t, from, body)
			return f.sees(t, to, body)
		})
	}
	f.paid()
	for _, m := range []*peer{f.a, f.b} {
		m.seen = len(m.records(t))
	}
}

// sees reports whether an answer that another has made arrives at m; it asks a few
// times, since nobody waits for it to be sent.
func (f *fleet) sees(t *testing.T, m *peer, body string) bool {
	t.Helper()
	for range 20 {
		got := f.send(t.Context(), m, keyOfCI, body, "Cache-Control", "only-if-cached")
		if got.status == http.StatusOK {
			return got.header.Get("X-AI-Cache") == "hit"
		}
	}
	return false
}

// fleetRecord is what tests look at of a usage record.
type fleetRecord struct {
	Cache, Error string
	Cost         *float64 `json:"cost_usd"`
	Saved        float64  `json:"saved_usd"`
	Output       int64    `json:"output_tokens"`
	Key          string
}

// records are all usage records of the peer.
func (m *peer) records(t *testing.T) (list []fleetRecord) {
	t.Helper()
	for _, line := range logLines(t, m.log, "ai.usage") {
		var r fleetRecord
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// more waits for the next n records.
func (m *peer) more(t *testing.T, n int) []fleetRecord {
	t.Helper()
	var list []fleetRecord
	eventually(t, fmt.Sprintf("%d records", n), func() bool {
		list = m.records(t)
		return len(list) >= m.seen+n
	})
	list = list[m.seen:]
	m.seen += len(list)
	return list
}

// purge forgets through the peer's admin endpoint.
func (m *peer) purge(t *testing.T, body string) {
	t.Helper()
	res, err := http.Post(m.admin+"/ai/cache/purge", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		data, _ := io.ReadAll(res.Body)
		t.Fatalf("purge: %d %s", res.StatusCode, data)
	}
}

// kill ends the peer's process without a warning.
func (m *peer) kill() {
	_ = m.process.Process.Kill()
	_ = m.process.Wait()
}
