package batch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

func ours(body string, tokens int) string {
	return fmt.Sprintf(`{"object":"list","data":[%s],"model":"m","usage":{"prompt_tokens":%d,"total_tokens":%[2]d}}`, body, tokens)
}

// TestJoined makes one call of several, and gives each its own.
func TestJoined(t *testing.T) {
	u, c := &upstream{}, &clock{}
	b := New(5*time.Millisecond, 256, c)
	one := send(t.Context(), b, request(u, `"a"`, `,"user":"u"`))
	two := send(t.Context(), b, request(u, `["b", "c"]`, `,"user": "u"`))
	three := send(t.Context(), b, request(u, `["d"]`, `,"user":"u"`))
	if len(u.bodies()) > 0 || len(c.timers) != 1 || c.timers[0].d != 5*time.Millisecond {
		t.Fatalf("calls %v, timers %d", u.bodies(), len(c.timers))
	}
	c.fire()
	// 40 tokens over weights of 3, 10 and 5.
	for i, tt := range []struct {
		pending
		want string
	}{
		{one, ours(`{"index":0,"embedding":"a"}`, 7)},
		{two, ours(`{"index":0,"embedding":"b"},{"index":1,"embedding":"c"}`, 22)},
		{three, ours(`{"index":0,"embedding":"d"}`, 11)},
	} {
		got := tt.wait(t)
		if got.err != nil || got.body != tt.want || got.Response.StatusCode != 200 {
			t.Errorf("%d: %s: %v", i, got.body, got.err)
		}
		if !got.Shared || got.Follows != (i > 0) || got.Response.Header.Get("X-Request-Id") != "up-1" || int(got.Response.ContentLength) != len(got.body) {
			t.Errorf("%d: %+v", i, got.Result)
		}
	}
	if diff := cmp.Diff([]string{`{"model":"m","input":["a","b", "c","d"],"user":"u"}`}, u.bodies()); diff != "" {
		t.Error(diff)
	}
	if sent := u.sent[0]; len(sent.Header) != 0 || sent.RequestID != "" || sent.Path != "/embeddings" || sent.Model != "m" {
		t.Errorf("sent %+v", sent)
	}
	if len(b.open) != 0 {
		t.Errorf("%d groups are left", len(b.open))
	}
}

// TestApart holds what is never made as one call.
func TestApart(t *testing.T) {
	u, c := &upstream{}, &clock{}
	b := New(time.Millisecond, 256, c)
	change := func(change func(*Call)) *Call {
		r := request(u, `"a"`, "")
		change(r)
		return r
	}
	calls := []*Call{
		request(u, `"a"`, ""),
		request(u, `"a"`, `,"user":"x"`),
		request(u, `[1,2]`, ""),
		change(func(c *Call) { c.Scope = "other" }),
		change(func(c *Call) { c.Target = "other" }),
		change(func(c *Call) { c.Outgoing.Model = "other" }),
		change(func(c *Call) { c.Outgoing.Account = 1 }),
		change(func(c *Call) { c.Outgoing.Header = http.Header{"Openai-Project": {"x"}} }),
		change(func(c *Call) { c.Outgoing.Header = http.Header{"Openai-Project": {"x", "y"}} }),
	}
	for i, call := range calls {
		first, second := send(t.Context(), b, call), send(t.Context(), b, call)
		if len(b.open) != i+1 {
			t.Fatalf("%d: %d groups", i, len(b.open))
		}
		defer func() {
			if a, b := first.wait(t), second.wait(t); a.err != nil || b.err != nil {
				t.Errorf("%d: %v, %v", i, a.err, b.err)
			}
		}()
	}
	c.fire()
}

// TestAlone sends at once, and as it is, what has nobody to go with.
func TestAlone(t *testing.T) {
	long := `"` + strings.Repeat("x", maxBytes/2) + `"`
	for name, tt := range map[string]struct {
		input string
		with  *upstream
	}{
		"as many inputs as a batch has":  {`["a","b","c","d"]`, &upstream{}},
		"as many as the upstream takes":  {`["a","b"]`, &upstream{traits: gateway.Traits{MaxInputs: 2}}},
		"a long one":                     {long, &upstream{}},
		"what cannot be read":            {`["a",1]`, &upstream{}},
		"an upstream without the lists'": {`"a"`, &upstream{ops: []*wire.Operation{wire.Chat}}},
	} {
		u, c := tt.with, &clock{}
		got := send(t.Context(), New(time.Millisecond, 4, c), request(u, tt.input, "")).wait(t)
		if got.err != nil || got.Shared || len(c.timers) > 0 || len(u.calls) != 1 || u.calls[0] != `{"model":"m","input":`+tt.input+`}` || u.sent[0].RequestID != "r" {
			t.Errorf("%s: %+v, calls %.100v", name, got, u.calls)
		}
	}
	// One that waited in vain.
	u, c := &upstream{}, &clock{}
	p := send(t.Context(), New(time.Millisecond, 4, c), request(u, ` "a"`, ""))
	c.fire()
	if got := p.wait(t); got.err != nil || got.Shared || u.calls[0] != `{"model":"m","input": "a"}` || got.body != echo([]byte(u.calls[0])) {
		t.Errorf("%+v, calls %v", got, u.calls)
	}
}

