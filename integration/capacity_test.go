package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/inflight"
)

// newPlaces is a hall with the providers one, whose block has the bound, and
// two; their prompts enter with the provider's name before them.
func newPlaces(t *testing.T, bound, ai string) *hall {
	t.Helper()
	t.Setenv("CI_KEY", ofCI)
	t.Setenv("OTHER_KEY", ofOther)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	h := &hall{t: t, entered: make(chan string, 100), open: make(chan struct{})}
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		text := prompt(string(r.Body))
		h.entered <- name + " " + text
		select {
		case <-h.open:
		case <-r.Gone:
			return
		}
		ending(w, r, text)
	})
	h.upstream = up.URL
	h.Gateway = weirtest.Start(t, h.places(bound, ai), queueSite)
	return h
}

func (h *hall) places(bound, ai string) string {
	return fmt.Sprintf(`provider one openai_compatible {
base_url %[1]s/one/v1
%[2]s
}
provider two openai_compatible {
base_url %[1]s/two/v1
}
key ci {env.CI_KEY} {
priority batch
}
key other {env.OTHER_KEY} {
priority high
}
%[3]s
`, h.upstream, bound, ai)
}

// ending answers in the way that the prompt names.
func ending(w http.ResponseWriter, r *weirtest.Request, text string) {
	stream := strings.Contains(string(r.Body), `"stream":true`)
	const word = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":null}]}` + "\n\n"
	switch {
	case text == "error":
		w.WriteHeader(http.StatusInternalServerError)
	case text == "reset":
		weirtest.Reset(w)
	case text == "page":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>")
	case text == "cut":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, word)
		weirtest.Flush(w)
		weirtest.Reset(w)
	case text == "stall":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, word)
		weirtest.Flush(w)
		<-r.Gone
	case stream:
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, word+strings.Replace(word, "null", `"stop"`, 1)+"data: [DONE]\n\n")
	default:
		hello(w, nil)
	}
}

func (h *hall) inFlight(n int) {
	h.t.Helper()
	eventually(h.t, fmt.Sprintf("%d in flight", n), func() bool {
		return h.metric(`caddy_ai_provider_in_flight{provider="one"}`) == float64(n)
	})
}

// TestPlaceIsGivenBack ends the only call to a provider in every way there is;
// the next one finds the place free, and no second one.
func TestPlaceIsGivenBack(t *testing.T) {
	h := newPlaces(t, "max_in_flight 1", "model m one/x {\nidle_timeout 200ms\n}")
	stream := strings.Replace(hi, "{", `{"stream":true,`, 1)
	for _, tt := range []struct {
		name, text string
		stream     bool
		leave      bool // the client does
		status     int
	}{
		{"answer", "answer", false, false, 200},
		{"stream", "answer", true, false, 200},
		{"error", "error", false, false, 502},
		{"reset", "reset", false, false, 502},
		{"web page", "page", false, false, 502},
		{"cut stream", "cut", true, false, 200},
		{"idle stream", "stall", true, false, 200},
		{"client gone before the answer", "answer", false, true, 499},
		{"client gone before the stream", "answer", true, true, 499},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(h.Records.All())
			body := hi
			if tt.stream {
				body = stream
			}
			c := dial(t, h.Addr)
			c.post(t, "/v1/chat/completions", strings.Replace(body, `"hi"`, `"`+tt.text+`"`, 1), "Authorization: Bearer "+ofCI)
			if got := <-h.entered; got != "one "+tt.text {
				t.Fatal(got)
			}
			h.inFlight(1)
			got := <-h.ask(ofOther, "second")
			if got.status != 503 || !strings.Contains(got.body, "max_in_flight") || !strings.Contains(got.body, `"overloaded"`) || got.header.Get("Retry-After") != "1" || got.header.Get("X-Should-Retry") != "true" {
				t.Errorf("%+v", got)
			}
			if tt.leave {
				_ = c.conn.Close()
			} else {
				h.open <- struct{}{}
				_, _ = io.ReadAll(c.response(t).Body)
			}
			h.inFlight(0)
			for _, r := range h.Records.Wait(t, before+2)[before:] {
				if tt.leave && r.ClientGone && r.BytesOut > 0 {
					r.Status = tt.status // a heartbeat had opened the stream
				}
				if r.Attempts == 0 && (r.Status != 503 || r.Phase != gateway.PhaseCapacity || r.Error != "overloaded") || r.Attempts == 1 && r.Status != tt.status || r.Attempts > 1 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	h.all.Wait()
}

// TestPlacesHold sends many at once: the upstream never sees more than the
// bound, and all get through.
func TestPlacesHold(t *testing.T) {
	var now, most, begun atomic.Int64
	three := make(chan struct{})
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		if begun.Add(1) == 3 {
			close(three)
		}
		<-three // all places are used
		if strings.Contains(prompt(string(r.Body)), "7") {
			w.WriteHeader(http.StatusServiceUnavailable) // makes it come back
			return
		}
		ending(w, r, "answer")
	})
	t.Setenv("CI_KEY", ofCI)
	t.Setenv("OTHER_KEY", ofOther)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	h := &hall{t: t, upstream: up.URL}
	h.Gateway = weirtest.Start(t, h.places("max_in_flight 3\nqueue 1m 500", "model m one/x {\nlb_retries 1\nlb_try_interval 1ms\nmax_fails 1000\n}"), queueSite)
	var done []<-chan outcome
	for i := range 100 {
		done = append(done, h.ask(ofCI, fmt.Sprint(i)), h.ask(ofOther, fmt.Sprint(i)))
	}
	for i, done := range done {
		want := 200
		if strings.Contains(fmt.Sprint(i/2), "7") {
			want = 503
		}
		if got := <-done; got.status != want || strings.Contains(got.body, "max_in_flight") { // retries wait too
			t.Errorf("%d: %+v", i/2, got)
		}
	}
	if most.Load() != 3 {
		t.Errorf("%d at once", most.Load())
	}
	h.all.Wait()
	h.inFlight(0)
	h.depth(0)
}

