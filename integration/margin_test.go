package integration

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

const picture = `{"model":"m","max_tokens":20,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a/b"}}]}]}`

// TestMargin holds that what a call reserves of a distant limit instead of counting
// its prompt costs nobody else a place: the second call fits into what the first
// one leaves to the token, and not with one more.
func TestMargin(t *testing.T) {
	for _, tc := range []struct {
		name, limit string
		first       string // what it says
		most        string // the second's cap
		want        int
	}{
		{"all that is left", "tokens 100000 1h", hi, "99964", 200},
		{"one token more", "tokens 100000 1h", hi, "99965", 429},
		{"all that is left of the input", "input_tokens 640000 1h\nlimit tokens 100000 1d", hi, "99964", 200},
		// It costs more than its bytes, so that nothing but its count will do.
		{"a picture's", "tokens 100000 1h", picture, "99300", 429},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opened, open := latch()
			defer open()
			var asked atomic.Int64
			g, _ := access(t, "key ci {env.CI_KEY} {\nlimit "+tc.limit+"\n}", "ai_gateway", func(w http.ResponseWriter, r *weirtest.Request) {
				if asked.Add(1) == 1 {
					<-opened
				}
				hello(w, r)
			})
			var first sync.WaitGroup
			first.Go(func() {
				// 8 tokens of prompt and 20 of answer
				if status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", tc.first); status != 200 {
					t.Errorf("the first: %d %s", status, body)
				}
			})
			eventually(t, "the first call", func() bool { return asked.Load() == 1 })
			status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, "20", tc.most, 1))
			if status != tc.want {
				t.Errorf("%d %s", status, body)
			}
			if tc.want == 429 && tc.first == hi && !strings.Contains(body, "used 28, left 99972, asked for 99973") {
				t.Errorf("the refusal does not tell the exact counts: %s", body)
			}
			open()
			first.Wait()
		})
	}
}
