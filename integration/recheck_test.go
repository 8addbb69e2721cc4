package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// clinic is an upstream whose models are up or down as a test says, behind a
// gateway. What is down says when to come back: at once.
type clinic struct {
	*hall
	up *weirtest.Upstream

	mu    sync.Mutex
	down  map[string]int // the calls that still fail; -1: all
	stuck bool
	gone  chan struct{} // one who was kept waiting has gone
}

func newClinic(t *testing.T, down map[string]int) *clinic {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	c := &clinic{hall: &hall{t: t}, down: down, gone: make(chan struct{}, 100)}
	c.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		model := wanted(r)
		c.mu.Lock()
		fails, stuck := c.down[model] != 0, c.stuck
		if c.down[model] > 0 {
			c.down[model]--
		}
		c.mu.Unlock()
		switch {
		case stuck:
			<-r.Gone
			c.gone <- struct{}{}
		case fails:
			w.Header().Set("Retry-After-Ms", "10")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			hello(w, nil)
		}
	})
	return c
}

func wanted(r *weirtest.Request) string {
	_, rest, _ := strings.Cut(string(r.Body), `"model":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

func (c *clinic) run(options string) {
	c.t.Helper()
	c.Gateway = weirtest.Start(c.t, c.config(options), queueSite)
}

func (c *clinic) config(options string) string {
	return fmt.Sprintf("provider up openai_compatible {\n base_url %s\n%s\n}\nmodel one up/one\nmodel two up/two\n", c.up.URL, options)
}

// fail takes a model down: three requests find out.
func (c *clinic) fail(model string) {
	c.t.Helper()
	for range 3 {
		res, err := http.Post(c.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`))
		if err != nil {
			c.t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode < 500 {
			c.t.Fatalf("%s: status %d", model, res.StatusCode)
		}
	}
}

// asked is how often the upstream was called for a model.
func (c *clinic) asked(model string) (n int) {
	for _, r := range c.up.Requests() {
		if wanted(r) == model {
			n++
		}
	}
	return n
}

func (c *clinic) open(model string) bool {
	return c.metric(fmt.Sprintf(`caddy_ai_breaker_open{model="%s",provider="up"}`, model)) == 1
}

// moreOf waits until a model was asked for n times more: meanwhile every other
// check that was due has been made.
func (c *clinic) moreOf(model string, n int) {
	c.t.Helper()
	want := c.asked(model) + n
	eventually(c.t, fmt.Sprintf("%d checks of %s", n, model), func() bool { return c.asked(model) >= want })
}

// TestRecheck holds that a target that was down comes back without a request,
// that targets that are up are not asked, and that nobody pays for it.
func TestRecheck(t *testing.T) {
	c := newClinic(t, map[string]int{"one": 3 + 2, "two": -1})
	c.run("health_interval 5ms")
	before := c.metric(`caddy_ai_upstream_attempts_total{outcome="server_error",provider="up"}`)
	ok := c.metric(`caddy_ai_upstream_attempts_total{outcome="ok",provider="up"}`)
	c.fail("two")
	c.moreOf("two", 3)
	if n := c.asked("one"); n != 0 {
		t.Fatalf("%d checks of a target that was never called", n)
	}
	c.fail("one")
	eventually(t, "the target back", func() bool { return c.asked("one") >= 6 && !c.open("one") })
	c.moreOf("two", 5)
	if n := c.asked("one"); n != 6 {
		t.Errorf("asked %d times: 3 requests failed, then 2 checks; the next worked and is the last", n)
	}
	if n := len(c.Records.All()); n != 6 {
		t.Errorf("%d usage records of 6 requests", n)
	}
	for _, r := range c.up.Requests()[3:6] {
		if body := string(r.Body); !strings.Contains(body, `"max_tokens":1}`) && !strings.Contains(body, `"max_tokens":1,`) {
			t.Errorf("the check asks for more than one token: %s", body)
		}
	}
	if got := c.metric(`caddy_ai_upstream_attempts_total{outcome="ok",provider="up"}`) - ok; got != 1 {
		t.Errorf("%g calls that worked are counted", got)
	}
	if got := c.metric(`caddy_ai_upstream_attempts_total{outcome="server_error",provider="up"}`) - before; got < 3+2+3+8 {
		t.Errorf("%g calls that failed are counted", got)
	}
}

// TestRecheckEndsWithItsConfiguration holds that a reload goes on with what is
// known, and that no check outlives the configuration that asks for it.
func TestRecheckEndsWithItsConfiguration(t *testing.T) {
	c := newClinic(t, map[string]int{"one": -1, "two": -1})
	c.run("health_interval 5ms")
	c.fail("one")
	c.moreOf("one", 2)
	if err := c.Load("", c.config("health_interval 6ms\nhealth_timeout 1s"), queueSite); err != nil {
		t.Fatal(err)
	}
	c.moreOf("one", 2)
	// The same upstream, which the provider far has checked from now on.
	far := strings.ReplaceAll(strings.ReplaceAll(c.config("health_interval 5ms"), "up/", "far/"), "provider up", "provider far")
	if err := c.Load("", c.config("")+strings.ReplaceAll(far, "model ", "model far-"), queueSite); err != nil {
		t.Fatal(err)
	}
	before := c.asked("one")
	c.fail("far-two")
	c.moreOf("two", 10)
	if n := c.asked("one") - before; n != 0 {
		t.Errorf("%d checks for a configuration that is gone", n)
	}
}

// TestRecheckOfTheSilent holds that a check has its timeout, and is cancelled
// with its configuration.
func TestRecheckOfTheSilent(t *testing.T) {
	c := newClinic(t, map[string]int{"one": -1})
	c.run("health_interval 5ms\nhealth_timeout 20ms")
	c.fail("one")
	c.mu.Lock()
	c.stuck = true
	c.mu.Unlock()
	if !weirtest.Within(c.gone) {
		t.Fatal("a check outlives its timeout")
	}
	if !c.open("one") {
		t.Error("a check without an answer closes the breaker")
	}
	if err := c.Load("", c.config("health_interval 5ms\nhealth_timeout 1m"), queueSite); err != nil {
		t.Fatal(err)
	}
	for len(c.gone) > 0 {
		<-c.gone
	}
	c.moreOf("one", 1)
	if err := c.Load("", c.config(""), queueSite); err != nil {
		t.Fatal(err)
	}
	if !weirtest.Within(c.gone) {
		t.Error("a check outlives its configuration")
	}
}
