package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/batch"
	"github.com/weirproxy/weir/internal/lifetime"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// attempt is one call to one target, up to the end of its answer. It belongs to
// one goroutine at a time: that which runs it until there is an answer, then
// the handler's.
type attempt struct {
	call  *call
	pick  *gateway.Pick
	route *gateway.Route

	// told is what the upstream has said so far.
	told *gateway.Attempt

	// source is the door of the upstream's dialect, by which its answer is
	// read; translator is nil when that is the client's. conversation is the
	// translator of a call that can be streamed.
	source       wire.Door
	translator   translator
	conversation *conversation
	dropped      string // what the translation left out

	// shadow follows a stream that is not translated, so that another attempt
	// can go on with it; nil where none may.
	shadow *conversation

	outgoing gateway.Call
	sent     *parcel

	// whole is the memory of an answer that is read to its end, limited of what
	// bounds it.
	whole   wholeAnswer
	limited io.LimitedReader

	// upstreamID is the upstream's own id of the call, if clients may see it.
	upstreamID string

	// joint says how a call for embeddings was made with others, or in parts.
	joint batch.Result

	// life is the upstream call's; it ends with the request, or with one of
	// gateway's causes.
	life  lifetime.Context
	watch watch

	// upstream is life with the attempt's span.
	upstream context.Context
	span     trace.Span

	// allowance is what its stream may bring; nil when nothing cuts it.
	allowance *allowance

	// askedUsage says that the usage chunk was Weir's wish, not the client's.
	askedUsage bool

	// yields says that an answer in which the upstream has refused the prompt by
	// its policy makes way for another target's, if there is one.
	yields bool

	// shown says that the upstream's own error event went to the client.
	shown bool

	begun, firstToken time.Time

	done bool
}

// answer is what an attempt has got, up to the commit point: none of it has
// been shown, and nothing stands in the way of showing it.
type answer interface {
	// show passes it on to the client, to its end.
	show() error

	// drop gives it up.
	drop()
}

// attempt makes the call to the target that was picked ready. It needs a place
// at the provider; who has not waited for one gets one if there is any.
func (c *call) attempt(pick *gateway.Pick) (*attempt, error) {
	if !pick.Health.Enter() {
		return nil, c.crowded(&pick.Health, nil)
	}
	a := &c.first
	if a.call != nil {
		a = new(attempt)
	}
	a.call, a.pick, a.route, a.source = c, pick, pick.Route, doors.Of(pick.Route.Operation)
	if err := a.prepare(); err != nil {
		pick.Health.Abandon()
		return nil, err
	}
	a.life.Begin(c.ctx)
	a.begun = c.proxy.gateway.Now()
	a.told = c.x.Try(pick)
	a.yields = c.sequel == nil && c.way.trip.Leads(gateway.ClassContentPolicy)
	if c.sequel != nil {
		a.told.Continues(c.sequel.before)
		a.conversation.goesOn(c.sequel, a.told)
	}
	c.out.prepare(a.announce)
	return a, nil
}

// announce names the target in the answer's header.
func (a *attempt) announce() {
	c := a.call
	c.nameTarget()
	c.out.set(headerAttempts, strconv.Itoa(c.x.Attempts))
	if delete(c.out.w.Header(), headerDropped); a.dropped != "" {
		c.out.set(headerDropped, a.dropped)
	}
}

// start begins the attempt's time. It runs on the handler's goroutine.
func (a *attempt) start() {
	c := a.call
	a.upstream, a.span = telemetry.StartSpan(&a.life, c.x, a.route.Provider)
	a.watch.start(a, c.limits(a.route))
	if c.x.Stream {
		a.allowance = c.newAllowance(a.route)
	}
	if c.x.Attempts == 1 {
		c.proxy.host.Began(c.x)
	} else {
		c.proxy.host.Went(c.x)
	}
}

// run sends the call and reads its answer up to the commit point. It is never
// sent twice.
func (a *attempt) run() (answer, error) {
	res, err := a.send()
	if !a.joint.Follows && !a.joint.Unsent {
		a.call.proxy.metrics.Attempt(a.route.Target.Provider, res, err)
	}
	if err != nil {
		return nil, a.unanswered(err)
	}
	a.upstreamID = upstreamID(a.route.Provider, res.Header)
	a.told.Note(func(s *gateway.Step) { s.Status, s.UpstreamID = res.StatusCode, a.upstreamID })
	if !a.joint.Follows {
		a.pick.Health.Headers(res.StatusCode, res.Header)
	}
	if a.joint.Shared {
		anonymise(res.Header)
		a.upstreamID = ""
	}
	if res.StatusCode >= http.StatusBadRequest && !a.joint.Taken {
		a.told.Refused()
	}
	answer, err := a.receive(res)
	if err == nil && a.yields && a.told.Seen().Blocked {
		return nil, &blocked{answer: answer}
	}
	return answer, err
}

// unanswered files the failure of a call that got no answer.
func (a *attempt) unanswered(err error) error {
	c := a.call
	if a.joint.Unsent {
		a.told.Refused()
	}
	if c.absent() {
		return gateway.ErrClientGone
	}
	e := gateway.AsError(err)
	if gateway.Unsent(e.Phase) && !a.joint.Taken {
		a.told.Refused() // nothing reached the upstream
	}
	return e
}

// cause returns why the attempt's context ended, nil when it has not.
func (a *attempt) cause() error {
	if err := context.Cause(&a.life); err != nil {
		return err
	}
	return a.call.cause()
}

// ended closes the books on an attempt: err is why it failed, nil when its
// answer was shown to its end.
func (a *attempt) ended(err error) {
	if a.done {
		return
	}
	a.done = true
	a.call.pulse.remove(&a.watch)
	a.pick.Health.End(a.verdict(err))
	a.sent.release()
	a.sent = nil
	a.note(err)
	if err != nil {
		a.cancel(err)
	}
}

// cancel ends the upstream's call.
func (a *attempt) cancel(cause error) { a.life.End(cause) }

// note writes into the trail what became of the attempt. Only the first call
// counts.
func (a *attempt) note(err error) {
	a.told.Ended(func(s *gateway.Step) {
		if !a.firstToken.IsZero() {
			s.FirstToken = a.firstToken.Sub(a.begun)
		}
		switch {
		case err == nil:
		case errors.Is(err, gateway.ErrClientGone):
			s.Error = "client_gone"
		case errors.Is(err, errLost):
			s.Error, s.Phase = "lost", errLost.Phase
		default:
			e := gateway.AsError(err)
			s.Error, s.Phase = e.Kind.String(), e.Phase
		}
	})
}
