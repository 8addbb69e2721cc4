package load

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/bench/mark"
	"github.com/weirproxy/weir/bench/mock"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
)

// until asks what has come of flows until it is enough.
func until(t *testing.T, f *Flows, enough func(map[string]Tally) bool) map[string]Tally {
	t.Helper()
	var got map[string]Tally
	defer func() {
		if t.Failed() {
			t.Logf("%+v", got)
		}
	}()
	waittest.Eventually(t, "enough", func() bool {
		got, _ = f.Look()
		return enough(got)
	})
	return got
}

// TestFlows mixes whole answers and streams of one upstream.
func TestFlows(t *testing.T) {
	s := upstream(t, mock.Script{Stream: true, Only: "/messages", Tokens: 10, Gap: time.Millisecond, Pad: 40})
	f := Begin(s.Addr(), []Flow{
		{Name: "whole", Request: Request{Path: "/v1/chat/completions", Size: 1000}, Rate: 500, Conns: 4},
		{Name: "streamed", Request: Request{Path: "/v1/messages", Stream: true, Size: 1000}, Rate: 100, Conns: 8, Chunks: 10},
		{Name: "wrong", Request: Request{Path: "/v1/chat/completions", Size: 1000}, Rate: 100, Conns: 1, Want: 429},
	})
	until(t, f, func(got map[string]Tally) bool {
		return got["whole"].Done > 20 && got["streamed"].Done > 5 && got["wrong"].Failed > 0
	})
	f.End()
	got, _ := f.Look()
	for _, name := range []string{"whole", "streamed"} {
		w := got[name]
		chunks := map[string]int64{"whole": 1, "streamed": 10}[name]
		if w.Failed != 0 || w.Faults.Sum() != 0 || w.Unheard != 0 || w.Chunks != chunks*w.Done {
			t.Errorf("%s: %+v", name, w)
		}
	}
	if w := got["wrong"]; w.Done != 0 || w.Failure != "status 200" {
		t.Errorf("%+v", w)
	}
}

// TestUnheard holds that a request is sent again when a server has closed its
// connection, and is not when it has begun to answer.
func TestUnheard(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 58\r\n\r\n"
	body := string(mark.Append(nil, mark.Mark{ID: 1, Number: 0, At: 1}))
	for name, tc := range map[string]struct {
		reply  func(n int64) string // to the nth request; the connection is closed behind it
		failed bool
	}{
		"closed":       {func(n int64) string { return map[bool]string{true: "", false: good + pad(body, 58)}[n%2 == 0] }, false},
		"never heard":  {func(int64) string { return "" }, true},
		"half answers": {func(int64) string { return good + "half" }, true},
	} {
		var n atomic.Int64
		s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
			if req, err := http.ReadRequest(br); err == nil {
				_ = req.Body.Close()
				_, _ = io.WriteString(c, tc.reply(n.Add(1)))
			}
		})
		f := Begin(s.Addr().String(), []Flow{{Name: "x", Request: Request{Path: "/v1/chat/completions", Size: 400}, Rate: 200, Conns: 1}})
		got := until(t, f, func(got map[string]Tally) bool { return got["x"].Done+got["x"].Failed > 3 })["x"]
		f.End()
		if (got.Failed > 0) != tc.failed || (got.Done > 0) == tc.failed {
			t.Errorf("%s: %+v", name, got)
		}
		if again := name != "half answers"; (got.Unheard > 0) != again {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func pad(s string, n int) string {
	for len(s) < n {
		s += " "
	}
	return s
}