// TestFull sends a batch without waiting when it is full, or when the next call
// has no room in it.
func TestFull(t *testing.T) {
	for name, tt := range map[string]struct {
		most   int
		traits gateway.Traits
		inputs []string
		want   []string
		waits  int // timers that are left
	}{
		"full":           {3, gateway.Traits{}, []string{`"a"`, `["b","c"]`}, []string{`["a","b","c"]`}, 0},
		"the upstream's": {100, gateway.Traits{MaxInputs: 3}, []string{`"a"`, `["b","c"]`}, []string{`["a","b","c"]`}, 0},
		"no room":        {4, gateway.Traits{}, []string{`"a"`, `"b"`, `["c","d","e"]`}, []string{`["a","b"]`}, 1},
		"bytes": {
			100,
			gateway.Traits{},
			[]string{`"a"`, `"` + strings.Repeat("x", maxBytes/2-10) + `"`, `"` + strings.Repeat("y", maxBytes/2-10) + `"`, `"` + strings.Repeat("z", 100) + `"`},
			[]string{`["a","` + strings.Repeat("x", maxBytes/2-10) + `","` + strings.Repeat("y", maxBytes/2-10) + `"]`},
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, c := &upstream{traits: tt.traits}, &clock{}
			b := New(time.Hour, tt.most, c)
			var list []pending
			for _, input := range tt.inputs {
				list = append(list, send(t.Context(), b, request(u, input, "")))
			}
			if len(b.open) != tt.waits {
				t.Errorf("%d groups gather", len(b.open))
			}
			first := list[0].wait(t)
			if got := u.bodies()[0]; got != `{"model":"m","input":`+tt.want[0]+`}` || first.err != nil {
				t.Errorf("sent %.100s, %v", got, first.err)
			}
			c.fire()
			for _, p := range list[1:] {
				if got := p.wait(t); got.err != nil {
					t.Error(got.err)
				}
			}
		})
	}
}

