package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
)

const small = ok + "Content-Length: 2\r\n\r\nok"

// gate answers each request when it is told to.
func gate(release chan struct{}) func(int64, net.Conn, *bufio.Reader) {
	return func(_ int64, c net.Conn, br *bufio.Reader) {
		for take(br) != nil {
			<-release
			_, _ = io.WriteString(c, small)
		}
	}
}

// call makes one in the background.
func call(t *testing.T, tr *Transport, url string) <-chan error {
	t.Helper()
	req := request(t, http.MethodGet, url, nil)
	done := make(chan error, 1)
	go func() {
		res, err := tr.RoundTrip(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		done <- err
	}()
	return done
}

func (h *host) count() (open, idle, waiting int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open, len(h.idle), len(h.waiting)
}

// left returns when a transport has no connection to s any more, and no call
// waits for one.
func left(t *testing.T, tr *Transport, s *scripttest.Server) {
	t.Helper()
	h := tr.host(s.Addr().String())
	waittest.Eventually(t, "the closing of the connections", func() bool {
		open, idle, waiting := h.count()
		return open+idle+waiting == 0
	})
}

// TestClosedWhileIdle holds that a connection which the upstream has closed, or
// talked on, is never written to: nobody notices.
func TestClosedWhileIdle(t *testing.T) {
	for _, last := range []string{"", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"} {
		quiet := make(chan struct{})
		var calls atomic.Int64
		s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
			if take(br) != nil {
				calls.Add(1)
				_, _ = io.WriteString(c, small)
				<-quiet // it lies idle now
				_, _ = io.WriteString(c, last)
				_ = c.Close()
				quiet <- struct{}{}
			}
		})
		tr := client(t)
		for range 50 {
			if got := get(t, tr, s.URL()); got != "ok" {
				t.Fatal(got)
			}
			quiet <- struct{}{}
			<-quiet
		}
		if n := s.Accepted.Load(); n != 50 || calls.Load() != 50 {
			t.Errorf("%d connections, %d requests", n, calls.Load())
		}
		tr.CloseIdleConnections()
		if open, idle, _ := tr.host(s.Addr().String()).count(); open != 0 || idle != 0 {
			t.Errorf("%d connections are counted, %d of them idle", open, idle)
		}
	}
}

// TestLastUsedFirst holds which of several connections is used, and which is
// closed when there are too many.
func TestLastUsedFirst(t *testing.T) {
	type arrival struct {
		n    int64
		next chan struct{}
	}
	arrived := make(chan arrival)
	s := scripttest.Serve(t, func(n int64, c net.Conn, br *bufio.Reader) {
		for take(br) != nil {
			next := make(chan struct{})
			arrived <- arrival{n, next}
			<-next
			_, _ = io.WriteString(c, small)
		}
	})
	for _, total := range []bool{false, true} {
		tr := client(t)
		tr.MaxIdlePerHost = 2
		if total {
			tr.MaxIdlePerHost, tr.MaxIdle = 10, 2
		}
		var calls []<-chan error
		var held []arrival
		for range 3 {
			calls = append(calls, call(t, tr, s.URL()))
			held = append(held, <-arrived)
		}
		for i := range 3 { // they come back in this order
			close(held[i].next)
			if err := <-calls[i]; err != nil {
				t.Fatal(err)
			}
		}
		want := held[1].n // the third was one too many
		if total {
			want = held[2].n // the first was
		}
		done := call(t, tr, s.URL())
		a := <-arrived
		if a.n != want {
			t.Errorf("total %v: connection %d, want %d of %d, %d, %d", total, a.n, want, held[0].n, held[1].n, held[2].n)
		}
		close(a.next)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if open, idle, _ := tr.host(s.Addr().String()).count(); open != 2 || idle != 2 || tr.idle.Load() != 2 {
			t.Errorf("%d connections, %d idle", open, idle)
		}
	}
}

// TestIdleTimeout holds that connections are closed after a time.
func TestIdleTimeout(t *testing.T) {
	s := scripttest.Serve(t, again(small))
	tr := client(t)
	tr.IdleTimeout = 20 * time.Millisecond
	for range 3 {
		get(t, tr, s.URL())
		s.Open.Wait(t, 0)
		left(t, tr, s) // which the upstream sees first
		if n := tr.idle.Load(); n != 0 {
			t.Errorf("%d connections are counted as idle", n)
		}
	}
	if s.Accepted.Load() != 3 {
		t.Errorf("%d connections", s.Accepted.Load())
	}
}

