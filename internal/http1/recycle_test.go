package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/lifetime"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
)

// TestRecycle holds that an answer's header is there until it is given back, and
// that the next one has nothing of it.
func TestRecycle(t *testing.T) {
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		for _, answer := range []string{
			ok + "Content-Length: 2\r\nX-First: 1\r\nX-First: 2\r\nX-Other: 3\r\n\r\nok",
			ok + "Content-Length: 2\r\nX-Second: 4\r\n\r\nok",
		} {
			if take(br) != nil {
				_, _ = io.WriteString(c, answer)
			}
		}
	})
	tr := client(t)
	for _, want := range []http.Header{
		{"Content-Length": {"2"}, "X-First": {"1", "2"}, "X-Other": {"3"}},
		{"Content-Length": {"2"}, "X-Second": {"4"}},
	} {
		res, err := tr.RoundTrip(request(t, http.MethodGet, s.URL(), nil))
		if err != nil {
			t.Fatal(err)
		}
		r := res.Body.(Recycler)
		if r.Recycle() || res.Header == nil {
			t.Error("a header was given back while its body is to be read")
		}
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, res.Header); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		for range 2 {
			if !r.Recycle() || res.Header != nil {
				t.Error("the header was not given back")
			}
		}
	}
}

// TestRecycleWhileWriting holds that what the request consists of is not said to be
// free while somebody still writes it.
func TestRecycleWhileWriting(t *testing.T) {
	reading, answered, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		if _, err := http.ReadRequest(br); err == nil {
			_, _ = io.WriteString(c, ok+"Content-Length: 2\r\n\r\nok")
			<-done
		}
	})
	body := readerFunc(func([]byte) (int, error) {
		close(reading)
		<-answered
		return 0, io.EOF
	})
	res, err := client(t).RoundTrip(request(t, http.MethodPost, s.URL(), body))
	if err != nil {
		t.Fatal(err)
	}
	<-reading // whoever comes after the connection's end does not begin to
	_ = res.Body.Close()
	if res.Body.(Recycler).Recycle() {
		t.Error("the request is free while its body is read")
	}
	close(answered)
	waittest.Eventually(t, "the end of the request", res.Body.(Recycler).Recycle)
	close(done)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestLifetime holds that the end of a lifetime.Context ends a call as that of any
// other context does, and that a call which is over has left no hook.
func TestLifetime(t *testing.T) {
	release := make(chan struct{})
	s := scripttest.Serve(t, func(n int64, c net.Conn, br *bufio.Reader) {
		if take(br) != nil {
			_, _ = io.WriteString(c, ok+"Content-Length: 2\r\n\r\nok")
		}
		if take(br) != nil && n == 1 {
			_, _ = br.ReadByte() // until the call is given up
			close(release)
		}
	})
	tr := client(t)
	var life lifetime.Context
	life.Begin(t.Context())
	req := func() *http.Request { return request(t, http.MethodGet, s.URL(), nil).WithContext(&life) }
	if got := whole(t, tr, req()); got != "ok" {
		t.Fatal(got)
	}
	ended := make(chan error, 1)
	go func() {
		res, err := tr.RoundTrip(req())
		if err == nil {
			_ = res.Body.Close()
		}
		ended <- err
	}()
	h := tr.host(req().URL.Host)
	waittest.Eventually(t, "the second call", func() bool { _, idle, _ := h.count(); return idle == 0 })
	cause := &Error{}
	life.End(cause)
	select {
	case err := <-ended:
		if err != error(cause) {
			t.Errorf("error %v, want the cause", err)
		}
	case <-time.After(waittest.Patience):
		t.Fatal("the call goes on")
	}
	<-release
}

// TestRecycleOnce holds that memory which is given back again and again is given to
// one answer only.
func TestRecycleOnce(t *testing.T) {
	x := &exchange{fields: new(fields)}
	x.res.Header, _ = x.fields.of(1)
	x.left.Store(true)
	for range 3 {
		x.Recycle()
	}
	seen := make(map[any]bool)
	for range 20 { // the pool may have others
		f := allFields.Get()
		if seen[f] {
			t.Fatal("two answers share a header")
		}
		seen[f] = true
	}
}
