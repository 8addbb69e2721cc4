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

// TestSpeech passes on bytes that are no JSON as they come. They have no
// place for an error, so a cut is told by how the body ends.
func TestSpeech(t *testing.T) {
	d := &door{provider: "openai", model: "tts-1"}
	const path, ask = "/v1/audio/speech", `{"model":"m","input":"hello"}`
	audio := strings.Repeat("\xff\xfb\x90\x00", 50_000)
	rig := newRig(t, d, "", "heartbeat 1ms")
	// The vocabulary of speech models is not known; "hello" is an estimate.
	charged := ledger{Status: 200, Attempts: 1, Source: gateway.SourceEstimated, Input: 2}
	sound := func(length bool) answerer {
		return func(w http.ResponseWriter, _ *weirtest.Request) {
			w.Header().Set("Content-Type", "audio/mpeg")
			if length {
				w.Header().Set("Content-Length", "200000")
			}
			_, _ = io.WriteString(w, audio)
		}
	}
	for _, tt := range []struct {
		name   string
		answer answerer
		want   *reply
		cut    bool
	}{
		{"with length", sound(true), &reply{status: 200, body: audio}, false},
		{"in chunks", sound(false), &reply{status: 200, body: audio}, false},
		{"cut chunks", bytesOnWire("HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("half")), &reply{status: 200, cut: true, body: "half"}, true},
		{"short", bytesOnWire("HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 10\r\n\r\nhalf"), &reply{status: 200, cut: true, body: "half"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig.answers(tt.answer)
			checkReply(t, tt.want, rig.ask(t, path, ask))
			want := charged
			if tt.cut {
				want.Error, want.Phase = "upstream", "answer"
			}
			rig.checkRecord(t, want)
		})
	}
	t.Run("client gone", func(t *testing.T) {
		ended := make(chan struct{})
		rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
			defer close(ended)
			w.Header().Set("Content-Type", "audio/mpeg")
			_, _ = io.WriteString(w, "half")
			weirtest.Flush(w)
			<-r.Gone
		})
		c := dial(t, rig.Addr)
		c.post(t, path, ask)
		(&reader{body: c.response(t).Body}).until(t, "half")
		since := time.Now()
		c.leave(true)
		soon(t, since, ended)
		want := charged
		want.Error, want.Gone = "client_gone", true
		rig.checkRecord(t, want)
	})
	t.Run("piece by piece", func(t *testing.T) {
		next := make(chan string)
		rig.answers(func(w http.ResponseWriter, _ *weirtest.Request) {
			w.Header().Set("Content-Type", "audio/mpeg")
			for piece := range next {
				_, _ = io.WriteString(w, piece)
				weirtest.Flush(w)
			}
		})
		c := dial(t, rig.Addr)
		c.post(t, path, ask)
		next <- "one"
		r := &reader{body: c.response(t).Body}
		r.until(t, "one")
		next <- "two"
		r.until(t, "two")
		close(next)
		if rest, err := io.ReadAll(r.body); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v", rest, err)
		}
		rig.checkRecord(t, charged)
	})
}
