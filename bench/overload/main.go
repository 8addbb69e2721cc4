// Command overload puts three times as much on a gateway as its provider can do,
// at a fixed rate that does not wait for answers, and says what became of it.
// Everything runs in this process and over loopback. Run it in bench:
//
//	go run ./overload
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/weirproxy/weir"
)

// The provider does places calls at a time, each in service.
const (
	places  = 20
	service = 100 * time.Millisecond
	peak    = float64(places) / 0.1 // a second
)

const answer = `{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`

func main() {
	span := flag.Duration("for", 10*time.Second, "how long each load lasts")
	flag.Parse()
	doors := make(chan struct{}, places)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		doors <- struct{}{}
		time.Sleep(service)
		<-doors
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	defer up.Close()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	for name, value := range map[string]string{"BENCH_CRITICAL": "a-secret-critical-1", "BENCH_BATCH": "a-secret-batch-0001", "XDG_DATA_HOME": dir} {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("provider: %d calls at a time of %v, %.0f a second\n", places, service, peak)
	for _, bound := range []string{fmt.Sprintf("max_in_flight %d\nqueue 80ms 16", places), ""} {
		load(addr, dir, up.URL, bound)
		fmt.Printf("%q\n", bound)
		for _, times := range []float64{0.9, 3} {
			measure("http://"+addr, times, *span)
		}
	}
	_ = caddy.Stop()
}

func load(addr, dir, up, bound string) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, `{
admin off
persist_config off
auto_https off
log {
	output discard
}
storage file_system %s
ai {
	provider gpu openai_compatible {
		base_url %s/v1
		%s
	}
	model m gpu/x
	key critical {env.BENCH_CRITICAL} {
		priority critical
	}
	key batch {env.BENCH_BATCH} {
		priority batch
	}
}
}
http://%s {
	ai_gateway
}
`, dir, up, bound, addr), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		log.Fatal(err)
	}
}

// measure sends times the provider's capacity, a fifth of it critical.
func measure(url string, times float64, span time.Duration) {
	type done struct {
		critical, ok bool
		took         time.Duration
	}
	var (
		mu   sync.Mutex
		all  []done
		wait sync.WaitGroup
	)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2000}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	ticks := time.NewTicker(time.Duration(float64(time.Second) / (peak * times)))
	defer ticks.Stop()
	start := time.Now()
	for i := 0; time.Since(start) < span; i++ {
		<-ticks.C
		critical := i%5 == 0
		wait.Go(func() {
			req, err := http.NewRequest(http.MethodPost, url+"/v1/chat/completions", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
			if err != nil {
				log.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+map[bool]string{true: "a-secret-critical-1", false: "a-secret-batch-0001"}[critical])
			began := time.Now()
			d := done{critical: critical}
			if res, err := client.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				d.ok = res.StatusCode == http.StatusOK
			}
			d.took = time.Since(began)
			mu.Lock()
			all = append(all, d)
			mu.Unlock()
		})
	}
	lasted := time.Since(start)
	wait.Wait()
	var took []time.Duration
	var good, critical, served, batch int
	for _, d := range all {
		if d.ok {
			took = append(took, d.took)
		}
		if d.ok && d.took <= 2*time.Second {
			good++
		}
		switch {
		case d.critical && !d.ok:
			critical++
		case d.critical:
			served++
		case !d.ok:
			batch++
		}
	}
	slices.Sort(took)
	if len(took) == 0 {
		log.Fatal("nothing was answered")
	}
	fmt.Printf("  %.1f× load: %6.1f answers/s within 2 s; p50 %v p99 %v; refused: batch %d, critical %d of %d\n", times, float64(good)/lasted.Seconds(),
		took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), batch, critical, critical+served)
}
