package load

import (
	"sync/atomic"
	"time"
)

// clock is the time; tests have one of their own.
type clock interface {
	now() time.Time
	sleepUntil(time.Time)
}

type wallClock struct{}

func (wallClock) now() time.Time { return time.Now() }

func (wallClock) sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }

// pace hands out the times at which requests are to be sent. It does not care
// whether earlier ones were answered: a server that stalls finds the requests
// that should have come meanwhile, and their wait counts. (Sending later
// because the answer was late is what is called coordinated omission.)
type pace struct {
	start    time.Time
	interval time.Duration
	sent     atomic.Int64
}

// due is when the next request is to be sent.
func (p *pace) due() time.Time {
	return p.start.Add(time.Duration(p.sent.Add(1)-1) * p.interval)
}

// open sends requests when they are due until end and notes how long after
// that time each was answered.
func (p *pace) open(c clock, end time.Time, send func() bool, note func(took time.Duration)) {
	for {
		due := p.due()
		if !due.Before(end) {
			return
		}
		c.sleepUntil(due)
		if send() {
			note(c.now().Sub(due))
		}
	}
}
