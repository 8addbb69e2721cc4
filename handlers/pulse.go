package handlers

import (
	"context"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway"
)

// pulse is the one timer of a call. It watches the phases of its attempts, each
// with its own limit and its own error, and sends heartbeats to the client. One
// timer that looks again costs a stream less than three that are reset at every
// event.
type pulse struct {
	call      *call
	total     time.Duration
	heartbeat time.Duration
	began     time.Time

	mu    sync.Mutex
	alarm *alarm // nil before start and after stop

	// stalled says that the upstream is not read on, so that its silence means
	// nothing.
	stalled bool

	// watches are those of the attempts under way: one, or two that race.
	watches [2]*watch
}

// start begins to beat; total bounds the whole call.
func (p *pulse) start(c *call, total time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call, p.total = c, total
	p.heartbeat = time.Duration(c.proxy.Heartbeat)
	p.began = time.Now()
	if p.alarm != nil {
		p.alarm.stop()
	}
	p.alarm = newAlarm(time.Until(p.nextLocked(p.began)), p)
}

// add has the pulse look after an attempt.
func (p *pulse) add(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.watches {
		if p.watches[i] == nil {
			p.watches[i] = w
			break
		}
	}
	p.resetLocked()
}

// remove has it look away.
func (p *pulse) remove(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.watches {
		if p.watches[i] == w {
			p.watches[i] = nil
		}
	}
}

// stall has the pulse look away while nobody reads the upstream's answer.
func (p *pulse) stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = on
	for _, w := range p.watches {
		if w != nil && !on {
			w.seen(time.Now())
		}
	}
	p.resetLocked()
}

// reset has the timer look when the next limit is over.
func (p *pulse) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resetLocked()
}

func (p *pulse) resetLocked() {
	if p.alarm != nil {
		p.alarm.reset(time.Until(p.nextLocked(time.Now())))
	}
}

// nextLocked is when there is something to look at, if all goes on as it does.
func (p *pulse) nextLocked(now time.Time) time.Time {
	next := earlier(after(p.began, p.total), now.Add(p.call.out.renewal()))
	if p.heartbeat > 0 {
		next = earlier(next, now.Add(p.heartbeat))
	}
	for _, w := range p.watches {
		if w != nil && !p.stalled {
			next = earlier(next, w.deadline())
		}
	}
	return next
}

// ring implements ringer.
func (p *pulse) ring() {
	now := time.Now()
	if !now.Before(after(p.began, p.total)) {
		p.call.cancel(gateway.ErrTotal)
		return
	}
	p.mu.Lock()
	watches, stalled := p.watches, p.stalled
	p.mu.Unlock()
	for _, w := range watches {
		if w == nil || stalled {
			continue
		}
		if cause := w.expired(now); cause != nil {
			w.life.End(cause)
			p.remove(w)
		}
	}
	next := p.call.out.heartbeat(now, p.heartbeat)
	if next.IsZero() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alarm != nil {
		next = earlier(next, p.nextLocked(now))
		p.alarm.reset(max(time.Until(next), time.Millisecond))
	}
}

func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alarm != nil {
		p.alarm.stop()
		p.alarm = nil
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

// cause returns why the call's context ended, nil when it has not.
func (c *call) cause() error {
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	if c.absent() {
		return gateway.ErrClientGone
	}
	return nil
}
