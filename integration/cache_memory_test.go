package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/integration/weirtest"
)

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one finds in pools the second one frees
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFloodOfAnswers holds that ten times as many answers as there is memory for,
// whole and streamed, with all the tags that they may have, take what they may.
func TestFloodOfAnswers(t *testing.T) {
	const (
		size  = 4 << 20
		each  = 64 << 10
		flood = 10 * size / each
		ai    = "max_size 4MiB\nmax_entry 256KiB"
		slack = 12 << 20 // records, connections, what is remembered of requests
	)
	s := newStage(t, cachedModel, "cache exact {\n"+ai+"\n}")
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(s.Caddyfile("", s.config+cachedModel, "ai_gateway {\ncache exact {\n"+ai+"\n}\n}"), admin)); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", each)
	s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
		if strings.Contains(string(r.Body), `"stream":true`) {
			events(strings.Replace(chatStream(`"stop"`, done), "hello", text, 1))(w, r)
			return
		}
		whole(http.StatusOK, strings.Replace(chatAnswer(chatChoice(`"stop"`)), "hello", text, 1))(w, r)
	})
	report := func() (r cache.Report) {
		if err := json.Unmarshal(askAdmin(t, admin, http.MethodGet, "/ai/cache", "", http.StatusOK), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	run := func(name string, n int) {
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < n; i += 4 {
					tags := make([]string, 16)
					for j := range tags {
						tags[j] = fmt.Sprintf("%s-%d-%d", name, i, j)
					}
					if got := s.post(t, "/v1/chat/completions", wanting(i%2 == 0, fmt.Sprint(name, i)), "X-AI-Cache-Tags", strings.Join(tags, ",")); got.status != http.StatusOK {
						t.Errorf("%d %s", got.status, got.body)
						return
					}
				}
			})
		}
		wg.Wait()
		if r := report(); r.Bytes > r.MaxBytes || r.MaxBytes != size {
			t.Errorf("%s: %+v", name, r)
		}
	}
	run("warm", 8)
	before := heap()
	run("flood", flood)
	if grown := heap() - before; grown > size+slack {
		t.Errorf("the heap has grown by %d bytes; answers have %d", grown, size)
	}
	if r := report(); r.Evictions+r.Rejections < flood/2 {
		t.Errorf("%+v", r)
	}
}
