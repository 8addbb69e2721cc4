package integration

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/inflight"
	"github.com/weirproxy/weir/internal/redistest"
)

const queueSite = "handle /metrics {\nmetrics\n}\nhandle {\nai_gateway {\nheartbeat 20ms\n}\n}"

// hall is a gateway whose upstream answers when it is told to.
type hall struct {
	*weirtest.Gateway
	t *testing.T

	// entered are the prompts that have reached the upstream; each waits for a
	// value from open.
	entered chan string
	open    chan struct{}
	all     sync.WaitGroup

	upstream string
}

// newHall has the keys ci and other, with options, and limits.
func newHall(t *testing.T, limits, ci, other string) *hall {
	t.Helper()
	h := &hall{t: t, entered: make(chan string, 100), open: make(chan struct{})}
	gateway, up := access(t, h.config(limits, ci, other), queueSite, h.answer)
	h.Gateway, h.upstream = gateway, up.URL
	return h
}

func (*hall) config(limits, ci, other string) string {
	return fmt.Sprintf("%s\nkey ci {env.CI_KEY} {\n%s\n}\nkey other {env.OTHER_KEY} {\n%s\n}", limits, ci, other)
}

func (h *hall) answer(w http.ResponseWriter, r *weirtest.Request) {
	h.entered <- prompt(string(r.Body))
	select {
	case <-h.open:
	case <-r.Gone:
		return
	}
	if strings.Contains(string(r.Body), `"stream":true`) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
		return
	}
	hello(w, nil)
}

func prompt(body string) string {
	_, rest, _ := strings.Cut(body, `"content":"`)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

// outcome is what became of a request.
type outcome struct {
	status int
	header http.Header
	body   string
}

const (
	ofCI    = "a-secret-of-ci-0001"
	ofOther = "a-secret-of-other-1"
)

// ask asks in the background; text is the prompt.
func (h *hall) ask(key, text string) <-chan outcome {
	done := make(chan outcome, 1)
	h.all.Go(func() {
		status, header, body := askWith(h.t, h.Gateway, "/v1/chat/completions", key, strings.Replace(hi, `"hi"`, `"`+text+`"`, 1))
		done <- outcome{status, header, body}
	})
	return done
}

// queue asks and waits until the request waits as the nth.
func (h *hall) queue(key, text string, n int) <-chan outcome {
	h.t.Helper()
	done := h.ask(key, text)
	h.depth(n)
	return done
}

// hold takes the only place.
func (h *hall) hold() <-chan outcome {
	done := h.ask(ofCI, "first")
	<-h.entered
	return done
}

// depth waits until n requests wait.
func (h *hall) depth(n int) {
	h.t.Helper()
	eventually(h.t, fmt.Sprintf("a queue of %d", n), func() bool { return h.metric("caddy_ai_queue_depth") == float64(n) })
}

func (h *hall) metric(series string) float64 {
	res, err := http.Get(h.URL + "/metrics")
	if err != nil {
		h.t.Error(err)
		return -1
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			n, _ := strconv.ParseFloat(value, 64)
			return n
		}
	}
	return 0
}

// drain lets n answers go one after the other, and returns the prompts that
// reached the upstream in between.
func (h *hall) drain(n int) (order []string) {
	for range n {
		h.open <- struct{}{}
		order = append(order, <-h.entered)
	}
	h.open <- struct{}{}
	return order
}

// stores are where the limits of a test are counted.
func stores(t *testing.T, run func(t *testing.T, store string)) {
	t.Run("memory", func(t *testing.T) { run(t, "") })
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t)
		run(t, "store redis "+server.URL+" {\ndeadline 2s\n}\n")
	})
}

