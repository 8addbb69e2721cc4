package handlers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// TestRecycleLeavesAlone holds whose memory is not given away, since somebody besides
// the handler may look at it.
func TestRecycleLeavesAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*call)
		kept   bool
	}{
		"one attempt":                       {func(*call) {}, false},
		"none":                              {func(c *call) { c.x.Attempts = 0 }, false},
		"several":                           {func(c *call) { c.x.Attempts = 2 }, true},
		"it looked for a kept answer":       {func(c *call) { c.keeping = new(keeping) }, false},
		"it was followed":                   {func(c *call) { c.keeping, c.shared = new(keeping), true }, true},
		"it looked for what means the same": {func(c *call) { c.keeping = &keeping{semantic: new(CacheSemantic)} }, true},
		"it is recorded":                    {func(c *call) { c.out.rec = new(recording) }, true},
		"it may go on":                      {func(c *call) { c.out.left = make(chan struct{}) }, true},
		"it may be joined":                  {func(c *call) { c.route.Operation = wire.Embeddings }, true},
	} {
		t.Run(name, func(t *testing.T) {
			trip := new(gateway.Itinerary)
			trip.Retry().HedgeDelay = 1
			c := &call{x: &gateway.Exchange{Attempts: 1}, way: way{trip: trip}}
			c.route.Operation = wire.Chat
			if err := c.x.Envelope.Decode(wire.Chat, []byte(`{"model":"m","messages":[{}]}`)); err != nil {
				t.Fatal(err)
			}
			tt.change(c)
			c.recycle()
			if kept := c.way.trip != nil; kept != tt.kept || (trip.Retry().HedgeDelay != 0) != tt.kept {
				t.Errorf("the itinerary is kept: %v", kept)
			}
			if !tt.kept && c.keeping != nil {
				t.Error("it has what another call may have by now")
			}
			if knows := c.x.Envelope.List().Exists(); knows != tt.kept {
				t.Errorf("it is known what was read: %v", knows)
			}
		})
	}
}

// TestRecycleNotWhileSettling holds that the memory of a call which the process's exit
// settles is left alone: that goes on beside the handler.
func TestRecycleNotWhileSettling(t *testing.T) {
	p, _ := benchProxy(t, 1)
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"model":"up/first","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	r.RemoteAddr = "127.0.0.1:1"
	c := p.newCall(&sink{http.Header{}}, r)
	c.begin()
	if err := c.serve(); err != nil {
		t.Fatal(err)
	}
	c.Settle()
	c.settle()
	if c.way.trip == nil || c.target == nil {
		t.Error("who settles it may find another's memory")
	}
}

// TestRequestsShareNothing holds that placeholders, which logs ask for when a call is
// over, know nothing of the calls that have its memory by then.
func TestRequestsShareNothing(t *testing.T) {
	p, serve := benchProxy(t, 1)
	for range 3 {
		serve()
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"model":"up/first","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	r.RemoteAddr = "127.0.0.1:1"
	c := p.newCall(&sink{http.Header{}}, r)
	if err := c.exchange(); err != nil {
		t.Fatal(err)
	}
	serve()
	if c.way.trip != nil {
		t.Error("the call keeps its itinerary")
	}
	for name, want := range map[string]any{
		"model": "up/first", "target.provider": "up", "target.model": "first", "stream": "true", "attempts": "1",
	} {
		if got, ok := c.placeholder("http.ai." + name); !ok || got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
