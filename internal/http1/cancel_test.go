package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
)

// TestCancellation ends a call's context at every point: the call ends with the
// context's cause, its connection is closed, and its body.
func TestCancellation(t *testing.T) {
	bored := errors.New("bored")
	big := strings.Repeat("x", 64<<20)
	for _, tt := range []struct {
		name   string
		body   string
		answer string // what comes before it
		read   int    // of the answer's body, before the end
		dials  bool   // it does not get beyond that
		reads  bool   // the upstream reads the request
	}{
		{name: "dialling", dials: true},
		{name: "writing", body: big},
		{name: "waiting for the head", reads: true},
		{name: "in the head", answer: ok + "Content-Len", reads: true},
		{name: "behind 1xx", answer: "HTTP/1.1 100 Continue\r\n\r\n", reads: true},
		{name: "before the body", answer: ok + "Content-Length: 5\r\n\r\n", reads: true},
		{name: "in the body", answer: ok + "Content-Length: 5\r\n\r\nabc", read: 3, reads: true},
		{name: "in chunks", answer: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", read: 3, reads: true},
		{name: "in a body until the end", answer: ok + "\r\nabc", read: 3, reads: true},
		{name: "writing, answered", body: big, answer: ok + "Content-Length: 5\r\n\r\nabc", read: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begun := make(chan struct{})
			begin := sync.OnceFunc(func() { close(begun) })
			s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
				if tt.reads {
					take(br)
				} else if _, err := http.ReadRequest(br); err != nil {
					return
				}
				_, _ = io.WriteString(c, tt.answer)
				begin()
				if tt.reads {
					_, _ = br.ReadByte() // its end
				} else {
					<-t.Context().Done()
				}
			})
			tr := client(t)
			if tt.dials {
				tr.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
					begin()
					<-ctx.Done()
					return nil, ctx.Err()
				}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			body := hold(tt.body)
			req := request(t, http.MethodPost, s.URL(), nil).WithContext(ctx)
			req.Body = body
			got := make(chan struct{})
			go func() {
				<-begun
				if tt.read > 0 {
					<-got
				}
				cancel(bored)
			}()
			res, err := tr.RoundTrip(req)
			if err == nil {
				p := make([]byte, 100)
				if tt.read > 0 {
					if n, err := res.Body.Read(p); n != tt.read || err != nil {
						t.Errorf("%d bytes, %v", n, err)
					}
					close(got)
				}
				_, err = res.Body.Read(p)
				if err := res.Body.Close(); err != nil {
					t.Error(err)
				}
			}
			if err != bored {
				t.Errorf("%v", err)
			}
			body.closed.Wait(t, 1)
			left(t, tr, s)
			if tt.reads {
				s.Open.Wait(t, 0)
			}
		})
	}
}

// TestEndedBefore holds that nothing is sent for nobody.
func TestEndedBefore(t *testing.T) {
	s := scripttest.Serve(t, again(small))
	tr := client(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	bored := errors.New("bored")
	cancel(bored)
	for i := range 3 {
		body := hold("abc")
		req := request(t, http.MethodPost, s.URL(), body).WithContext(ctx)
		if _, err := tr.RoundTrip(req); err != bored || body.closed.Load() != 1 {
			t.Errorf("%v, closed %d times", err, body.closed.Load())
		}
		if n := s.Accepted.Load(); n != int64(min(i, 1)) {
			t.Errorf("%d connections", n)
		}
		get(t, tr, s.URL()) // leaves one that is idle
	}
}

// TestHungUp holds that closing a body before its end closes the connection,
// also while somebody reads.
func TestHungUp(t *testing.T) {
	for _, reading := range []bool{false, true} {
		gone := make(chan struct{})
		s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
			take(br)
			_, _ = io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
			_, _ = br.ReadByte()
			close(gone)
		})
		tr := client(t)
		// Nothing but Close ends it.
		res, err := tr.RoundTrip(request(t, http.MethodGet, s.URL(), nil).WithContext(context.Background()))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		if reading {
			go func() {
				_, err := io.ReadAll(res.Body)
				ended <- err
			}()
		} else {
			ended <- http.ErrBodyReadAfterClose // and what has come already is not read
		}
		_ = res.Body.Close()
		_ = res.Body.Close()
		<-gone
		if n, err := res.Body.Read(make([]byte, 10)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("%d bytes after the end, %v", n, err)
		}
		if err := <-ended; !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("the reader saw %v", err)
		}
		if tr.idle.Load() != 0 {
			t.Error("the connection was kept")
		}
	}
}

// TestHeaderTimeout holds that a head is not waited for longer, and a body is.
func TestHeaderTimeout(t *testing.T) {
	proceed := make(chan struct{})
	s := scripttest.Serve(t, func(n int64, c net.Conn, br *bufio.Reader) {
		take(br)
		if n == 1 {
			_, _ = br.ReadByte()
			return
		}
		_, _ = io.WriteString(c, ok+"Content-Length: 2\r\n\r\n")
		<-proceed
		_, _ = io.WriteString(c, "ok")
	})
	tr := client(t)
	tr.HeaderTimeout = 50 * time.Millisecond
	_, err := tr.RoundTrip(request(t, http.MethodGet, s.URL(), nil))
	var network net.Error
	if !errors.As(err, &network) || !network.Timeout() || failure(t, err).Unsent {
		t.Error(err)
	}
	tr.HeaderTimeout = waittest.Patience
	res, err := tr.RoundTrip(request(t, http.MethodGet, s.URL(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	close(proceed)
	if body, err := io.ReadAll(res.Body); string(body) != "ok" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

// TestManyHangUp holds that the end of many calls at once is seen by all of
// their upstreams.
func TestManyHangUp(t *testing.T) {
	const calls = 500
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		take(br)
		_, _ = io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
		_, _ = br.ReadByte()
	})
	tr := client(t)
	ctx, cancel := context.WithCancel(t.Context())
	var streams, began sync.WaitGroup
	for range calls {
		began.Add(1)
		streams.Go(func() {
			res, err := tr.RoundTrip(request(t, http.MethodGet, s.URL(), nil).WithContext(ctx))
			began.Done()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.ReadAll(res.Body); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			_ = res.Body.Close()
		})
	}
	began.Wait()
	cancel()
	streams.Wait()
	s.Open.Wait(t, 0)
}
