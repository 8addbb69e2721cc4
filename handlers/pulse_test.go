package handlers

import (
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
)

func TestWatchExpired(t *testing.T) {
	all := gateway.Timeouts{ResponseHeader: 20 * time.Second, FirstToken: 10 * time.Second, Idle: 5 * time.Second}
	off := gateway.Timeouts{ResponseHeader: -1, FirstToken: -1, Idle: -1}
	for _, tt := range []struct {
		name    string
		limits  gateway.Timeouts
		phase   int32
		stream  bool
		content time.Duration // when content last came
		now     time.Duration
		want    error
	}{
		{"headers in time", all, phaseHeaders, false, 0, 19 * time.Second, nil},
		{"headers late", all, phaseHeaders, false, 0, 20 * time.Second, gateway.ErrHeaders},
		{"headers of a stream late", all, phaseHeaders, true, 0, 10 * time.Second, gateway.ErrFirstToken},
		{"headers before first token", gateway.Timeouts{ResponseHeader: time.Second, FirstToken: 2 * time.Second}, phaseHeaders, true, 0, time.Second, gateway.ErrHeaders},
		{"first token in time", all, phaseFirstToken, true, 0, 9 * time.Second, nil},
		{"first token counts from the call", all, phaseFirstToken, true, 9 * time.Second, 10 * time.Second, gateway.ErrFirstToken},
		{"content keeps a stream alive", all, phaseStream, true, 30 * time.Second, 34 * time.Second, nil},
		{"idle", all, phaseStream, true, 30 * time.Second, 35 * time.Second, gateway.ErrIdle},
		{"body has no limit of its own", all, phaseBody, false, 0, 1000 * time.Hour, nil},
		{"all off, headers", off, phaseHeaders, true, 0, 1000 * time.Hour, nil},
		{"all off, stream", off, phaseStream, true, 0, 1000 * time.Hour, nil},
		{"all off, body", off, phaseBody, false, 0, 1000 * time.Hour, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &watch{limits: tt.limits, began: t0}
			w.phase.Store(tt.phase)
			w.stream.Store(tt.stream)
			w.content.Store(t0.Add(tt.content).UnixNano())
			now := t0.Add(tt.now)
			if got := w.expired(now); got != tt.want {
				t.Errorf("expired: %v, want %v", got, tt.want)
			}
			// The timer must look again when the limit is over, not later.
			if over := !w.deadline().After(now); over != (tt.want != nil) {
				t.Errorf("deadline %v", w.deadline().Sub(t0))
			}
		})
	}
}

// TestPulseNext holds that the timer looks again no later than the first limit
// of any attempt is over.
func TestPulseNext(t *testing.T) {
	limits := gateway.Timeouts{ResponseHeader: 3 * time.Second, FirstToken: time.Second}
	early, late := &watch{limits: limits, began: t0}, &watch{limits: limits, began: t0.Add(time.Second)}
	early.stream.Store(true)
	for _, tt := range []struct {
		name    string
		total   time.Duration
		watches [2]*watch
		want    time.Duration
	}{
		{"nothing but the write deadline", 0, [2]*watch{}, renewAfter},
		{"the total", 2 * time.Second, [2]*watch{}, 2 * time.Second},
		{"one attempt", time.Minute, [2]*watch{late}, 4 * time.Second},
		{"two that race", time.Minute, [2]*watch{late, early}, time.Second},
		{"the total first", time.Millisecond, [2]*watch{late, early}, time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &pulse{call: &call{}, began: t0, total: tt.total, heartbeat: time.Hour, watches: tt.watches}
			if got := p.nextLocked(t0).Sub(t0); got != tt.want {
				t.Errorf("in %v, want %v", got, tt.want)
			}
		})
	}
}