// TestQueueFair lets a busy key throw in ten requests before another comes:
// they take turns, each in its own order.
func TestQueueFair(t *testing.T) {
	stores(t, func(t *testing.T, store string) {
		h := newHall(t, store+"limit concurrency 1 queue 1m", "", "")
		h.hold()
		for i := range 6 {
			h.queue(ofCI, fmt.Sprint("ci", i), 1+i)
		}
		h.queue(ofOther, "other0", 7)
		last := h.queue(ofOther, "other1", 8)
		want := []string{"ci0", "other0", "ci1", "other1", "ci2", "ci3", "ci4", "ci5"}
		if diff := cmp.Diff(want, h.drain(8)); diff != "" {
			t.Error(diff)
		}
		got := <-last
		if position := got.header.Get("X-AI-Queue-Position"); position != "4" {
			t.Errorf("position %q, want 4", position)
		}
		if !strings.Contains(got.header.Get("Server-Timing"), "queue;dur=") {
			t.Errorf("timing %q", got.header.Get("Server-Timing"))
		}
		h.all.Wait()
		h.depth(0)
		for _, r := range h.Records.Wait(t, 9) {
			if r.Status != 200 {
				t.Errorf("%+v", r)
			}
		}
	})
}

// TestQueueNoPassing lets a large request wait, and a small one, for which there is
// room, wait behind it.
func TestQueueNoPassing(t *testing.T) {
	h := newHall(t, "limit tokens 110 30s queue 1m", "", "")
	h.hold()
	large := strings.TrimSpace(strings.Repeat("word ", 60))
	h.queue(ofCI, large, 1)
	h.queue(ofOther, "small", 2)
	if diff := cmp.Diff([]string{large, "small"}, h.drain(2)); diff != "" {
		t.Error(diff)
	}
	h.all.Wait()
}

// TestQueueLevels sends many at once through the queues of three levels: all get
// through, and no level is overrun.
func TestQueueLevels(t *testing.T) {
	stores(t, func(t *testing.T, store string) {
		var all, ci, mostAll, mostCI atomic.Int64
		enter := func(n, most *atomic.Int64) {
			now := n.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
		}
		config := store + "limit concurrency 4 queue 1m 500\nlimit model m concurrency 3 queue 1m 500\nkey ci {env.CI_KEY} {\nlimit concurrency 2 queue 1m 500\n}\nkey other {env.OTHER_KEY} {\npriority low\n}"
		g, _ := access(t, config, queueSite, func(w http.ResponseWriter, r *weirtest.Request) {
			enter(&all, &mostAll)
			defer all.Add(-1)
			if prompt(string(r.Body)) == "ci" {
				enter(&ci, &mostCI)
				defer ci.Add(-1)
			}
			hello(w, r)
		})
		h := &hall{Gateway: g, t: t}
		var done []<-chan outcome
		for range 60 {
			done = append(done, h.ask(ofCI, "ci"), h.ask(ofOther, "other"))
		}
		for _, done := range done {
			if got := <-done; got.status != 200 {
				t.Errorf("%+v", got)
			}
		}
		h.all.Wait()
		if mostAll.Load() > 3 || mostCI.Load() > 2 {
			t.Errorf("%d at once, %d of ci", mostAll.Load(), mostCI.Load())
		}
		h.depth(0)
	})
}

// TestQueuePriority serves the classes of keys in order, and pushes the lowest
// out of a queue that is full.
func TestQueuePriority(t *testing.T) {
	h := newHall(t, "limit concurrency 1 queue 1m 3", "priority batch", "priority high")
	h.hold()
	h.queue(ofCI, "ci0", 1)
	h.queue(ofCI, "ci1", 2)
	pushed := h.queue(ofCI, "ci2", 3)
	if got := <-h.ask(ofCI, "ci3"); got.status != 429 || !strings.Contains(got.body, "too many requests are waiting") || got.header.Get("Retry-After") == "" || got.header.Get("X-AI-Queue-Position") != "" {
		t.Errorf("full: %+v", got)
	}
	first := h.ask(ofOther, "other0")
	if got := <-pushed; got.status != 429 || !strings.Contains(got.body, "went to another request") || got.header.Get("Retry-After") == "" || got.header.Get("X-AI-Queue-Position") != "3" {
		t.Errorf("pushed out: %+v", got)
	}
	h.depth(3)
	if diff := cmp.Diff([]string{"other0", "ci0", "ci1"}, h.drain(3)); diff != "" {
		t.Error(diff)
	}
	if got := <-first; got.header.Get("X-AI-Queue-Position") != "1" {
		t.Errorf("%+v", got)
	}
	h.all.Wait()
}

