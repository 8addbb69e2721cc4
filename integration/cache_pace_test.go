package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestPacedReplay holds that a stream that is replayed as slowly as it was made is
// the same stream, takes its time, ends when its client leaves, and within
// total_timeout.
func TestPacedReplay(t *testing.T) {
	const slow = "cache exact {\nreplay paced\n}"
	// The upstream's stream takes 300 ms.
	stretched := func(w http.ResponseWriter, _ *weirtest.Request) {
		startStream(w)
		for range 3 {
			_, _ = io.WriteString(w, word("word"))
			weirtest.Flush(w)
			time.Sleep(100 * time.Millisecond)
		}
		_, _ = io.WriteString(w, lastChunks)
	}
	s := newStage(t, cachedModel, slow)
	s.plays("one", stretched)
	ask := func(header ...string) *reply { return s.post(t, "/v1/chat/completions", wanting(true, ""), header...) }
	fresh := ask()
	first := s.Records.Wait(t, 1)[0]
	if took := first.Timings.Total; took < 300*time.Millisecond {
		t.Fatalf("it took %s", took)
	}
	counted := fmt.Sprintf(`"input_tokens":%d,"output_tokens":%d,`, first.Usage.Input, first.Usage.Output) // the stream itself does not tell
	if got := ask(); got.body != fresh.body || got.header.Get("X-AI-Cache") != "hit" {
		t.Errorf("%v %s", got.header, got.body)
	}
	if got := ask("X-AI-Metadata", "on"); !strings.HasSuffix(got.body, done) || len(got.body) <= len(fresh.body) || !strings.Contains(got.body, counted) {
		t.Errorf("%s", got.body)
	}
	for i, r := range s.Records.Wait(t, 3)[1:] {
		if r.Timings.Total < 200*time.Millisecond {
			t.Errorf("replay %d took %s", i, r.Timings.Total)
		}
	}
	l := s.listen(t, wanting(true, ""))
	l.until(t, "word")
	l.leave()
	if r := s.Records.Wait(t, 4)[3]; !r.ClientGone || r.Cache != "hit" {
		t.Errorf("%+v", r)
	}
	s.reload(t, s.config+cachedModel, slow+"\ntotal_timeout 50ms")
	l = s.listen(t, wanting(true, ""))
	if got, err := l.rest(); err == nil || strings.Contains(got, "[DONE]") || !strings.Contains(got, `"error"`) {
		t.Errorf("%v %s", err, got)
	}
	if r := s.Records.Wait(t, 5)[4]; r.Phase != "total" {
		t.Errorf("%s %s", r.Error, r.Phase)
	}
}
