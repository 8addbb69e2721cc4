package handlers

import (
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
)

func TestPulseExpired(t *testing.T) {
	all := gateway.Timeouts{ResponseHeader: 20 * time.Second, FirstToken: 10 * time.Second, Idle: 5 * time.Second, Total: time.Minute}
	off := gateway.Timeouts{ResponseHeader: -1, FirstToken: -1, Idle: -1, Total: -1}
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
		{"headers before first token", gateway.Timeouts{ResponseHeader: time.Second, FirstToken: 2 * time.Second, Total: -1}, phaseHeaders, true, 0, time.Second, gateway.ErrHeaders},
		{"first token in time", all, phaseFirstToken, true, 0, 9 * time.Second, nil},
		{"first token counts from the call", all, phaseFirstToken, true, 9 * time.Second, 10 * time.Second, gateway.ErrFirstToken},
		{"content keeps a stream alive", all, phaseStream, true, 30 * time.Second, 34 * time.Second, nil},
		{"idle", all, phaseStream, true, 30 * time.Second, 35 * time.Second, gateway.ErrIdle},
		{"total", all, phaseStream, true, 59 * time.Second, 60 * time.Second, gateway.ErrTotal},
		{"total wins", all, phaseHeaders, false, 0, 2 * time.Minute, gateway.ErrTotal},
		{"body has the total alone", all, phaseBody, false, 0, 59 * time.Second, nil},
		{"body late", all, phaseBody, false, 0, time.Minute, gateway.ErrTotal},
		{"all off, headers", off, phaseHeaders, true, 0, 1000 * time.Hour, nil},
		{"all off, stream", off, phaseStream, true, 0, 1000 * time.Hour, nil},
		{"all off, body", off, phaseBody, false, 0, 1000 * time.Hour, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &pulse{limits: tt.limits, began: t0}
			p.phase.Store(tt.phase)
			p.stream.Store(tt.stream)
			p.content.Store(t0.Add(tt.content).UnixNano())
			now := t0.Add(tt.now)
			if got := p.expired(now); got != tt.want {
				t.Errorf("expired: %v, want %v", got, tt.want)
			}
			// The timer must look again when the limit is over, not later.
			if over := !p.deadline().After(now); over != (tt.want != nil) {
				t.Errorf("deadline %v", p.deadline().Sub(t0))
			}
		})
	}
}
