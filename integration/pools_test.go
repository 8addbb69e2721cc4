package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// pooled is an upstream that counts its connections and knows the keys that
// it was called with.
type pooled struct {
	*httptest.Server
	opened, open, heads atomic.Int64
	key                 atomic.Value
}

func newPooled(t *testing.T) *pooled {
	t.Helper()
	p := new(pooled)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			p.heads.Add(1)
			return
		}
		p.key.Store(r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	}))
	p.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			p.opened.Add(1)
			p.open.Add(1)
		case http.StateClosed:
			p.open.Add(-1)
		}
	}
	p.Start()
	t.Cleanup(p.Close)
	return p
}

func chat(t *testing.T, client *http.Client, url string) {
	t.Helper()
	res, err := client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"chat","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("status %d, %v: %s", res.StatusCode, err, body)
	}
}

// TestConnectionsSurviveReloads holds that reloads which do not change a
// provider's transport cost no handshake, also when its key is rotated, and
// that a transport which is gone leaves no connection.
func TestConnectionsSurviveReloads(t *testing.T) {
	t.Setenv("OLD_KEY", "sk-old")
	t.Setenv("NEW_KEY", "sk-new")
	up := newPooled(t)
	ai := func(key, more string) string {
		return fmt.Sprintf("provider up openai_compatible {\n base_url %s/v1\n api_key %s\n%s\n}\nmodel chat up/m", up.URL, key, more)
	}
	g := weirtest.Start(t, ai("{env.OLD_KEY}", ""), "ai_gateway")
	client := newClient(t)
	chat(t, client, g.URL)
	for i := range 20 {
		if err := g.Load("", ai("{env.OLD_KEY} {env.NEW_KEY}", fmt.Sprintf("key_policy first\nheader X-Load %d", i)), "ai_gateway"); err != nil {
			t.Fatal(err)
		}
		client.CloseIdleConnections()
		chat(t, client, g.URL)
	}
	if got := up.key.Load(); got != "Bearer sk-old" {
		t.Errorf("key %v", got)
	}
	if err := g.Load("", ai("{env.NEW_KEY}", ""), "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	chat(t, client, g.URL)
	if got := up.key.Load(); got != "Bearer sk-new" {
		t.Errorf("key %v after its rotation", got)
	}
	if n := up.opened.Load(); n != 1 {
		t.Errorf("%d connections were opened, want 1", n)
	}
	if err := g.Load("", "provider sim simulator\nmodel chat sim/m", "ai_gateway"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the connection", func() bool { return up.open.Load() == 0 })
}

// TestWarmAtStart holds that connections are opened before the first call, and
// that nothing is opened for a configuration that is only validated.
func TestWarmAtStart(t *testing.T) {
	up := newPooled(t)
	ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s/v1\n warm 3\n}\nmodel chat up/m", up.URL)
	if err := weirtest.Validate(fmt.Sprintf("{\nauto_https off\nai {\n%s\n}\n}\nhttp://:0 {\nai_gateway\n}", ai)); err != nil {
		t.Fatal(err)
	}
	if n := up.opened.Load(); n != 0 {
		t.Errorf("validating opened %d connections", n)
	}
	g := weirtest.Start(t, ai, "ai_gateway")
	eventually(t, "three connections", func() bool { return up.heads.Load() == 3 })
	chat(t, newClient(t), g.URL)
	if n := up.opened.Load(); n != 3 {
		t.Errorf("%d connections were opened, want 3", n)
	}
}

// TestWarmIsNoCondition holds that an upstream that is not there yet stops no
// start.
func TestWarmIsNoCondition(t *testing.T) {
	g := weirtest.Start(t, fmt.Sprintf("provider up openai_compatible {\n base_url http://%s/v1\n warm\n}\nprovider sim simulator\nmodel chat sim/m", weirtest.FreeAddr(t)), "ai_gateway")
	chat(t, newClient(t), g.URL)
}
