package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
)

// TestOverload fills the gateway: keys of the lowest priority are refused first,
// and those above are not.
func TestOverload(t *testing.T) {
	t.Setenv("URGENT_KEY", "a-secret-of-urgent-1")
	h := newPlaces(t, "", "model m one/x\noverload {\nmax_in_flight 10\nmax_memory off\ntarget_latency off\n}\nkey urgent {env.URGENT_KEY} {\npriority critical\n}")
	for range 8 {
		h.ask(ofCI, "batch")
		<-h.entered
	}
	got := <-h.ask(ofCI, "batch")
	if got.status != 503 || !strings.Contains(got.body, `"overloaded"`) || !strings.Contains(got.body, "'batch'") || got.header.Get("Retry-After") == "" || got.header.Get("X-Should-Retry") != "true" {
		t.Errorf("%+v", got)
	}
	if n := h.metric(`caddy_ai_shed_total{class="batch",reason="in_flight"}`); n == 0 {
		t.Error("not counted")
	}
	h.ask(ofOther, "high")
	if got := <-h.entered; got != "one high" {
		t.Error(got)
	}
	h.ask("a-secret-of-urgent-1", "critical")
	if got := <-h.entered; got != "one critical" {
		t.Error(got)
	}
	if got := <-h.ask(ofOther, "high"); got.status != 503 { // 95 in a hundred are 9 of 10
		t.Errorf("%+v", got)
	}
	if err := h.Load("", h.places("", "model m one/x"), queueSite); err != nil { // what goes on counts on
		t.Fatal(err)
	}
	if err := h.Load("", h.places("", "model m one/x\noverload {\nmax_in_flight 10\n}"), queueSite); err != nil {
		t.Fatal(err)
	}
	if got := <-h.ask(ofCI, "batch"); got.status != 503 {
		t.Errorf("%+v", got)
	}
	for range 10 {
		h.open <- struct{}{}
	}
	h.all.Wait()
	for _, r := range h.Records.All() {
		if r.Status != 200 && (r.Status != 503 || r.Phase != gateway.PhaseOverload || r.Attempts != 0) {
			t.Errorf("%+v", r)
		}
	}
	done := h.ask(ofCI, "batch")
	<-h.entered
	h.open <- struct{}{}
	if got := <-done; got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	h.all.Wait()
}
