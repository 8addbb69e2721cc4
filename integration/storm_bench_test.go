package integration

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
)

// BenchmarkDeadTarget is how long answers take of a model with three targets,
// each of which needs 20 ms, when all work and when one is dead: the 99th
// percentile after the first second, from eight clients.
func BenchmarkDeadTarget(b *testing.B) {
	alive := func(w http.ResponseWriter, r *weirtest.Request) {
		time.Sleep(20 * time.Millisecond)
		hello(w, r)
	}
	for _, c := range []struct {
		name string
		one  func(http.ResponseWriter, *weirtest.Request)
	}{
		{"all alive", alive},
		{"one answers 503", func(w http.ResponseWriter, _ *weirtest.Request) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{"one resets", func(w http.ResponseWriter, _ *weirtest.Request) { weirtest.Reset(w) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			ai := ""
			for i, answer := range []func(http.ResponseWriter, *weirtest.Request){c.one, alive, alive} {
				ai += fmt.Sprintf("provider p%d openai_compatible {\nbase_url %s/v1\n}\n", i, weirtest.NewUpstream(b, answer).URL)
			}
			g := weirtest.StartWith(b, "", ai+"model m p0/x p1/x p2/x {\nlb_policy round_robin\n}\noverload off", "ai_gateway")
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
			defer client.CloseIdleConnections()
			var (
				mu     sync.Mutex
				took   []time.Duration
				failed int
				all    sync.WaitGroup
			)
			begun := time.Now()
			for b.Loop() {
				for range 8 {
					all.Go(func() {
						for time.Since(begun) < 5*time.Second {
							start := time.Now()
							res, err := client.Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(hi))
							status := 0
							if err == nil {
								_, _ = io.Copy(io.Discard, res.Body)
								res.Body.Close()
								status = res.StatusCode
							}
							mu.Lock()
							if status != http.StatusOK {
								failed++
							} else if start.Sub(begun) > time.Second {
								took = append(took, time.Since(start))
							}
							mu.Unlock()
						}
					})
				}
				all.Wait()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(failed), "failed")
		})
	}
}
