package integration

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestMargin holds that what a call reserves of a distant limit instead of counting
// its prompt costs nobody else a place: the second call fits into what the first
// one leaves to the token, and not with one more.
func TestMargin(t *testing.T) {
	for _, tc := range []struct {
		name, limit string
		most        string // the second's cap
		want        int
	}{
		{"all that is left", "tokens 100000 1h", "99964", 200},
		{"one token more", "tokens 100000 1h", "99965", 429},
		{"all that is left of the input", "input_tokens 640000 1h\nlimit tokens 100000 1d", "99964", 200},
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
				if status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", hi); status != 200 {
					t.Errorf("the first: %d %s", status, body)
				}
			})
			eventually(t, "the first call", func() bool { return asked.Load() == 1 })
			status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, "20", tc.most, 1))
			if status != tc.want {
				t.Errorf("%d %s", status, body)
			}
			if tc.want == 429 && !strings.Contains(body, "used 28, left 99972, asked for 99973") {
				t.Errorf("the refusal does not tell the exact counts: %s", body)
			}
			open()
			first.Wait()
		})
	}
}
