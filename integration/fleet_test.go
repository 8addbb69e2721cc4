package integration

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestFleet lets 1,000 clients race at three processes that share a Redis for
// what 100 may have, stops the server, and sees limits hold without it.
func TestFleet(t *testing.T) { testFleet(t, "strict", 100) }

// TestFleetLeased is the same with room lent ahead: no more than 100 either, and
// no fewer than what one process may hold idle when the others are asked.
func TestFleetLeased(t *testing.T) { testFleet(t, "leased", 75) }

func testFleet(t *testing.T, mode string, least int64) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	server := redistest.Start(t)
	opened, open := latch()
	defer open()
	var asking atomic.Int64
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		asking.Add(1)
		<-opened // no one settles before all have asked
		hello(w, r)
	})
	dir := t.TempDir()
	binary := buildBinary(t)
	var addrs []string
	for i := range 3 {
		addr := weirtest.FreeAddr(t)
		addrs = append(addrs, addr)
		config := filepath.Join(dir, fmt.Sprintf("Caddyfile%d", i))
		err := os.WriteFile(config, fmt.Appendf(nil, `{
	admin off
	auto_https off
	persist_config off
	ai {
		provider openai {
			base_url %s/v1
			api_key {env.UPSTREAM_KEY}
		}
		model m openai/gpt-4o
		key ci {env.CI_KEY} {
			limit tokens 2800 1h
		}
		store redis {env.REDIS_URL} {
			deadline 2s
			mode %s
		}
		usage log
	}
}
http://%s {
	ai_health
	ai_gateway
}
`, up.URL, mode, addr), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		home := filepath.Join(dir, fmt.Sprint(i))
		runBinary(t, binary, config, addr, "UPSTREAM_KEY=sk-upstream", "CI_KEY=a-secret-of-ci-0001", "REDIS_URL="+server.URL,
			"XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 400}}
	defer client.CloseIdleConnections()
	defer http.DefaultClient.CloseIdleConnections()
	ask := func(addr string) (int, string) {
		req, _ := http.NewRequest(http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(hi))
		req.Header.Set("Authorization", "Bearer a-secret-of-ci-0001")
		res, err := client.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	var admitted, refused atomic.Int64
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			switch status, body := ask(addrs[i%len(addrs)]); status {
			case 200:
				admitted.Add(1)
			case 429:
				refused.Add(1)
			default:
				refused.Add(1)
				t.Errorf("status %d: %s", status, body)
			}
		})
	}
	eventually(t, "an end for the refused", func() bool { return refused.Load()+asking.Load() >= 1000 })
	open()
	all.Wait()
	if n := admitted.Load(); n < least || n > 100 || refused.Load() != 1000-n {
		t.Errorf("%d admitted, %d refused", admitted.Load(), refused.Load())
	}

	// 1,500 of 2,800 are used. Without the server each instance goes on from what
	// it last heard, with its share by the instances that it knew of: they are
	// young, and may know of themselves only. Even then each stops at what was left.
	server.Stop()
	more := int64(0)
	for range 120 {
		for _, addr := range addrs {
			if status, body := ask(addr); status == 200 {
				more++
			} else if status != 429 {
				t.Fatalf("status %d: %s", status, body)
			}
		}
	}
	if most := int64(3 * (2800 - 1500) / 15); more == 0 || more > most {
		t.Errorf("%d admitted without the store, %d at most", more, most)
	}
}
