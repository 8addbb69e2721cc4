package gateway

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

const body = `{"model":"m","messages":[{"role":"user"}]}`

// newExchange is an exchange whose request has been read.
func newExchange(t testing.TB, g *Gateway, op *wire.Operation) *Exchange {
	t.Helper()
	x := g.NewExchange("")
	x.Operation, x.Dialect, x.Model = op, op.Dialect, "m"
	x.Target = Target{"openai", "gpt"}
	if err := x.Envelope.Decode(op, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return x
}

// see has the exchange observe a report (nil for none), text and a finish
// reason.
func see(x *Exchange, usage *wire.Usage, text, finish string) {
	x.mu.Lock()
	a := x.attempt
	x.mu.Unlock()
	if a == nil {
		a = x.Try(&Pick{})
	}
	_, _ = a.Observe(func(seen *wire.Seen) (wire.Class, error) {
		if usage != nil {
			seen.Usage, seen.Reported = *usage, true
		}
		seen.AddText([]byte(text))
		seen.Finish = finish
		return 0, nil
	})
}

// TestOutset: what is noted before a call is sent does not wait for a count, unless
// the prompt's size says nothing.
func TestOutset(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want int
	}{
		"text":    {body, (len(body) + 3) / 4},
		"picture": {`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, 75},
	} {
		t.Run(name, func(t *testing.T) {
			g, _, _ := newGateway(t)
			x := newExchange(t, g, wire.Chat)
			if err := x.Envelope.Decode(wire.Chat, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			x.Try(&Pick{})
			var record Record
			if x.Outset(&record); record.Usage.Input != int64(tt.want) {
				t.Errorf("at the outset the prompt has %d tokens, want %d", record.Usage.Input, tt.want)
			}
			if x.Draft(&record); record.Usage.Input != int64(len(tt.body)) {
				t.Errorf("counted it has %d, want %d", record.Usage.Input, len(tt.body))
			}
			if n := testing.AllocsPerRun(10, func() {
				var record Record
				x.Outset(&record)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// TestUsage is the decision table of what an exchange is charged.
func TestUsage(t *testing.T) {
	const prompt = int64(len(body))
	report := &wire.Usage{Input: 7, Output: 2, CacheRead: 3}
	broken := func(o *Outcome) { o.Err = ErrIdle }
	gone := func(o *Outcome) { o.ClientGone = true }
	for _, c := range []struct {
		name   string
		op     *wire.Operation
		run    func(*Exchange)
		end    func(*Outcome)
		want   wire.Usage
		source string
	}{
		{"reported and complete", wire.Chat, func(x *Exchange) { x.Try(&Pick{}); see(x, report, "abcdefgh", "stop") }, nil, *report, SourceProvider},
		{"reported, without text", wire.Embeddings, func(x *Exchange) { x.Try(&Pick{}); see(x, report, "", "") }, nil, *report, SourceProvider},
		{"the last report wins", wire.Chat, func(x *Exchange) { see(x, &wire.Usage{Input: 99, Output: 99}, "a", ""); see(x, report, "b", "stop") }, nil, *report, SourceProvider},
		{"reported early, cut late", wire.Messages, func(x *Exchange) { x.Try(&Pick{}); see(x, report, "abcdefgh", "") }, broken, wire.Usage{Input: 7, Output: 8, CacheRead: 3}, SourceEstimated},
		{"reported early, client gone", wire.Messages, func(x *Exchange) { x.Try(&Pick{}); see(x, report, "abcdefgh", "") }, gone, wire.Usage{Input: 7, Output: 8, CacheRead: 3}, SourceEstimated},
		{"reported at the end, then cut", wire.Chat, func(x *Exchange) { x.Try(&Pick{}); see(x, report, "abcdefgh", "stop") }, broken, *report, SourceProvider},
		{"a report ahead of the text", wire.Chat, func(x *Exchange) { x.Try(&Pick{}); see(x, &wire.Usage{Input: 7, Output: 50}, "abc", "") }, broken, wire.Usage{Input: 7, Output: 50}, SourceProvider},
		{"responses still in progress", wire.Responses, func(x *Exchange) { x.Try(&Pick{}); see(x, report, "abcdefgh", "in_progress") }, broken, wire.Usage{Input: 7, Output: 8, CacheRead: 3}, SourceEstimated},
		{"complete, without a report", wire.Chat, func(x *Exchange) { x.Try(&Pick{}); see(x, nil, "abcd", "stop") }, nil, wire.Usage{Input: prompt, Output: 4}, SourceEstimated},
		{"cut, without a report", wire.Chat, func(x *Exchange) { x.Try(&Pick{}); see(x, nil, "abcd", "") }, broken, wire.Usage{Input: prompt, Output: 4}, SourceEstimated},
		{"cut before any text", wire.Chat, func(x *Exchange) { x.Try(&Pick{}) }, broken, wire.Usage{Input: prompt}, SourceEstimated},
		{"client gone before the answer", wire.Chat, func(x *Exchange) { x.Try(&Pick{}) }, gone, wire.Usage{Input: prompt}, SourceEstimated},
		{"never sent", wire.Chat, func(*Exchange) {}, broken, wire.Usage{}, SourceNone},
		{"refused by the upstream", wire.Chat, func(x *Exchange) { x.Try(&Pick{}).Refused() }, broken, wire.Usage{}, SourceNone},
		{"free", wire.Moderations, func(x *Exchange) { x.Try(&Pick{}) }, nil, wire.Usage{}, SourceNone},
		{"free, with a report", wire.CountTokens, func(x *Exchange) { x.Try(&Pick{}); see(x, report, "", "") }, nil, wire.Usage{}, SourceNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, _, l := newGateway(t)
			x := g.NewExchange("")
			x.Operation, x.Target = c.op, Target{"openai", "gpt"}
			if err := x.Envelope.Decode(wire.Chat, []byte(body)); err != nil {
				t.Fatal(err)
			}
			c.run(x)
			if c.end != nil {
				x.End(c.end)
			}
			record := x.Settle()
			if record == nil || record.Usage != c.want || record.UsageSource != c.source {
				t.Errorf("%+v, want %+v from %s", record, c.want, c.source)
			}
			if len(l.records) != 1 || g.InFlight() != 0 {
				t.Errorf("%d records, %d in flight", len(l.records), g.InFlight())
			}
		})
	}
}

func TestRecord(t *testing.T) {
	g, c, l := newGateway(t)
	x := newExchange(t, g, wire.Chat)
	start := c.Now()
	x.Principal = Principal{User: "ann"}
	x.Stream = true
	x.Try(&Pick{Reason: ReasonFirst}).Note(func(s *Step) { s.UpstreamID = "up-1" })
	see(x, &wire.Usage{Input: 1, Output: 2}, "ab", "stop")
	x.End(func(o *Outcome) { o.Status, o.BytesOut = 200, 10 })
	c.Add(3 * time.Second)
	want := &Record{
		RequestID: "req_minted", Time: start, Principal: "ann", User: "ann", Dialect: wire.OpenAI, Operation: "chat", Model: "m",
		Provider: "openai", UpstreamModel: "gpt", UpstreamID: "up-1", Stream: true, Status: 200, FinishReason: "stop",
		Usage: wire.Usage{Input: 1, Output: 2}, UsageSource: SourceProvider, Attempts: 1, BytesOut: 10,
		Timings: Timings{Total: 3 * time.Second},
		Trail:   []Step{{Provider: "openai", Model: "gpt", Reason: ReasonFirst, UpstreamID: "up-1"}},
	}
	if diff := cmp.Diff(want, x.Settle()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]*Record{want}, l.records); diff != "" {
		t.Errorf("in the sink (-want +got)\n%s", diff)
	}
}

// TestFirstErrorWins holds that what ended an exchange is not overwritten by
// what followed from it.
func TestFirstErrorWins(t *testing.T) {
	g, _, _ := newGateway(t)
	x := newExchange(t, g, wire.Chat)
	x.End(func(o *Outcome) { o.Err = ErrIdle })
	x.End(func(o *Outcome) { o.Err = ErrShutdown })
	x.End(func(o *Outcome) { o.ClientGone = true })
	record := x.Settle()
	if record.Error != "timeout" || record.Phase != "idle" || !record.ClientGone {
		t.Errorf("%+v", record)
	}
	gone := newExchange(t, g, wire.Chat)
	gone.End(func(o *Outcome) { o.ClientGone = true })
	if record := gone.Settle(); record.Error != "client_gone" {
		t.Errorf("%+v", record)
	}
}

// TestSettlesOnce has many ways out of an exchange race, while its stream is
// still being observed.
func TestSettlesOnce(t *testing.T) {
	g, _, l := newGateway(t)
	for range 50 {
		x := newExchange(t, g, wire.Chat)
		x.Try(&Pick{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		settled := 0
		for range 8 {
			wg.Go(func() {
				x.End(func(o *Outcome) { o.Err = ErrShutdown })
				if x.Settle() != nil {
					mu.Lock()
					settled++
					mu.Unlock()
				}
			})
			wg.Go(func() { see(x, &wire.Usage{Input: 1}, "text", "") })
			wg.Go(func() { x.Update(func() { x.Attempts++ }) })
		}
		wg.Wait()
		if settled != 1 {
			t.Fatalf("settled %d times", settled)
		}
	}
	if len(l.records) != 50 || g.InFlight() != 0 {
		t.Errorf("%d records, %d in flight", len(l.records), g.InFlight())
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.1: refused")
	e := &Error{Kind: wire.KindUpstream, Message: "connecting failed", Cause: cause, RetryAfter: time.Second}
	if !errors.Is(e, cause) || e.Error() != "upstream: connecting failed: dial tcp 10.0.0.1: refused" {
		t.Errorf("%v", e)
	}
	if got := *e.Failure("id"); got != (wire.Failure{Kind: wire.KindUpstream, Message: "connecting failed", RequestID: "id", RetryAfter: time.Second}) {
		t.Errorf("%+v", got)
	}
	if got := AsError(cause); got.Kind != wire.KindInternal || got.Message != "internal error" || got.Cause != cause {
		t.Errorf("%+v", got)
	}
	if got := AsError(&wire.Failure{Kind: wire.KindInvalid, Message: "bad", Param: "n"}); got.Kind != wire.KindInvalid || got.Param != "n" {
		t.Errorf("%+v", got)
	}
	if got := AsError(errors.Join(errors.New("x"), e)); got != e {
		t.Errorf("%+v", got)
	}
}

// TestWhoseLimit holds that what is appended for logs is what clients are told.
func TestWhoseLimit(t *testing.T) {
	for _, l := range []Limited{{Scope: ScopeGlobal, Name: "x"}, {Scope: ScopeSite}, {Scope: ScopeKey, Name: "ci"}, {Scope: ScopeTeam, Name: ""}} {
		if got, want := string(l.AppendOf([]byte("of "))), "of "+l.Of(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
