package handlers

import (
	"context"
	"time"

	"github.com/weirproxy/weir/gateway"
)

const (
	// heardWithin bounds how long a call goes on that nobody may wait for, while it
	// is asked whether somebody does at another instance.
	heardWithin = 100 * time.Millisecond

	// heardEvery is how often that is asked once the call goes on for them alone.
	heardEvery = 100 * time.Millisecond
)

// staysForFleet reports whether the call is followed at another instance, and then
// keeps it going for as long as it is.
func (l *lead) staysForFleet() bool {
	far := l.far.Load()
	if far == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), heardWithin)
	defer cancel()
	if !far.Followed(ctx) {
		return false
	}
	release, ok := l.flight.Hold()
	if ok {
		go l.heedFleet(far, release)
	}
	return ok
}

// heedFleet waits until nobody follows at another instance any more, or there is
// nothing left to follow.
func (l *lead) heedFleet(far *claim, release func()) {
	defer release()
	every := time.NewTicker(heardEvery)
	defer every.Stop()
	for range every.C {
		if l.far.Load() != far || !far.Followed(context.Background()) {
			return
		}
	}
}

// forsaken is told when the call's client has gone, and the last who followed it
// here.
func (c *call) forsaken() {
	if l := c.led.Load(); l == nil || !l.staysForFleet() {
		c.cancel(gateway.ErrClientGone)
	}
}
