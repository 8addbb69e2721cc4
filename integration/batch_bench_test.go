package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
)

// BenchmarkEmbeddings asks for one vector of 256 dimensions a request from 64
// clients at once, with and without batching. cpu-µs/op is what the process
// spends on a request, its client and the upstream included.
func BenchmarkEmbeddings(b *testing.B) {
	vector := "[" + strings.TrimSuffix(strings.Repeat("0.0123456,", 256), ",") + "]"
	for _, mode := range []string{"off", "on"} {
		b.Run(mode, func(b *testing.B) {
			b.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
			var calls atomic.Int64
			up := weirtest.NewUpstream(b, func(w http.ResponseWriter, r *weirtest.Request) {
				calls.Add(1)
				inputs := inputsOf(r)
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"object":"list","data":[`)
				for i := range inputs {
					if i > 0 {
						_, _ = io.WriteString(w, ",")
					}
					_, _ = fmt.Fprintf(w, `{"object":"embedding","index":%d,"embedding":%s}`, i, vector)
				}
				_, _ = fmt.Fprintf(w, `],"model":"m","usage":{"prompt_tokens":%d,"total_tokens":%[1]d}}`, 3*len(inputs))
			})
			g := weirtest.Start(b, strings.ReplaceAll(embedConfig, "URL", up.URL), "ai_gateway {\nbatch_embeddings "+mode+"\n}")
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
			defer client.CloseIdleConnections()
			b.SetParallelism(32) // times GOMAXPROCS
			before := cpuTime(b)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					res, err := client.Post(g.URL+"/v1/embeddings", "application/json", strings.NewReader(one(1)))
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					if res.StatusCode != http.StatusOK {
						b.Errorf("status %d", res.StatusCode)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(b.N)/float64(calls.Load()), "requests/call")
		})
	}
}

// cpuTime is what the process has used of processors.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
