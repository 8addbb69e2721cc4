package handlers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/gateway"
)

// pulse is the one timer of a call. It watches the phases of the upstream's
// answer, each with its own limit and its own error, and sends heartbeats to
// the client. One timer that looks again costs a stream less than three that
// are reset at every event.
type pulse struct {
	call      *call
	limits    gateway.Timeouts
	heartbeat time.Duration
	began     time.Time

	// phase and content are written by the handler as it reads: the phase
	// that the answer is in, and when content last came, in Unix nanoseconds.
	phase   atomic.Int32
	content atomic.Int64

	// stream says that the client waits for a stream.
	stream atomic.Bool

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// The phases of an upstream's answer.
const (
	phaseHeaders int32 = iota
	phaseFirstToken
	phaseStream
	phaseBody // an answer that is no stream: only the total limit holds
)

func (p *pulse) start(c *call, limits gateway.Timeouts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call, p.limits = c, limits
	p.heartbeat = time.Duration(c.proxy.Heartbeat)
	p.stream.Store(c.x.Stream)
	p.began = time.Now()
	p.content.Store(p.began.UnixNano())
	p.timer = time.AfterFunc(p.first(), p.beat)
}

// first is when the pulse has something to look at for the first time.
func (p *pulse) first() time.Duration {
	d := min(positive(p.limits.ResponseHeader), positive(p.limits.FirstToken), positive(p.limits.Total), p.call.out.renewal())
	if p.stream.Load() && p.heartbeat > 0 {
		d = min(d, p.heartbeat)
	}
	return d
}

// enter notes that the answer is in a new phase.
func (p *pulse) enter(phase int32) {
	p.content.Store(time.Now().UnixNano())
	p.phase.Store(phase)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped && p.timer != nil {
		p.timer.Reset(min(p.limitOf(phase), p.first()))
	}
}

// seen notes that content came. It is called for every event.
func (p *pulse) seen(now time.Time) { p.content.Store(now.UnixNano()) }

// beat runs on the timer's goroutine.
func (p *pulse) beat() {
	now := time.Now()
	if cause := p.expired(now); cause != nil {
		p.call.cancel(cause)
		return
	}
	next := p.call.out.heartbeat(now, p.heartbeat)
	if next.IsZero() {
		return
	}
	next = earlier(next, p.deadline())
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.timer.Reset(max(time.Until(next), time.Millisecond))
	}
}

// expired returns the error of the limit that is over, if one is.
func (p *pulse) expired(now time.Time) error {
	if !now.Before(p.totalDeadline()) {
		return gateway.ErrTotal
	}
	if now.Before(p.phaseDeadline()) {
		return nil
	}
	switch p.phase.Load() {
	case phaseHeaders:
		if p.stream.Load() && positive(p.limits.FirstToken) < positive(p.limits.ResponseHeader) {
			return gateway.ErrFirstToken
		}
		return gateway.ErrHeaders
	case phaseFirstToken:
		return gateway.ErrFirstToken
	case phaseStream:
		return gateway.ErrIdle
	default:
		return nil
	}
}

func (p *pulse) deadline() time.Time { return earlier(p.totalDeadline(), p.phaseDeadline()) }

func (p *pulse) totalDeadline() time.Time { return after(p.began, p.limits.Total) }

// phaseDeadline is when the current phase is over. The wait for a first token
// begins with the call, since that is what a user waits for.
func (p *pulse) phaseDeadline() time.Time {
	switch phase := p.phase.Load(); phase {
	case phaseHeaders, phaseFirstToken:
		return after(p.began, p.limitOf(phase))
	case phaseStream:
		return after(time.Unix(0, p.content.Load()), p.limitOf(phase))
	default:
		return after(p.began, 0)
	}
}

func (p *pulse) limitOf(phase int32) time.Duration {
	switch phase {
	case phaseHeaders:
		if p.stream.Load() {
			return min(positive(p.limits.ResponseHeader), positive(p.limits.FirstToken))
		}
		return positive(p.limits.ResponseHeader)
	case phaseFirstToken:
		return positive(p.limits.FirstToken)
	case phaseStream:
		return positive(p.limits.Idle)
	default:
		return positive(p.limits.Total)
	}
}

// far is a deadline that never comes; adding more would overflow.
const far = 100 * 365 * 24 * time.Hour

func after(t time.Time, d time.Duration) time.Time {
	if d <= 0 || d > far {
		d = far
	}
	return t.Add(d)
}

func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// cause returns why the call's context ended, nil when it has not.
func (c *call) cause() error {
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	if c.r.Context().Err() != nil {
		return gateway.ErrClientGone
	}
	return nil
}
