package integration

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// stall does nothing until the caller has gone.
func stall(_ http.ResponseWriter, r *weirtest.Request) { <-r.Gone }

// stallAfter sends a part of a stream and then nothing until the caller has
// gone.
func stallAfter(stream string) answerer {
	return func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, stream)
		weirtest.Flush(w)
		<-r.Gone
	}
}

// chatterAfter is stallAfter with noise that never ends in place of silence.
func chatterAfter(stream, noise string) answerer {
	return func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, stream)
		for {
			if _, err := io.WriteString(w, noise); err != nil {
				return
			}
			weirtest.Flush(w)
			select {
			case <-r.Gone:
				return
			default:
			}
		}
	}
}

// TestTimeouts lets each phase run out of time, before and after the commit
// point; that the upstream's handler returns shows that the call was ended.
func TestTimeouts(t *testing.T) {
	const others = "response_header_timeout 1h\nfirst_token_timeout 1h\nidle_timeout 1h\ntotal_timeout 1h\n"
	set := func(name string) string { return strings.Replace(others, name+" 1h", name+" 150ms", 1) }
	for _, d := range doors {
		for _, tt := range []struct {
			name    string
			options string
			answer  answerer
			err     *gateway.Error
			prelude bool
			words   bool
		}{
			{"response header", set("response_header_timeout"), stall, gateway.ErrHeaders, false, false},
			{"first token, no headers", set("first_token_timeout"), stall, gateway.ErrFirstToken, false, false},
			{"first token, no event", set("first_token_timeout"), stallAfter(""), gateway.ErrFirstToken, false, false},
			{"first token after prelude", set("first_token_timeout"), stallAfter(d.prelude), gateway.ErrFirstToken, true, false},
			{"first token despite pings", set("first_token_timeout"), chatterAfter(d.prelude, d.ping), gateway.ErrFirstToken, true, false},
			{"first token despite chatter", set("first_token_timeout"), chatterAfter(d.prelude, ": "+strings.Repeat("x", 40<<10)+"\n\n"), gateway.ErrFirstToken, true, false},
			{"idle", set("idle_timeout"), stallAfter(d.prelude + d.words(2)), gateway.ErrIdle, false, true},
			{"idle in an event", set("idle_timeout"), stallAfter(d.prelude + d.words(2) + "data: {"), gateway.ErrIdle, false, true},
			{"idle despite pings", set("idle_timeout"), chatterAfter(d.prelude+d.words(2), d.ping), gateway.ErrIdle, false, true},
			{"total, no headers", set("total_timeout"), stall, gateway.ErrTotal, false, false},
			{"total after prelude", set("total_timeout"), stallAfter(d.prelude), gateway.ErrTotal, true, false},
			{"total in a stream", set("total_timeout"), stallAfter(d.prelude + d.words(2)), gateway.ErrTotal, false, true},
			{"the others off", "response_header_timeout off\nfirst_token_timeout off\nidle_timeout 150ms\ntotal_timeout off", stallAfter(d.prelude + d.words(2)), gateway.ErrIdle, false, true},
		} {
			t.Run(d.name+"/"+tt.name, func(t *testing.T) {
				rig := newRig(t, d, tt.options, "")
				ended := make(chan struct{})
				rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
					defer close(ended)
					tt.answer(w, r)
				})
				got := rig.ask(t, d.path, d.body)
				if !weirtest.Within(ended) {
					t.Fatal("the upstream was not told")
				}
				if tt.words {
					noise := strings.Count(got.body, d.ping) - strings.Count(d.prelude, d.ping)
					got.body = strings.Replace(got.body, strings.Repeat(d.ping, max(noise, 0)), "", 1)
					checkReply(t, &reply{status: 200, cut: true, body: d.prelude + d.words(2) + d.errorEvent(tt.err, 2)}, got)
					rig.checkRecord(t, seenAfter(d, tt.err, 2))
					return
				}
				if got.status == 200 { // so much was said before the first content that some of it had to be shown
					if !strings.HasPrefix(tt.name, "first token despite") || !got.cut || !strings.HasPrefix(got.body, d.prelude) || !strings.HasSuffix(got.body, d.errorEvent(tt.err, 0)) {
						t.Errorf("body %q", clip(got.body))
					}
					want := unseen(d, tt.err, tt.prelude)
					want.Status = 200
					rig.checkRecord(t, want)
					return
				}
				checkReply(t, errorReply(d, tt.err), got)
				rig.checkRecord(t, unseen(d, tt.err, tt.prelude))
			})
		}
	}
}

// TestIdleIsSilence lets a stream last for longer than idle_timeout, with never so
// much between its words.
func TestIdleIsSilence(t *testing.T) {
	const words = 16
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "idle_timeout 1s", "")
			whole := d.stream(words)
			rig.answers(func(w http.ResponseWriter, _ *weirtest.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for event := range strings.SplitAfterSeq(whole, "\n\n") {
					_, _ = io.WriteString(w, event)
					weirtest.Flush(w)
					time.Sleep(100 * time.Millisecond) // the upstream's own pace, which the timeout must bear
				}
			})
			checkReply(t, &reply{status: 200, body: d.shown(words)}, rig.ask(t, d.path, d.body))
		})
	}
}

// TestAnswerTimeouts is TestTimeouts for answers that come whole, where only
// the wait for headers and the total are bounded.
func TestAnswerTimeouts(t *testing.T) {
	halfAnswer := func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":`)
		weirtest.Flush(w)
		<-r.Gone
	}
	for _, d := range doors {
		for _, tt := range []struct {
			name, options string
			answer        answerer
			err           *gateway.Error
		}{
			{"response header", "response_header_timeout 150ms\nfirst_token_timeout 50ms\nidle_timeout 50ms", stall, gateway.ErrHeaders},
			{"total", "total_timeout 150ms", stall, gateway.ErrTotal},
			{"total in the body", "response_header_timeout 100ms\ntotal_timeout 400ms", halfAnswer, gateway.ErrTotal},
		} {
			t.Run(d.name+"/"+tt.name, func(t *testing.T) {
				rig := newRig(t, d, "", tt.options)
				rig.answers(tt.answer)
				checkReply(t, errorReply(d, tt.err), rig.ask(t, d.pathOf(d.whole), d.whole))
				rig.checkRecord(t, unseen(d, tt.err, false))
			})
		}
	}
}