// TestPlacesQueue has calls wait for a place: in order, by class, and in vain.
func TestPlacesQueue(t *testing.T) {
	t.Run("order", func(t *testing.T) {
		h := newPlaces(t, "max_in_flight 1\nqueue 1m 3", "model m one/x")
		h.hold()
		h.queue(ofCI, "ci0", 1)
		h.queue(ofCI, "ci1", 2)
		pushed := h.queue(ofCI, "ci2", 3)
		if got := <-h.ask(ofCI, "ci3"); got.status != 503 || !strings.Contains(got.body, "too many requests are waiting") || got.header.Get("X-AI-Queue-Position") != "" {
			t.Errorf("full: %+v", got)
		}
		first := h.ask(ofOther, "other0")
		if got := <-pushed; got.status != 503 || !strings.Contains(got.body, "went to another request") || got.header.Get("X-AI-Queue-Position") != "3" {
			t.Errorf("pushed out: %+v", got)
		}
		h.depth(3)
		if n := h.metric(`caddy_ai_provider_queue_depth{provider="one"}`); n != 3 {
			t.Errorf("%v wait", n)
		}
		if diff := cmp.Diff([]string{"one other0", "one ci0", "one ci1"}, h.drain(3)); diff != "" {
			t.Error(diff)
		}
		if got := <-first; got.header.Get("X-AI-Queue-Position") != "1" || !strings.Contains(got.header.Get("Server-Timing"), "queue;dur=") {
			t.Errorf("%+v", got)
		}
		h.all.Wait()
		h.depth(0)
	})
	t.Run("waited", func(t *testing.T) {
		h := newPlaces(t, "max_in_flight 1\nqueue 100ms", "model m one/x")
		h.hold()
		if got := <-h.ask(ofCI, "late"); got.status != 503 || !strings.Contains(got.body, "no room came free") || got.header.Get("Retry-After") == "" {
			t.Errorf("%+v", got)
		}
		h.depth(0)
		h.open <- struct{}{}
		h.all.Wait()
	})
	t.Run("total timeout", func(t *testing.T) {
		h := newPlaces(t, "max_in_flight 1\nqueue 1m", "model m one/x\nmodel slow one/x {\ntotal_timeout 100ms\n}")
		h.hold()
		status, _, body := askWith(t, h.Gateway, "/v1/chat/completions", ofCI, strings.Replace(hi, `"m"`, `"slow"`, 1))
		if status != 504 || !strings.Contains(body, "total timeout") {
			t.Errorf("status %d: %s", status, body)
		}
		h.open <- struct{}{}
		h.all.Wait()
	})
	t.Run("client gone", func(t *testing.T) {
		h := newPlaces(t, "max_in_flight 1\nqueue 1m", "model m one/x")
		h.hold()
		c := dial(t, h.Addr)
		c.post(t, "/v1/chat/completions", hi, "Authorization: Bearer "+ofCI)
		h.depth(1)
		_ = c.conn.Close()
		h.depth(0)
		next := h.queue(ofOther, "other", 1)
		h.drain(1)
		if got := <-next; got.status != 200 {
			t.Errorf("%+v", got)
		}
		h.all.Wait()
		h.inFlight(0)
	})
	t.Run("exit", func(t *testing.T) {
		h := newPlaces(t, "max_in_flight 1\nqueue 1m", "model m one/x")
		h.hold()
		waiting := h.queue(ofOther, "other", 1)
		inflight.Process.Cancel(gateway.ErrShutdown)
		if got := <-waiting; got.status != 503 || !strings.Contains(got.body, "shutting down") {
			t.Errorf("%+v", got)
		}
		h.all.Wait()
		h.inFlight(0)
	})
	t.Run("stream", func(t *testing.T) {
		h := newPlaces(t, "max_in_flight 1\nqueue 1m", "model m one/x")
		h.hold()
		c := dial(t, h.Addr)
		c.post(t, "/v1/chat/completions", strings.Replace(hi, "{", `{"stream":true,`, 1), "Authorization: Bearer "+ofCI)
		res := c.response(t)
		r := &reader{body: res.Body}
		r.until(t, ": keep-alive\n\n")
		if res.StatusCode != 200 || res.Header.Get("X-AI-Queue-Position") != "1" || res.Header.Get("X-AI-Provider") != "one" {
			t.Errorf("status %d, header %v", res.StatusCode, res.Header)
		}
		h.drain(1)
		if rest, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(rest), "[DONE]") {
			t.Errorf("%q, %v", rest, err)
		}
		h.all.Wait()
	})
}

