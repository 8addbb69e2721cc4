package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// leave ends a client's connection: with a reset, as a killed process does,
// or in an orderly way.
func (c *client) leave(reset bool) {
	if reset {
		_ = c.conn.(*net.TCPConn).SetLinger(0)
	}
	_ = c.conn.Close()
}

// soon fails when the upstream is not told in time that its caller has gone.
// The promise of 250 ms is the benchmark's to check; a loaded test machine
// only shows that it was told at once and not by some timeout.
func soon(t *testing.T, since time.Time, ch <-chan struct{}) {
	t.Helper()
	if !weirtest.Within(ch) {
		t.Fatal("the upstream was not told")
	}
	took := time.Since(since)
	t.Logf("upstream told after %v", took)
	if took > 2*time.Second {
		t.Errorf("the upstream was told after %v", took)
	}
}

// TestClientGone leaves in each phase of a call.
func TestClientGone(t *testing.T) {
	for _, d := range doors {
		mid := func(n int) ledger {
			l := ledger{Status: 200, Error: "client_gone", Gone: true, Attempts: 1, Finish: d.early}
			l.Source, l.Input, l.Output = usageAt(d, n)
			return l
		}
		early := ledger{Status: 499, Error: "client_gone", Gone: true, Attempts: 1, Source: gateway.SourceEstimated, Input: d.prompt}
		prelude := mid(0)
		prelude.Status = 499
		for _, reset := range []bool{false, true} {
			how := map[bool]string{false: "close", true: "reset"}[reset]
			for _, tt := range []struct {
				name   string
				body   string
				answer string // sent before the client leaves
				shown  string // read by the client before it does
				want   ledger
			}{
				{"whole answer", d.whole, "", "", early},
				{"before headers", d.body, "", "", early},
				{"before content", d.body, d.prelude, "", prelude},
				{"after 1 event", d.body, d.prelude + d.words(1), d.prelude + d.words(1), mid(1)},
				{"after 3 events", d.body, d.prelude + d.words(3), d.prelude + d.words(3), mid(3)},
			} {
				t.Run(d.name+"/"+tt.name+"/"+how, func(t *testing.T) {
					rig := newRig(t, d, "", "")
					arrived, ended := make(chan struct{}), make(chan struct{})
					rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
						defer close(ended)
						if tt.answer != "" {
							w.Header().Set("Content-Type", "text/event-stream")
							_, _ = io.WriteString(w, tt.answer)
							weirtest.Flush(w)
						}
						close(arrived)
						<-r.Gone
					})
					c := dial(t, rig.Addr)
					c.post(t, d.pathOf(tt.body), tt.body)
					if !weirtest.Within(arrived) {
						t.Fatal("no upstream call")
					}
					if tt.shown != "" {
						(&reader{body: c.response(t).Body}).until(t, tt.shown)
					}
					since := time.Now()
					c.leave(reset)
					soon(t, since, ended)
					if tt.name != "before content" {
						rig.checkRecord(t, tt.want)
						return
					}
					// Nobody can tell whether the prelude was seen before the end.
					record := rig.record(t)
					if !record.ClientGone || record.Phase != "" || record.Status != 499 || record.Usage.Input == 0 {
						t.Errorf("record %+v", record)
					}
				})
			}
		}
	}
}

// TestClientGoneInUpload leaves in the middle of the body: no upstream is
// called, and nothing is charged.
func TestClientGoneInUpload(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			c := dial(t, rig.Addr)
			fmt.Fprintf(c.conn, "POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n{\"model\":", d.path)
			c.leave(false)
			record := rig.record(t)
			if !record.ClientGone && record.Status != 400 || record.Attempts != 0 || record.UsageSource != gateway.SourceNone {
				t.Errorf("record %+v", record)
			}
			if !record.ClientGone {
				t.Errorf("a client that left is not counted as gone: %+v", record)
			}
			if n := len(rig.upstreamCalls()); n != 0 {
				t.Errorf("%d upstream calls", n)
			}
		})
	}
}

// TestClientGoneAtEnd leaves right after the terminator: the call was a
// success.
func TestClientGoneAtEnd(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			for i := range 20 {
				s := newScript()
				rig.answers(s.answer)
				c := dial(t, rig.Addr)
				c.post(t, d.path, d.body)
				s.send(t, d.stream(2))
				body := c.response(t).Body
				(&reader{body: body}).until(t, d.shown(2))
				if d.end == "" { // the end of the body is the terminator
					close(s.steps)
					_, _ = io.ReadAll(body)
				}
				c.leave(i%2 == 0)
				if d.end != "" {
					close(s.steps)
				}
				rig.checkRecord(t, complete(d))
			}
		})
	}
}

// TestSlowReader serves a client that never reads: it counts as gone when
// write_timeout is over, and its upstream is told.
func TestSlowReader(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "write_timeout 300ms")
			ended := make(chan struct{})
			word := d.words(1)
			rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
				defer close(ended)
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, d.prelude)
				burst := strings.Repeat(word, 200)
				for {
					if _, err := io.WriteString(w, burst); err != nil {
						return
					}
				}
			})
			c := dial(t, rig.Addr)
			_ = c.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			c.post(t, d.path, d.body)
			if !weirtest.Within(ended) {
				t.Fatal("the upstream was not told")
			}
			record := rig.record(t)
			if !record.ClientGone || record.Phase != gateway.PhaseClientWrite || record.Status != 200 || record.Usage.Output == 0 || record.UsageSource != gateway.SourceEstimated {
				t.Errorf("record %+v", ledgerOf(record))
			}
		})
	}
}

// TestWriteTimeoutOfReaders lets a client read on after silences longer than
// write_timeout, which must not count against it.
func TestWriteTimeoutOfReaders(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "write_timeout 100ms\nheartbeat 250ms")
	s := newScript()
	rig.answers(s.answer)
	c := dial(t, rig.Addr)
	c.post(t, d.path, d.body)
	s.send(t, d.prelude+d.words(1))
	r := &reader{body: c.response(t).Body}
	r.skip(t, d.ping, d.prelude+d.words(1))
	for range 4 { // each comes later than the timeout
		r.until(t, d.ping)
	}
	s.send(t, d.words(1)+d.finish+d.hidden+d.end)
	close(s.steps)
	r.skip(t, d.ping, d.words(1)+d.finish+d.end)
	rig.checkRecord(t, complete(d))
}
