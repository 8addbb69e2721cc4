package handlers

import (
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/lifetime"
	"github.com/weirproxy/weir/wire"
)

// watch knows how long an attempt may take in its present phase. The attempt
// writes it as it reads; the call's pulse looks at it.
type watch struct {
	pulse  *pulse
	life   *lifetime.Context // the attempt's
	limits gateway.Timeouts
	began  time.Time

	// phase is the one that the answer is in, content when content last came,
	// in Unix nanoseconds.
	phase   atomic.Int32
	content atomic.Int64

	// stream says that the client waits for a stream.
	stream atomic.Bool
}

// The phases of an upstream's answer.
const (
	phaseHeaders int32 = iota
	phaseFirstToken
	phaseStream
	phaseBody  // an answer that is no stream: only the total limit holds
	phaseError // the body of an error, whose status says enough
)

// errorTime is how long the body of an error is waited for.
const errorTime = 5 * time.Second

// errBare ends an attempt whose error has come without its body.
var errBare = &gateway.Error{Kind: wire.KindUpstream, Phase: "status", Message: "the upstream did not send the body of its error"}

func (w *watch) start(a *attempt, limits gateway.Timeouts) {
	w.pulse, w.life, w.limits = &a.call.pulse, &a.life, limits
	w.stream.Store(a.call.x.Stream)
	w.began = time.Now()
	w.content.Store(w.began.UnixNano())
	w.pulse.add(w)
}

// enter notes that the answer is in a new phase.
func (w *watch) enter(phase int32) {
	w.content.Store(time.Now().UnixNano())
	w.phase.Store(phase)
	w.pulse.reset()
}

// seen notes that content came. It is called for every event.
func (w *watch) seen(now time.Time) { w.content.Store(now.UnixNano()) }

// expired returns the error of the limit that is over, if one is.
func (w *watch) expired(now time.Time) error {
	if now.Before(w.deadline()) {
		return nil
	}
	switch w.phase.Load() {
	case phaseHeaders:
		if w.stream.Load() && positive(w.limits.FirstToken) < positive(w.limits.ResponseHeader) {
			return gateway.ErrFirstToken
		}
		return gateway.ErrHeaders
	case phaseFirstToken:
		return gateway.ErrFirstToken
	case phaseStream:
		return gateway.ErrIdle
	case phaseError:
		return errBare
	default:
		return nil
	}
}

// deadline is when the current phase is over. The wait for a first token
// begins with the attempt, since that is what a user waits for.
func (w *watch) deadline() time.Time {
	switch w.phase.Load() {
	case phaseHeaders:
		limit := positive(w.limits.ResponseHeader)
		if w.stream.Load() {
			limit = min(limit, positive(w.limits.FirstToken))
		}
		return after(w.began, limit)
	case phaseFirstToken:
		return after(w.began, w.limits.FirstToken)
	case phaseStream:
		return after(time.Unix(0, w.content.Load()), w.limits.Idle)
	case phaseError:
		return after(time.Unix(0, w.content.Load()), min(errorTime, positive(w.limits.ResponseHeader)))
	default:
		return after(w.began, 0)
	}
}