// TestPlacesElsewhere has a model with other targets go there before it waits,
// where it may.
func TestPlacesElsewhere(t *testing.T) {
	for _, tt := range []struct {
		name, model string
		want        string // where the second goes, while the first is at one
		status      int
	}{
		{"another target", "model m one/x two/y", "two second", 200},
		{"a fallback", "model m one/x {\nfallback two/y\n}", "two second", 200},
		{"a fallback that is a model", "model m one/x {\nfallback spare\n}\nmodel spare two/y {\ninternal\n}", "two second", 200},
		{"a fallback for something else", "model m one/x {\nfallback_on content_policy two/y\n}", "", 503},
		{"no room under its limit", "model m one/x two/y\nlimit provider two tokens 1 1h", "", 503},
		{"no other", "model m one/x", "", 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newPlaces(t, "max_in_flight 1", tt.model)
			held := h.hold()
			second := h.ask(ofOther, "second")
			if tt.want != "" {
				if got := <-h.entered; got != tt.want {
					t.Errorf("went to %q", got)
				}
				if n := h.metric(`caddy_ai_fallbacks_total{reason="overloaded"}`); n == 0 {
					t.Error("not counted")
				}
				h.open <- struct{}{}
			}
			if tt.want == "" {
				if got := <-second; got.status != tt.status {
					t.Errorf("%+v", got)
				}
			}
			h.open <- struct{}{}
			if tt.want != "" {
				if got := <-second; got.status != tt.status || got.header.Get("X-AI-Provider") != "two" {
					t.Errorf("%+v", got)
				}
			}
			<-held
			h.all.Wait()
			h.inFlight(0)
		})
	}
	t.Run("its limit is full, so it waits", func(t *testing.T) {
		h := newPlaces(t, "max_in_flight 1\nqueue 1m", "model m one/x two/y\nlimit provider two tokens 1 1h\nlimit provider one concurrency 5")
		h.hold()
		h.queue(ofOther, "second", 1)
		if diff := cmp.Diff([]string{"one second"}, h.drain(1)); diff != "" {
			t.Error(diff)
		}
		h.all.Wait()
		h.inFlight(0)
	})
}

// TestPlacesReload changes the bound while calls wait and streams go on.
func TestPlacesReload(t *testing.T) {
	h := newPlaces(t, "max_in_flight 1\nqueue 1m", "model m one/x")
	h.hold()
	waiting := h.queue(ofCI, "second", 1)
	if err := h.Load("", h.places("max_in_flight 2", "model m one/x"), queueSite); err != nil {
		t.Fatal(err)
	}
	if got := <-h.entered; got != "one second" { // by the new bound
		t.Error(got)
	}
	if got := <-h.ask(ofOther, "third"); got.status != 503 { // those of the old one count
		t.Errorf("%+v", got)
	}
	h.open <- struct{}{}
	h.open <- struct{}{}
	if got := <-waiting; got.status != 200 {
		t.Errorf("%+v", got)
	}
	h.all.Wait()
	h.inFlight(0)
}
