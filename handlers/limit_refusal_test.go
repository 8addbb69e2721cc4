package handlers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/tokens"
	"github.com/weirproxy/weir/stores/memory"
	"github.com/weirproxy/weir/wire"
)

func parseRule(tb testing.TB, words string) limits.Rule {
	tb.Helper()
	rule, err := limits.Parse(strings.Fields(words))
	if err != nil {
		tb.Fatal(err)
	}
	return rule
}

// TestRefusalWords holds the words of refusals, which clients read.
func TestRefusalWords(t *testing.T) {
	for _, tt := range []struct {
		scope, name, rule string
		decision          limits.Decision
		asked             int64
		why               error
		want              gateway.Error
	}{
		{
			"key", "k", "requests 5 1m",
			limits.Decision{Used: 5, Wait: 3 * time.Second},
			1, nil,
			gateway.Error{Kind: wire.KindRateLimit, RetryAfter: 3 * time.Second, Message: "the limit of key 'k' is reached: requests 5 1m; used 5, left 0, asked for 1"},
		},
		{
			"global", "", "usd 2.50 1M zone Europe/Kyiv",
			limits.Decision{Used: 1_250_000_000, Remaining: 1_250_000_000, Wait: limits.Never},
			3_000_000_001, nil,
			gateway.Error{Kind: wire.KindBudget, NoRetry: true, Message: "the limit of the gateway is reached: usd 2.5 1M zone Europe/Kyiv; used 1.25 usd, left 1.25 usd, asked for 3.000000001 usd; this request alone is more than the limit allows"},
		},
		{
			"site", "x", "concurrency 2 queue 5s 10",
			limits.Decision{Used: 2, Wait: limits.Soon},
			1, errQueueFull,
			gateway.Error{Kind: wire.KindRateLimit, RetryAfter: time.Second, Message: "the limit of the site is reached: concurrency 2 queue 5s 10; used 2, left 0, asked for 1; too many requests are waiting for it already"},
		},
	} {
		rule := parseRule(t, tt.rule)
		tt.decision.Over, tt.want.Phase = true, "limit"
		r := &limits.Reservation{Claims: []limits.Claim{{Rule: &rule, Amount: tt.asked, Scope: tt.scope, Name: tt.name}}, Decisions: []limits.Decision{tt.decision}}
		if diff := cmp.Diff(&tt.want, new(call).refusal(r, tt.why)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.rule, diff)
		}
	}
}

// whole is a provider that answers with the same JSON every time.
type whole struct{ canned }

func (w whole) Do(ctx context.Context, call *gateway.Call) (*http.Response, error) {
	res, err := w.canned.Do(ctx, call)
	res.Header = http.Header{"Content-Type": {"application/json"}}
	return res, err
}

