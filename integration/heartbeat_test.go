package integration

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

// TestHeartbeat sends signs of life while the upstream is silent: before its
// first byte, between its events, and never inside one.
func TestHeartbeat(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "heartbeat 30ms")
			s := newScript()
			rig.answers(s.answer)
			c := dial(t, rig.Addr)
			c.post(t, d.path, d.body)
			res := c.response(t)
			r := &reader{body: res.Body}
			r.until(t, d.ping+d.ping) // the upstream has not said anything yet
			s.send(t, d.prelude)
			r.until(t, d.ping)
			s.send(t, d.words(1))
			r.skip(t, d.ping, d.prelude+d.words(1))
			r.until(t, d.ping)
			first, last := d.words(1)[:20], d.words(1)[20:]
			s.send(t, first)
			r.until(t, d.ping+d.ping)
			s.send(t, last)
			r.skip(t, d.ping, d.words(1))
			s.send(t, d.finish+d.hidden+d.end)
			close(s.steps)
			r.skip(t, d.ping, d.finish+d.end)
			if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
				t.Errorf("after the terminator: %q, %v", rest, err)
			}
			if res.Header.Get("Cache-Control") != "no-cache, no-transform" || res.Header.Get("X-Request-Id") != requestID {
				t.Errorf("header %v", res.Header)
			}
			rig.checkRecord(t, complete(d))
		})
	}
}

// skip reads want, before which any number of heartbeats may come.
func (r *reader) skip(t *testing.T, ping, want string) {
	t.Helper()
	read := func(n int) string {
		buf := make([]byte, n)
		if n, err := io.ReadFull(r.body, buf); err != nil {
			t.Fatalf("%v after %q", err, buf[:n])
		}
		return string(buf)
	}
	got := read(min(len(ping), len(want)))
	for got == ping {
		got = read(min(len(ping), len(want)))
	}
	if got += read(len(want) - len(got)); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// TestFailureAfterHeartbeat answers inside the stream that a heartbeat has
// opened, whatever went wrong.
func TestFailureAfterHeartbeat(t *testing.T) {
	for _, d := range doors {
		for _, tt := range []struct {
			name    string
			answer  answerer
			err     func() (kind wire.Kind, phase, message string)
			charged bool
		}{
			{"status", whole(429, d.errorBody), func() (wire.Kind, string, string) {
				return wire.KindRateLimit, "status", "the upstream answered with status 429: it broke"
			}, false},
			{"page", bytesOnWire("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nRetry-After: 7\r\nContent-Length: 6\r\n\r\n<html>"), func() (wire.Kind, string, string) {
				return wire.KindUpstream, "status", "the upstream answered with status 502"
			}, false},
			{"closed", bytesOnWire(""), func() (wire.Kind, string, string) {
				return errNoAnswer.Kind, errNoAnswer.Phase, errNoAnswer.Message
			}, true},
			{"no stream", whole(200, d.answer), func() (wire.Kind, string, string) {
				return errNoStream.Kind, errNoStream.Phase, errNoStream.Message
			}, true},
			{"error event", events(d.failure), func() (wire.Kind, string, string) {
				return wire.KindUpstream, "in_band", "the upstream reported an error: it broke"
			}, true},
		} {
			t.Run(d.name+"/"+tt.name, func(t *testing.T) {
				rig := newRig(t, d, "", "heartbeat 20ms")
				fail := make(chan struct{})
				rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
					<-fail
					tt.answer(w, r)
				})
				c := dial(t, rig.Addr)
				c.post(t, d.path, d.body)
				res := c.response(t)
				r := &reader{body: res.Body}
				r.until(t, d.ping)
				close(fail)
				rest, err := io.ReadAll(res.Body)
				kind, phase, message := tt.err()
				e := failed(kind, phase, message)
				want := d.errorEvent(e, 0)
				if d.name == "responses" { // which begins with this event
					want = "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":0,\"response\":{\"id\":\"resp_" + requestID + "\""
					if tt.name == "error event" {
						want = strings.Replace(want, ":0,", ":6,", 1) // the upstream's own has number 5
					}
				}
				if pings := strings.ReplaceAll(string(rest), d.ping, ""); err == nil || !strings.HasPrefix(pings, want) || strings.Count(rewritten(pings), "\n\n") != 1 {
					t.Errorf("error %v, body %q, want %q", err, pings, want)
				}
				ledger := unseen(d, e, false)
				ledger.Status = 200
				if !tt.charged {
					ledger.Source, ledger.Input = "none", 0
				}
				rig.checkRecord(t, ledger)
			})
		}
	}
}

// TestNoHeartbeat sends none when it is off, to answers that come whole, and
// to streams that are not silent.
func TestNoHeartbeat(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "idle_timeout 300ms", "heartbeat off")
			rig.answers(stallAfter(d.prelude + d.words(2)))
			if got := rig.ask(t, d.path, d.body); strings.Count(got.body, d.ping) != strings.Count(d.prelude, d.ping) {
				t.Errorf("body %q", got.body)
			}
			rig.record(t)
		})
		t.Run(d.name+"/whole", func(t *testing.T) {
			rig := newRig(t, d, "response_header_timeout 300ms", "heartbeat 20ms")
			rig.answers(stall)
			if got := rig.ask(t, d.pathOf(d.whole), d.whole); got.status != http.StatusGatewayTimeout {
				t.Errorf("status %d, body %q", got.status, got.body)
			}
			rig.record(t)
		})
	}
}

// TestHeartbeatRace lets heartbeats and the upstream's headers come at the
// same time; both write to the client's header. It is for the race detector.
func TestHeartbeatRace(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "heartbeat 1ms")
	for range 100 {
		rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
			w.Header().Set("X-Request-Id", "up-1")
			events(d.stream(2))(w, r)
		})
		got := rig.ask(t, d.path, d.body)
		if got.status != 200 || strings.ReplaceAll(got.body, d.ping, "") != d.shown(2) {
			t.Fatalf("status %d, body %q", got.status, got.body)
		}
		rig.checkRecord(t, complete(d))
	}
}