// TestLeaving holds that who leaves is no one else's loss, and that nothing is
// asked for whom nobody waits.
func TestLeaving(t *testing.T) {
	gone := errors.New("gone")
	t.Run("before it was sent", func(t *testing.T) {
		u, c := &upstream{}, &clock{}
		b := New(time.Hour, 256, c)
		ctx, cancel := context.WithCancelCause(t.Context())
		one, two, three := send(t.Context(), b, request(u, `"a"`, "")), send(ctx, b, request(u, `"b"`, "")), send(t.Context(), b, request(u, `"c"`, ""))
		cancel(gone)
		if got := two.wait(t); got.err != gone || !got.Unsent || got.Shared {
			t.Errorf("%v", got.err)
		}
		c.fire()
		if a, b := one.wait(t), three.wait(t); a.body != ours(`{"index":0,"embedding":"a"}`, 10) || b.body != ours(`{"index":0,"embedding":"c"}`, 10) {
			t.Errorf("%s\n%s", a.body, b.body)
		}
		if diff := cmp.Diff([]string{`{"model":"m","input":["a","c"]}`}, u.bodies()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("all before it was sent", func(t *testing.T) {
		u, c := &upstream{}, &clock{}
		b := New(time.Hour, 256, c)
		ctx, cancel := context.WithCancelCause(t.Context())
		one, two := send(ctx, b, request(u, `"a"`, "")), send(ctx, b, request(u, `"b"`, ""))
		cancel(gone)
		one.wait(t)
		two.wait(t)
		if len(b.open) > 0 || !c.timers[0].stopped {
			t.Error("the group gathers on")
		}
		if p := send(t.Context(), b, request(u, `"c"`, "")); len(c.timers) == 2 {
			c.fire()
			p.wait(t)
		}
		if diff := cmp.Diff([]string{`{"model":"m","input":"c"}`}, u.bodies()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("afterwards", func(t *testing.T) {
		came, ended, answered := make(chan context.Context, 1), make(chan struct{}), make(chan struct{})
		u, c := &upstream{answer: func(ctx context.Context, _ int, _ *gateway.Call, _ []byte) (*http.Response, error) {
			came <- ctx
			select {
			case <-ctx.Done():
				close(ended)
				return nil, context.Cause(ctx)
			case <-answered:
				return nil, nil
			}
		}}, &clock{}
		for _, all := range []bool{false, true} {
			b := New(time.Hour, 256, c)
			ctx, cancel := context.WithCancelCause(t.Context())
			one, two := send(ctx, b, request(u, `"a"`, "")), send(ctx, b, request(u, `"b"`, ""))
			stays, leaves := context.WithCancelCause(t.Context())
			defer leaves(nil)
			three := send(stays, b, request(u, `"c"`, ""))
			c.fire()
			upstream := <-came
			cancel(gone)
			if a, b := one.wait(t), two.wait(t); a.err != gone || b.err != gone || !a.Follows || !b.Follows || a.Unsent {
				t.Errorf("%+v, %+v", a, b)
			}
			if upstream.Err() != nil {
				t.Error("the call was ended while one waited")
			}
			if all {
				leaves(gone)
				if got := three.wait(t); got.err != gone || got.Follows || !got.Shared {
					t.Errorf("the last: %+v", got)
				}
				<-ended
				return
			}
			answered <- struct{}{}
			if got := three.wait(t); got.err != nil || got.body != ours(`{"index":0,"embedding":"c"}`, 10) || got.Follows {
				t.Errorf("%+v", got)
			}
		}
	})
}

// TestFailures holds what each gets of a failure that is all's, and that one
// caller's fault is not the others'.
func TestFailures(t *testing.T) {
	const words = "Requested 4321 tokens, b is bad"
	fail := func(status int, code string, headers ...string) func(context.Context, int, *gateway.Call, []byte) (*http.Response, error) {
		return func(_ context.Context, _ int, _ *gateway.Call, body []byte) (*http.Response, error) {
			if !strings.Contains(string(body), `"b"`) {
				return nil, nil
			}
			return answer(status, `{"error":{"message":"`+words+`","code":"`+code+`"}}`, headers...), nil
		}
	}
	run := func(t *testing.T, u *upstream) []outcome {
		t.Helper()
		c := &clock{}
		b := New(time.Hour, 256, c)
		list := []pending{send(t.Context(), b, request(u, `"a"`, "")), send(t.Context(), b, request(u, `"b"`, "")), send(t.Context(), b, request(u, `"c"`, ""))}
		c.fire()
		var got []outcome
		for _, p := range list {
			got = append(got, p.wait(t))
		}
		return got
	}
	for _, code := range []string{"", "context_length_exceeded", "content_filter"} {
		u := &upstream{answer: fail(400, code)}
		got := run(t, u)
		if len(u.calls) != 4 || got[0].body != echo([]byte(`{"input":"a"}`)) || got[2].body != echo([]byte(`{"input":"c"}`)) {
			t.Errorf("%s: calls %v, %+v", code, u.calls, got)
		}
		if bad := got[1]; bad.Response.StatusCode != 400 || !strings.Contains(bad.body, words) || bad.Shared || bad.Follows {
			t.Errorf("%s: %+v", code, bad)
		}
	}
	for status, kind := range map[int]string{429: "rate_limit_exceeded", 500: "upstream_error", 503: "overloaded", 401: "invalid_api_key", 404: "model_not_found"} {
		u := &upstream{answer: fail(status, "", "Retry-After", "7")}
		for i, got := range run(t, u) {
			if got.err != nil || got.Response.StatusCode != status || !strings.Contains(got.body, kind) || strings.Contains(got.body, "4321") || got.Response.Header.Get("Retry-After") != "7" || got.Follows != (i > 0) {
				t.Errorf("%d: %+v", status, got)
			}
		}
		if len(u.calls) != 1 {
			t.Errorf("%d: %d calls", status, len(u.calls))
		}
	}
	t.Run("in an answer", func(t *testing.T) {
		u := &upstream{answer: func(_ context.Context, n int, _ *gateway.Call, _ []byte) (*http.Response, error) {
			if n == 1 {
				return answer(200, `{"error":{"message":"`+words+`","code":"rate_limit_exceeded","type":"rate_limit_error"}}`), nil
			}
			return nil, nil
		}}
		for _, got := range run(t, u) {
			if got.err != nil || got.Response.StatusCode != 429 || strings.Contains(got.body, "4321") {
				t.Errorf("%+v", got)
			}
		}
	})
	cause := &gateway.Error{Kind: wire.KindUpstream, Phase: gateway.PhaseConnect, Message: "no way"}
	for name, tt := range map[string]struct {
		answer func(context.Context, int, *gateway.Call, []byte) (*http.Response, error)
		phase  string
	}{
		"no connection": {func(context.Context, int, *gateway.Call, []byte) (*http.Response, error) { return nil, cause }, gateway.PhaseConnect},
		"a panic":       {func(context.Context, int, *gateway.Call, []byte) (*http.Response, error) { panic("oh") }, ""},
		"too few": {func(context.Context, int, *gateway.Call, []byte) (*http.Response, error) {
			return answer(200, `{"data":[{"embedding":[1]}]}`), nil
		}, "answer"},
		"too long": {func(context.Context, int, *gateway.Call, []byte) (*http.Response, error) {
			return answer(200, strings.Repeat(" ", maxAnswer+1)), nil
		}, "answer"},
		"another status": {func(context.Context, int, *gateway.Call, []byte) (*http.Response, error) {
			return answer(302, ``), nil
		}, "status"},
	} {
		u := &upstream{answer: tt.answer}
		seen := map[error]bool{}
		for i, got := range run(t, u) {
			var e *gateway.Error
			if !errors.As(got.err, &e) || e.Phase != tt.phase || got.Response != nil || got.Follows != (i > 0) {
				t.Errorf("%s: %+v", name, got)
			}
			seen[got.err] = true
		}
		if len(u.calls) != 1 || len(seen) != 3 {
			t.Errorf("%s: %d calls, %d errors of their own", name, len(u.calls), len(seen))
		}
	}
}

// TestSizes holds that vectors may be many, and what an error says not.
func TestSizes(t *testing.T) {
	long := strings.Repeat(" ", maxError)
	for status, fits := range map[int]bool{200: true, 500: false} {
		u, c := &upstream{answer: func(_ context.Context, _ int, _ *gateway.Call, body []byte) (*http.Response, error) {
			return answer(status, echo(body)+long), nil
		}}, &clock{}
		b := New(time.Hour, 256, c)
		one, two := send(t.Context(), b, request(u, `"a"`, "")), send(t.Context(), b, request(u, `"b"`, ""))
		c.fire()
		for _, got := range []outcome{one.wait(t), two.wait(t)} {
			if (got.err == nil) != fits {
				t.Errorf("%d: %v", status, got.err)
			}
		}
	}
}

// TestGemini makes a batch of calls that ask for one vector each.
func TestGemini(t *testing.T) {
	u, c := &upstream{answer: func(_ context.Context, _ int, call *gateway.Call, body []byte) (*http.Response, error) {
		if call.Path != ":batchEmbedContents" || call.Operation != wire.GeminiBatchEmbed {
			t.Errorf("path %s", call.Path)
		}
		return answer(200, `{"embeddings":[{"values":[1]},{"values":[2]},{"values":[3]}],"usageMetadata":{"promptTokenCount":9}}`), nil
	}}, &clock{}
	b := New(time.Hour, 256, c)
	single := func(text string) *Call {
		r := request(u, `"`+text+`"`, "")
		r.Outgoing.Operation, r.Outgoing.Path = wire.GeminiEmbed, ":embedContent"
		r.Body = []byte(`{"content":{"parts":[{"text":"` + text + `"}]}}`)
		return r
	}
	many := request(u, `"bb"`, "")
	many.Outgoing.Operation, many.Outgoing.Path = wire.GeminiBatchEmbed, ":batchEmbedContents"
	many.Body = []byte(`{"requests":[{"x":1},{"y":2}]}`)
	one, two := send(t.Context(), b, single("a")), send(t.Context(), b, many)
	c.fire()
	if got := one.wait(t); got.body != `{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":4}}` {
		t.Errorf("%s, %v", got.body, got.err)
	}
	if got := two.wait(t); got.body != `{"embeddings":[{"values":[2]},{"values":[3]}],"usageMetadata":{"promptTokenCount":5}}` {
		t.Errorf("%s, %v", got.body, got.err)
	}
	if diff := cmp.Diff([]string{`{"requests":[{"content":{"parts":[{"text":"a"}]},"model":"models/m"},{"x":1},{"y":2}]}`}, u.bodies()); diff != "" {
		t.Error(diff)
	}
}