// TestQueueEnds says how a wait in vain ends: at once where it surely is one,
// at the end of the time, with the client, with the process.
func TestQueueEnds(t *testing.T) {
	t.Run("no room in time", func(t *testing.T) {
		h := newHall(t, "", "limit requests 1 1h queue 30s", "limit tokens 100 2s queue 30s")
		done := h.hold()
		got := <-h.ask(ofCI, "late")
		if seconds, _ := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || seconds < 3000 || got.header.Get("X-AI-Queue-Position") != "" {
			t.Errorf("%+v", got)
		}
		large := strings.Repeat("word ", 200)
		if got := <-h.ask(ofOther, large); got.status != 429 || got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%+v", got)
		}
		h.open <- struct{}{}
		<-done
		h.all.Wait()
	})
	t.Run("no room in time behind others", func(t *testing.T) {
		h := newHall(t, "limit concurrency 1 queue 1m", "", "limit requests 1 1h queue 30s")
		h.hold()
		h.queue(ofOther, "other0", 1)
		waiting := h.queue(ofCI, "ci0", 2)
		h.open <- struct{}{}
		<-h.entered
		if got := <-h.ask(ofOther, "other1"); got.status != 429 || !strings.Contains(got.body, "requests 1 1h") {
			t.Errorf("%+v", got)
		}
		h.drain(1)
		<-waiting
		h.all.Wait()
	})
	t.Run("a window that opens", func(t *testing.T) {
		h := newHall(t, "", "limit requests 1 200ms queue 30s", "")
		done := h.hold()
		next := h.ask(ofCI, "next")
		if got := <-h.entered; got != "next" {
			t.Errorf("%s was served", got)
		}
		h.open <- struct{}{}
		h.open <- struct{}{}
		for _, done := range []<-chan outcome{done, next} {
			if got := <-done; got.status != 200 {
				t.Errorf("%+v", got)
			}
		}
		h.all.Wait()
	})
	t.Run("waited", func(t *testing.T) {
		h := newHall(t, "", "limit concurrency 1 queue 100ms", "")
		h.hold()
		if got := <-h.ask(ofCI, "late"); got.status != 429 || !strings.Contains(got.body, "no room came free") || got.header.Get("X-AI-Queue-Position") != "1" {
			t.Errorf("%+v", got)
		}
		h.depth(0)
		h.open <- struct{}{}
		h.all.Wait()
	})
	t.Run("total timeout", func(t *testing.T) {
		h := newHall(t, "model slow openai/gpt-4o {\ntotal_timeout 100ms\n}", "limit concurrency 1 queue 1m", "")
		h.hold()
		status, _, body := askWith(t, h.Gateway, "/v1/chat/completions", ofCI, strings.Replace(hi, `"m"`, `"slow"`, 1))
		if status != 504 || !strings.Contains(body, "total timeout") {
			t.Errorf("status %d: %s", status, body)
		}
		h.open <- struct{}{}
		h.all.Wait()
	})
	t.Run("client gone", func(t *testing.T) {
		h := newHall(t, "limit concurrency 1 queue 1m", "", "")
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
		for _, r := range h.Records.Wait(t, 3) {
			if r.Status == 499 && (!r.ClientGone || r.Usage.Input != 0) {
				t.Errorf("%+v", r)
			}
		}
	})
	t.Run("reload", func(t *testing.T) {
		h := newHall(t, "", "limit concurrency 1 queue 1m", "limit concurrency 1 queue 1m")
		up := h.hold()
		waiting := h.queue(ofCI, "old", 1)
		config := fmt.Sprintf("provider openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m openai/gpt-4o\n", h.upstream)
		if err := h.Load("", config+h.config("", "limit concurrency 1 queue 2m", ""), queueSite); err != nil {
			t.Fatal(err)
		}
		h.queue(ofCI, "new", 2)
		if diff := cmp.Diff([]string{"old", "new"}, h.drain(2)); diff != "" {
			t.Error(diff)
		}
		for _, done := range []<-chan outcome{up, waiting} {
			if got := <-done; got.status != 200 {
				t.Errorf("%+v", got)
			}
		}
		h.all.Wait()
	})
	t.Run("exit", func(t *testing.T) {
		h := newHall(t, "limit concurrency 1 queue 1m", "", "")
		h.hold()
		waiting := h.queue(ofOther, "other", 1)
		inflight.Process.Cancel(gateway.ErrShutdown)
		if got := <-waiting; got.status != 503 || !strings.Contains(got.body, "shutting down") {
			t.Errorf("%+v", got)
		}
		h.all.Wait()
		h.depth(0)
	})
}