// TestNoneKept holds that the upstream is told so.
func TestNoneKept(t *testing.T) {
	var told atomic.Int64
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		for {
			req := take(br)
			if req == nil {
				return
			}
			if req.Close {
				told.Add(1)
			}
			_, _ = io.WriteString(c, small)
		}
	})
	tr := client(t)
	tr.MaxIdlePerHost = 0
	get(t, tr, s.URL())
	tr = client(t)
	req := request(t, http.MethodGet, s.URL(), nil)
	req.Close = true
	whole(t, tr, req)
	req = request(t, http.MethodGet, s.URL(), nil)
	req.Header["Connection"] = []string{"Close"}
	whole(t, tr, req)
	if told.Load() != 3 || s.Accepted.Load() != 3 {
		t.Errorf("%d of %d connections were told", told.Load(), s.Accepted.Load())
	}
	s.Open.Wait(t, 0)
}

// TestMaxPerHost holds that calls wait for a connection, get it in their turn,
// and that one which breaks makes room.
func TestMaxPerHost(t *testing.T) {
	release := make(chan struct{})
	var asked waittest.Count
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		for take(br) != nil {
			asked.Add(1)
			<-release
			_, _ = io.WriteString(c, small)
		}
	})
	tr := client(t)
	tr.MaxPerHost = 2
	h := tr.host(s.Addr().String())
	var calls []<-chan error
	for range 10 {
		calls = append(calls, call(t, tr, s.URL()))
	}
	s.Accepted.Wait(t, 2)
	waittest.Eventually(t, "the wait", func() bool { _, _, waiting := h.count(); return waiting == 8 })
	for range 10 {
		release <- struct{}{}
	}
	for _, c := range calls {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if s.Accepted.Load() != 2 {
		t.Errorf("%d connections", s.Accepted.Load())
	}

	// Both are in use, and then hung up.
	hung, hangUp := context.WithCancel(t.Context())
	ends := make(chan error, 2)
	for range 2 {
		req := request(t, http.MethodGet, s.URL(), nil).WithContext(hung)
		go func() {
			_, err := tr.RoundTrip(req)
			ends <- err
		}()
	}
	asked.Wait(t, 12)
	waits := call(t, tr, s.URL())
	waittest.Eventually(t, "the wait", func() bool { _, _, waiting := h.count(); return waiting == 1 })
	hangUp()
	for range 2 {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	close(release)
	if err := <-waits; err != nil {
		t.Error(err)
	}
}

// TestWhileDialling holds that a call which waits for its dial takes a
// connection that another gives back, and that the dial is not for nothing.
func TestWhileDialling(t *testing.T) {
	release := make(chan struct{})
	s := scripttest.Serve(t, gate(release))
	tr := client(t)
	var dials waittest.Count
	proceed := make(chan struct{})
	tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) > 1 {
			<-proceed
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	first := call(t, tr, s.URL())
	s.Accepted.Wait(t, 1)
	second := call(t, tr, s.URL())
	dials.Wait(t, 2)
	close(release)
	for _, c := range []<-chan error{first, second} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if s.Accepted.Load() != 1 {
		t.Errorf("%d connections", s.Accepted.Load())
	}
	close(proceed)
	waittest.Eventually(t, "the second connection", func() bool { return tr.idle.Load() == 2 })
}

// TestServedAndGone holds that a connection which was given to a call that has
// ended meanwhile goes to the next.
func TestServedAndGone(t *testing.T) {
	s := scripttest.Serve(t, again(small))
	tr := client(t)
	get(t, tr, s.URL())
	h := tr.host(s.Addr().String())
	c, _, err := h.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &waiter{served: make(chan struct{})}
	h.waiting = append(h.waiting, w)
	h.put(c)
	if w.conn != c {
		t.Fatal("the connection went elsewhere")
	}
	h.leave(w)
	if open, idle, waiting := h.count(); open != 1 || idle != 1 || waiting != 0 {
		t.Errorf("%d connections, %d idle, %d waiting", open, idle, waiting)
	}
}

// TestDialFails holds that each call learns why its own dial failed.
func TestDialFails(t *testing.T) {
	for _, most := range []int{0, 1} {
		tr := client(t)
		tr.MaxPerHost = most
		var n atomic.Int64
		tr.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, fmt.Errorf("dial %d", n.Add(1)) }
		seen := make(map[string]bool)
		for range 5 {
			body := hold("abc")
			_, err := tr.RoundTrip(request(t, http.MethodPost, "http://x", body))
			if e := failure(t, err); e.Connected || e.Unsent || body.closed.Load() != 1 {
				t.Errorf("%+v", e)
			}
			seen[err.Error()] = true
		}
		if len(seen) != 5 {
			t.Errorf("errors %v", seen)
		}
		if open, _, waiting := tr.host("x").count(); open != 0 || waiting != 0 {
			t.Errorf("%d connections, %d waiting", open, waiting)
		}
	}
}

