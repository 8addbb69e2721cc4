package mock

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/bench/mark"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func start(t *testing.T, script Script) (*Server, *http.Client) {
	t.Helper()
	s, err := New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Play(script)
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, client
}

func post(t *testing.T, c *http.Client, url string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	res, err := c.Post(url, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, raw
}

func marks(raw []byte) (found []mark.Mark) {
	var r mark.Reader
	r.Feed(raw, func(m mark.Mark) { found = append(found, m) })
	return found
}

func TestWhole(t *testing.T) {
	s, c := start(t, Script{Pad: 300})
	for _, d := range dialects {
		for _, body := range []io.Reader{strings.NewReader("{}"), io.MultiReader(strings.NewReader("{"), strings.NewReader("}"))} { // the second is chunked
			_, raw := post(t, c, "http://"+s.Addr()+"/v1"+d.suffix+"?a=b", body)
			if !json.Valid(raw) || len(marks(raw)) != 1 {
				t.Errorf("%s: %s", d.suffix, raw)
			}
		}
	}
	if got := s.Stats(); got.Requests != int64(2*len(dialects)) || got.Bytes != int64(4*len(dialects)) {
		t.Errorf("%+v", got)
	}
}

func TestStreams(t *testing.T) {
	for name, script := range map[string]Script{
		"at once": {Stream: true, Tokens: 100},
		"slowly":  {Stream: true, Tokens: 10, Gap: time.Millisecond, TTFT: time.Millisecond, Pad: 40},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := start(t, script)
			for _, d := range dialects[:3] {
				_, raw := post(t, c, "http://"+s.Addr()+"/v1"+d.suffix, strings.NewReader("{}"))
				var check mark.Check
				check.Begin()
				for _, m := range marks(raw) {
					check.Note(m)
				}
				if f := check.End(script.Tokens); f.Sum() != 0 {
					t.Errorf("%s: %+v", d.suffix, f)
				}
				for line := range bytes.SplitSeq(raw, []byte("\n")) {
					data, ok := bytes.CutPrefix(line, []byte("data: "))
					if ok && string(data) != "[DONE]" && !json.Valid(data) {
						t.Errorf("%s: %s", d.suffix, data)
					}
				}
			}
		})
	}
}

func TestFailures(t *testing.T) {
	s, c := start(t, Script{Status: 429, ErrorEvery: 2})
	for _, want := range []int{200, 429, 200, 429} {
		if res, _ := post(t, c, "http://"+s.Addr()+"/v1/messages", strings.NewReader("{}")); res.StatusCode != want {
			t.Errorf("status %d, want %d", res.StatusCode, want)
		}
	}
	s.Play(Script{Stream: true, Tokens: 5, CutAfter: 2})
	res, err := c.Post("http://"+s.Addr()+"/v1/messages", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if raw, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a stream that was to be cut ends well: %s", raw)
	}
}

// TestGone holds that a reader who leaves is seen long before the next piece
// is due.
func TestGone(t *testing.T) {
	s, c := start(t, Script{Stream: true, Tokens: 2, Gap: time.Hour})
	res, err := c.Post("http://"+s.Addr()+"/v1/chat/completions", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Open != 1 || got.Gone != 0 {
		t.Errorf("%+v", got)
	}
	res.Body.Close()
	for s.Stats().Gone == 0 { // the test's time limit ends it
		time.Sleep(time.Millisecond)
	}
	if got := s.Stats(); got.LastGone == 0 {
		t.Errorf("%+v", got)
	}
}

func TestControl(t *testing.T) {
	s, c := start(t, Script{})
	post(t, c, "http://"+s.Addr()+"/_bench/script", strings.NewReader(`{"stream":true,"tokens":3}`))
	_, raw := post(t, c, "http://"+s.Addr()+"/v1/messages", strings.NewReader("{}"))
	if got := len(marks(raw)); got != 3 {
		t.Errorf("%d pieces", got)
	}
	var stats Stats
	_, raw = post(t, c, "http://"+s.Addr()+"/_bench/stats", nil)
	if err := json.Unmarshal(raw, &stats); err != nil || stats.Requests != 1 || stats.Chunks != 3 {
		t.Errorf("%s, %v", raw, err)
	}
}