// TestQueueStream keeps the client of a stream that waits company, and ends it
// with an error event when the wait was in vain.
func TestQueueStream(t *testing.T) {
	h := newHall(t, "", "limit concurrency 1 queue 1m", "limit concurrency 1 queue 300ms")
	stream := strings.Replace(hi, "{", `{"stream":true,`, 1)
	for _, tt := range []struct {
		key, want string
		served    bool
	}{{ofCI, "data: [DONE]\n\n", true}, {ofOther, `"error"`, false}} {
		held := h.ask(tt.key, "first")
		<-h.entered
		c := dial(t, h.Addr)
		c.post(t, "/v1/chat/completions", stream, "Authorization: Bearer "+tt.key)
		res := c.response(t)
		r := &reader{body: res.Body}
		r.until(t, ": keep-alive\n\n")
		if res.StatusCode != 200 || res.Header.Get("X-AI-Queue-Position") != "1" || res.Header.Get("X-AI-Model") != "gpt-4o" {
			t.Errorf("status %d, header %v", res.StatusCode, res.Header)
		}
		if tt.served {
			h.drain(1)
		}
		rest, err := io.ReadAll(res.Body)
		if !strings.Contains(string(rest), tt.want) || (err == nil) != tt.served {
			t.Errorf("%q, %v", rest, err)
		}
		if !tt.served {
			h.open <- struct{}{}
		}
		<-held
	}
	h.all.Wait()
}

// TestQueueRedisPace holds that many who wait do not ask Redis all at once: the asks
// are bounded by time, not by how many wait.
func TestQueueRedisPace(t *testing.T) {
	server := redistest.Start(t)
	h := newHall(t, "store redis "+server.URL+" {\ndeadline 2s\n}\nlimit concurrency 1 queue 1m", "", "")
	h.hold()
	for i := range 40 {
		h.ask([]string{ofCI, ofOther}[i%2], fmt.Sprint(i))
	}
	h.depth(40)
	scripts := func() int {
		n, err := strconv.Atoi(strings.TrimPrefix(server.Must(`EVAL "return tonumber(string.match(redis.call('INFO','commandstats'),'cmdstat_evalsha:calls=(%d+)'))" 0`), ":"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := scripts()
	start := time.Now()
	eventually(t, "three more asks", func() bool { return scripts() >= before+3 })
	// One asks every 25 ms at first and every 400 ms later.
	if asks, most := scripts()-before, 3+int(time.Since(start)/(25*time.Millisecond)); asks > most {
		t.Errorf("%d asks in %v", asks, time.Since(start))
	}
	h.drain(40)
	h.all.Wait()
}
