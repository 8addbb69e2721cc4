package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/redistest"
)

// account is what an upstream of TestReloadSoak has charged.
type account struct{ calls, in, out atomic.Int64 }

// newSoaked returns an upstream that answers every call by its number, `user`:
// n+10 tokens in and n+20 out. Streams stop in the middle until release.
func newSoaked(t *testing.T, charged *account, release <-chan struct{}, failures *atomic.Int64) *weirtest.Upstream {
	return weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		var body struct {
			User   string
			Stream bool
		}
		var n int
		if err := json.Unmarshal(r.Body, &body); err != nil {
			failures.Add(1)
			return
		}
		if _, err := fmt.Sscan(body.User, &n); err != nil {
			failures.Add(1)
			return
		}
		charged.calls.Add(1)
		charged.in.Add(int64(n) + 10)
		charged.out.Add(int64(n) + 20)
		if !body.Stream {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`, n+10, n+20, 2*n+30)
			return
		}
		first, rest := gatedStream(n)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, first)
		weirtest.Flush(w)
		select {
		case <-release:
			_, _ = io.WriteString(w, rest)
		case <-r.Gone:
			failures.Add(1)
		}
	})
}

// TestReloadSoak reloads again and again under open streams and short calls,
// with providers, their keys, weights, virtual keys and the store changing. No
// request that a handler has seen fails, no stream is cut, and the ledger is
// what the upstreams have charged. WEIR_SOAK=1 makes it 200 reloads in a minute.
func TestReloadSoak(t *testing.T) {
	reloads, every, streams, workers := 20, 100*time.Millisecond, 20, 4
	if os.Getenv("WEIR_SOAK") != "" {
		reloads, every, streams, workers = 200, 300*time.Millisecond, 100, 8
	}
	const secret = "a-secret-of-ci-0001"
	t.Setenv("CI_KEY", secret)
	t.Setenv("OTHER_KEY", "a-secret-of-other-1")
	t.Setenv("UP_A", "sk-upstream-a")
	t.Setenv("UP_B", "sk-upstream-b")
	var (
		charged  account
		failures atomic.Int64
	)
	release := make(chan struct{})
	one, two := newSoaked(t, &charged, release, &failures), newSoaked(t, &charged, release, &failures)
	stores := []string{""}
	if _, err := exec.LookPath("redis-server"); err == nil {
		stores = append(stores, "store redis "+redistest.Start(t).URL+" {\ndeadline 5s\n}\n")
	}
	config := func(i int) string {
		second, keys := "", ""
		targets, weights := "up/m1", ""
		if i%2 == 1 { // a provider comes and goes
			second = fmt.Sprintf("provider two openai_compatible {\n base_url %s\n api_key {env.UP_B}\n}\n", two.URL)
			targets, weights = "up/m1 two/m2", fmt.Sprintf("lb_policy weighted_round_robin %d %d\n", 1+i%3, 1+i%5)
		}
		if i%3 == 1 {
			keys = "key other {env.OTHER_KEY}\n"
		}
		return fmt.Sprintf("%sprovider up openai_compatible {\n base_url %s\n api_key {env.UP_%c}\n}\n%smodel chat {\n to %s\n%s}\nkey ci {env.CI_KEY} {\n limit tokens %d 1h\n}\n%s",
			stores[i/4%len(stores)], one.URL, "AB"[i%2], second, targets, weights, 100_000_000+i, keys)
	}
	const site = "ai_gateway {\n heartbeat off\n}"
	g := weirtest.Start(t, config(0), site)
	open := keyed(t, g.URL, secret, streams)

	var (
		stop           = make(chan struct{})
		asked, unheard atomic.Int64
		wg             sync.WaitGroup
	)
	// Not `persistent`: what was never accepted is counted here.
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: bearing{transport, secret}}
	for range workers {
		wg.Go(func() {
			tick := time.NewTicker(time.Duration(workers) * 5 * time.Millisecond) // 200 a second together
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				n := 1000 + int(asked.Add(1))
				body := fmt.Sprintf(`{"model":"chat","max_tokens":5,"user":"%d","messages":[{"role":"user","content":"hi"}]}`, n)
				for {
					res, err := client.Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
					if err != nil {
						// Reset before it was accepted, or idle and closed with its
						// server: that no handler has seen it is what the records and
						// the upstreams' account show below.
						if unheard.Add(1); asked.Load() < unheard.Load() {
							t.Errorf("call %d: %v", n, err)
							break
						}
						continue
					}
					answer, err := io.ReadAll(res.Body)
					_ = res.Body.Close()
					if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(answer), "hello") {
						t.Errorf("call %d: status %d, %v: %s", n, res.StatusCode, err, answer)
					}
					break
				}
			}
		})
	}
	began := time.Now()
	tick := time.NewTicker(every)
	for i := 1; i <= reloads; i++ {
		<-tick.C
		caddyfile := g.Caddyfile("", config(i), site)
		adapted, err := weirtest.Adapt(caddyfile)
		if err == nil {
			err = caddy.Load(adapted, true)
		}
		if err != nil {
			t.Errorf("reload %d: %v", i, err)
			break
		}
	}
	tick.Stop()
	took := time.Since(began)
	close(stop)
	wg.Wait()
	close(release)
	finish(t, open)

	total := streams + int(asked.Load())
	records := g.Records.Wait(t, total)
	var in, out int64
	for _, r := range records {
		if r.Error != "" || r.Status != http.StatusOK || r.UsageSource != "provider" || r.Key != "ci" || r.Attempts != 1 {
			t.Errorf("record %+v", r)
		}
		in, out = in+r.Usage.Input, out+r.Usage.Output
	}
	if len(g.Records.All()) != total || charged.calls.Load() != int64(total) || in != charged.in.Load() || out != charged.out.Load() || failures.Load() != 0 {
		t.Errorf("%d records of %d requests: in %d, out %d; the upstreams have %d calls, in %d, out %d, %d broken",
			len(g.Records.All()), total, in, out, charged.calls.Load(), charged.in.Load(), charged.out.Load(), failures.Load())
	}
	t.Logf("%d reloads in %s under %d streams and %d calls; %d connections were never accepted", reloads, took.Round(time.Millisecond), streams, asked.Load(), unheard.Load())
}
