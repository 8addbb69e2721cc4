package upstream

import (
	"io"
	"net/http"
	"testing"

	"github.com/weirproxy/weir/internal/http1"
)

// answerBody says when the request that it answers is no more in use.
type answerBody struct {
	io.ReadCloser
	done bool
}

func (b *answerBody) Recycle() bool { return b.done }

// TestRecycleHeader holds that a request's header goes to the next one when nobody
// sends it any more, and that only.
func TestRecycleHeader(t *testing.T) {
	for name, tt := range map[string]struct {
		body io.ReadCloser
		free bool
	}{
		"done":            {&answerBody{http.NoBody, true}, true},
		"still sent":      {&answerBody{http.NoBody, false}, false},
		"nobody can tell": {http.NoBody, false},
	} {
		t.Run(name, func(t *testing.T) {
			sent := http.Header{"Authorization": {"Bearer key"}}
			var body http1.Recycler = &heldBody{ReadCloser: tt.body, header: sent}
			if got := body.Recycle(); got != tt.free || (len(sent) == 0) != tt.free {
				t.Errorf("free: %v, with %v", got, sent)
			}
			body.Recycle()
			for range 20 { // the pool may have others
				next := headers.Get().(http.Header)
				if len(next) > 0 {
					t.Fatalf("the next request begins with %v", next)
				}
				next["Taken"] = nil // it would show if it came again
			}
		})
	}
}