// TestCloseIdleConnections closes those in use when they come back, until
// there is another call.
func TestCloseIdleConnections(t *testing.T) {
	release := make(chan struct{})
	s := scripttest.Serve(t, gate(release))
	tr := client(t)
	used := call(t, tr, s.URL())
	s.Open.Wait(t, 1)
	tr.CloseIdleConnections()
	close(release)
	if err := <-used; err != nil {
		t.Fatal(err)
	}
	s.Open.Wait(t, 0)
	get(t, tr, s.URL())
	get(t, tr, s.URL())
	if s.Accepted.Load() != 2 || tr.idle.Load() != 1 {
		t.Errorf("%d connections, %d idle", s.Accepted.Load(), tr.idle.Load())
	}
	tr.CloseIdleConnections()
	s.Open.Wait(t, 0)
}

// TestManyCallers runs calls that end in all ways at once: each gets the answer
// to its own request or its own error, and nothing is left.
func TestManyCallers(t *testing.T) {
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		for {
			req := take(br)
			if req == nil {
				return
			}
			body, _ := io.ReadAll(req.Body)
			name := req.URL.Path
			switch {
			case strings.HasSuffix(name, "0"):
				return
			case strings.HasSuffix(name, "1"):
				_, _ = fmt.Fprintf(c, ok+"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(name), name)
				return
			case strings.HasSuffix(name, "2"):
				_, _ = fmt.Fprintf(c, ok+"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(name), name)
				_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			default:
				_, _ = fmt.Fprintf(c, ok+"Content-Length: %d\r\n\r\n%s%s", len(name)+len(body), name, body)
			}
		}
	})
	for _, most := range []int{0, 3} {
		tr := client(t)
		tr.MaxPerHost = most
		var callers sync.WaitGroup
		for i := range 16 {
			callers.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), 1))
				for j := range 50 {
					path := fmt.Sprintf("/%d/%d", i, j)
					text := strings.Repeat("x", 1+random.IntN(40000))
					ctx, cancel := context.WithCancelCause(t.Context())
					bored := errors.New("bored")
					timer := time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, func() {
						if j%3 == 0 {
							cancel(bored)
						}
					})
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+path, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if j%2 == 0 {
						req.Body = hold(text)
					} else {
						req.Body, req.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
					}
					res, err := tr.RoundTrip(req)
					if err == nil {
						var body []byte
						body, err = io.ReadAll(io.LimitReader(res.Body, int64(len(path)+len(text)+1-j%2)))
						if err == nil && string(body) != path+text {
							t.Errorf("%s: %d bytes of another answer: %.50q", path, len(body), body)
						}
						_ = res.Body.Close()
					}
					fails := j%10 < 2
					if err == nil && fails || err != nil && !fails && !errors.Is(err, bored) {
						t.Errorf("%s: %v", path, err)
					}
					timer.Stop()
					cancel(nil)
				}
			})
		}
		callers.Wait()
		tr.CloseIdleConnections()
		left(t, tr, s)
		s.Open.Wait(t, 0)
		if tr.idle.Load() != 0 {
			t.Errorf("%d connections are counted as idle", tr.idle.Load())
		}
	}
}