// limited is a proxy under one limit for all, and what asks it for a whole answer.
func limited(tb testing.TB, store limits.Store, rule string) func(ctx context.Context) *httptest.ResponseRecorder {
	tb.Helper()
	p, _ := proxyTo(tb, whole{canned{[]byte(`{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`)}})
	if err := p.rules.Add(gateway.ScopeGlobal, "", parseRule(tb, rule)); err != nil {
		tb.Fatal(err)
	}
	_, near := store.(limits.LocalStore)
	p.limits, p.far, p.queues, p.margins, p.tokens = store, !near, queue.NewSet(queue.System{}), limits.NewMargins(), new(tokens.Counter)
	return func(ctx context.Context) *httptest.ResponseRecorder {
		body := `{"model":"up/gpt-4o","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		if err := p.ServeHTTP(w, r, caddyhttp.HandlerFunc(nil)); err != nil {
			tb.Fatal(err)
		}
		return w
	}
}

// watched counts who wants to know of its end.
type watched struct {
	context.Context
	watches atomic.Int32
}

func (w *watched) AfterFunc(func()) func() bool {
	w.watches.Add(1)
	return func() bool { return true }
}

// Done implements context.Context: it ends.
func (*watched) Done() <-chan struct{} { return make(chan struct{}) }

// elsewhere is a store that is asked over a network.
type elsewhere struct{ limits.Store }

// TestRefusedAtOnceIsNotWatched holds that nobody waits for the client to leave of a
// call that limits refuse at once, unless it takes time to ask them.
func TestRefusedAtOnceIsNotWatched(t *testing.T) {
	for _, far := range []bool{false, true} {
		var store limits.Store = memory.New(time.Now, 1<<10)
		if far {
			store = elsewhere{store}
		}
		ask := limited(t, store, "requests 1 1h")
		for _, status := range []int{http.StatusOK, http.StatusTooManyRequests} {
			ctx := &watched{Context: context.Background()}
			if got := ask(ctx).Code; got != status {
				t.Fatalf("status %d, want %d", got, status)
			}
			if got, want := ctx.watches.Load() > 0, far || status == http.StatusOK; got != want {
				t.Errorf("far %v, status %d: watched %v", far, status, got)
			}
		}
	}
}

// TestGoneBeforeDispatch holds that no upstream is called for a client that has left
// while its limits were asked.
func TestGoneBeforeDispatch(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	store := &leaver{Store: memory.New(time.Now, 1<<10), leave: leave}
	ask := limited(t, store, "requests 5 1h")
	defer func() {
		if r := recover(); r != http.ErrAbortHandler {
			t.Errorf("it ended with %v", r)
		}
		if store.settled != 0 {
			t.Errorf("it used %d", store.settled)
		}
	}()
	ask(ctx)
}

// leaver has the client leave while it decides.
type leaver struct {
	*memory.Store
	leave   func()
	settled int64
}

func (l *leaver) Reserve(ctx context.Context, r *limits.Reservation) (bool, error) {
	l.leave()
	return l.Store.Reserve(ctx, r)
}

func (l *leaver) Settle(ctx context.Context, r *limits.Reservation, actual []int64) error {
	l.settled += actual[0]
	return l.Store.Settle(ctx, r, actual)
}

// TestLimitsAreTold holds what the headers say of limits: in a whole answer what is
// left when it has settled, in a refusal what was decided.
func TestLimitsAreTold(t *testing.T) {
	for _, tt := range []struct {
		rule    string
		status  int
		want    string
		refused string
	}{
		{"requests 1 1h", http.StatusOK, "1 0", "1 0"},
		{"tokens 1000 1h", http.StatusOK, "1000 993", ""},
		{"tokens 5 1h", http.StatusTooManyRequests, "5 5", ""},
	} {
		unit := map[byte]string{'r': "Requests", 't': "Tokens"}[tt.rule[0]]
		ask := limited(t, memory.New(time.Now, 1<<10), tt.rule)
		told := func(w *httptest.ResponseRecorder) string {
			h := w.Header()
			for name, values := range h {
				if len(values) != 1 {
					t.Errorf("%s: %q", name, values)
				}
			}
			return h.Get("X-Ratelimit-Limit-"+unit) + " " + h.Get("X-Ratelimit-Remaining-"+unit)
		}
		w := ask(t.Context())
		if got := told(w); w.Code != tt.status || got != tt.want {
			t.Errorf("%s: status %d, %s, want %s", tt.rule, w.Code, got, tt.want)
		}
		if tt.refused == "" {
			continue
		}
		w = ask(t.Context())
		if got := told(w); w.Code != http.StatusTooManyRequests || got != tt.refused || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d, %s, want %s", tt.rule, w.Code, got, tt.refused)
		}
	}
}

// TestToldOfAnother holds that what was said of a target that was not taken in the end
// stays, but where the one that was has something to say of the same.
func TestToldOfAnother(t *testing.T) {
	o := httptest.NewRecorder()
	c := &call{proxy: new(Proxy), x: new(gateway.Exchange), out: output{w: o}}
	reservation := func(rules ...string) *limits.Reservation {
		r := new(limits.Reservation)
		for i, words := range rules {
			rule := parseRule(t, words)
			r.Claims = append(r.Claims, limits.Claim{Rule: &rule, Amount: []int64{10, 1}[i]})
			r.Decisions = append(r.Decisions, limits.Decision{Limit: rule.Amount, Used: r.Claims[i].Amount, Remaining: rule.Amount - r.Claims[i].Amount})
		}
		return r
	}
	mine, other := reservation("tokens 100 1m"), reservation("tokens 50 1m", "requests 7 1m")
	c.setLimits(mine)
	c.setLimits(other)
	if got := o.Header().Get("X-Ratelimit-Remaining-Tokens"); got != "90" {
		t.Errorf("the first's is told as %q when another is to be told", got)
	}
	c.quota.held = mine
	texts := newTexts()
	c.settledLimits(texts, wire.Usage{Input: 2, Output: 1})
	c.out.setAll(texts)
	want := http.Header{
		"X-Ratelimit-Limit-Tokens": {"100"}, "X-Ratelimit-Remaining-Tokens": {"97"}, "X-Ratelimit-Reset-Tokens": {"0s"},
		"X-Ratelimit-Limit-Requests": {"7"}, "X-Ratelimit-Remaining-Requests": {"6"}, "X-Ratelimit-Reset-Requests": {"0s"},
	}
	if diff := cmp.Diff(want, o.Header()); diff != "" || c.quota.told != nil {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestShadowsAreNotTold holds that headers speak of limits that refuse, and of what
// is left of them, however much more than that has been used.
func TestShadowsAreNotTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules []string
		used  int64
		want  http.Header
	}{
		{"a shadow alone", []string{"tokens 5 1h shadow", "requests 0 1h shadow"}, 7, http.Header{}},
		{"beside another", []string{"tokens 5 1h shadow", "tokens 100 1h"}, 10, http.Header{
			"X-Ratelimit-Limit-Tokens": {"100"}, "X-Ratelimit-Remaining-Tokens": {"93"}, "X-Ratelimit-Reset-Tokens": {"0s"},
		}},
		{"beyond the limit", []string{"tokens 100 1h"}, 250, http.Header{
			"X-Ratelimit-Limit-Tokens": {"100"}, "X-Ratelimit-Remaining-Tokens": {"0"}, "X-Ratelimit-Reset-Tokens": {"0s"},
		}},
	} {
		o := httptest.NewRecorder()
		c := &call{proxy: new(Proxy), x: new(gateway.Exchange), out: output{w: o}}
		c.quota.held = new(limits.Reservation)
		for _, words := range tt.rules {
			rule := parseRule(t, words)
			c.quota.held.Claims = append(c.quota.held.Claims, limits.Claim{Rule: &rule, Amount: 10})
			c.quota.held.Decisions = append(c.quota.held.Decisions, limits.Decision{Limit: rule.Amount, Used: tt.used, Remaining: max(0, rule.Amount-tt.used)})
		}
		texts := newTexts()
		c.settledLimits(texts, wire.Usage{Input: 5, Output: 2})
		c.out.setAll(texts)
		if diff := cmp.Diff(tt.want, o.Header()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}
