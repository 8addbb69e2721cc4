package health

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAdmin(t *testing.T) {
	r := pool()
	handler := AdminHandler(r.Tracker, []Description{{"p", "openai", "api.example"}, {"q", "simulator", ""}})
	ask := func(method, path string) (int, string) {
		t.Helper()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	r.times(3, bad)
	c := r.Begin(tgt, "a", Settings{})
	c.FirstToken(250 * time.Millisecond)
	c.Headers(200, http.Header{"X-Ratelimit-Limit-Requests": {"10"}, "X-Ratelimit-Remaining-Requests": {"4"}, "X-Ratelimit-Reset-Requests": {"10s"}})
	r.callAs("b", Settings{}, Result{Class: Auth})
	r.callAs("a", Settings{}, Result{Class: RateLimit, RetryAfter: time.Minute})

	at := func(d time.Duration) *time.Time { return moment(r.clock.Now().Add(d)) }
	healthy := Report{
		Provider: "p", Module: "openai", Host: "api.example",
		Targets: []TargetReport{{
			Model: "m", State: "closed", InFlight: 1, LatencyMS: 250,
			Accounts: []UseReport{{Headroom: 1}, {Account: "a", InFlight: 1, Headroom: 1}, {Account: "b", Headroom: 1}},
			Healthy:  true,
		}},
		Accounts: []AccountReport{{Account: "a"}, {Account: "b"}},
	}
	q := Report{Provider: "q", Module: "simulator", Targets: []TargetReport{}, Accounts: []AccountReport{}}
	sick := healthy
	sick.Targets = []TargetReport{{
		// Its first token was that of a call of this spell.
		Model: "m", State: "closed", InFlight: 1, LatencyMS: 250, Until: at(time.Minute),
		Accounts: []UseReport{{Headroom: 1}, {
			Account: "a", CoolUntil: at(time.Minute), InFlight: 1, Headroom: 0.4,
			Quota: map[string]QuotaReport{"requests": {Limit: 10, Remaining: 4, Reset: at(10 * time.Second), Seen: *at(0)}},
		}, {Account: "b", Headroom: 1}},
	}}
	sick.Accounts = []AccountReport{{Account: "a"}, {Account: "b", Disabled: true, RetryAt: at(authRetry)}}

	status, body := ask("GET", "/ai/providers")
	var list Listed
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
		t.Fatalf("%d %v: %s", status, err, body)
	}
	if diff := cmp.Diff([]Report{sick, q}, list.Data); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if status, body := ask("POST", "/ai/providers/p/reset"); status != http.StatusNoContent || body != "" {
		t.Errorf("reset: %d %s", status, body)
	}
	_, body = ask("GET", "/ai/providers/p")
	var one Report
	if err := json.Unmarshal([]byte(body), &one); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(healthy, one); diff != "" {
		t.Errorf("after a reset (-want +got)\n%s", diff)
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/ai/providers/q", 200},
		{"GET", "/ai/providers/nobody", 404},
		{"POST", "/ai/providers/nobody/reset", 404},
		{"GET", "/ai/providers/p/reset", 405},
		{"POST", "/ai/providers", 405},
		{"DELETE", "/ai/providers/p", 405},
	} {
		if status, body := ask(c.method, c.path); status != c.status || status >= 400 && !strings.HasPrefix(body, `{"error":"`) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	c.End(good)
}
