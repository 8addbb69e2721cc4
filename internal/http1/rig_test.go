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
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds waits for things that must happen; nothing is timed by it.
const patience = 20 * time.Second

// server does with each connection as a test says.
type server struct {
	net.Listener
	accepted atomic.Int64
	open     atomic.Int64
}

func serve(t *testing.T, handle func(n int64, c *net.TCPConn, br *bufio.Reader)) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: ln}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			n := s.accepted.Add(1)
			s.open.Add(1)
			all.Go(func() {
				defer s.open.Add(-1)
				defer c.Close()
				handle(n, c.(*net.TCPConn), bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return s
}

// again answers every request of a connection with text.
func again(text string) func(int64, *net.TCPConn, *bufio.Reader) {
	return func(_ int64, c *net.TCPConn, br *bufio.Reader) {
		for take(br) != nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// take reads a request to its end; nil when there is none.
func take(br *bufio.Reader) *http.Request {
	req, err := http.ReadRequest(br)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return req
}

func (s *server) url() string { return "http://" + s.Addr().String() }

// client is a transport of which nothing is left after the test.
func client(t *testing.T) *Transport {
	t.Helper()
	tr := &Transport{
		Dial:           new(net.Dialer).DialContext,
		MaxIdlePerHost: 16,
		MaxHead:        64 << 10,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// request makes one that ends with the test.
func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// get makes a call and returns its answer's body.
func get(t *testing.T, tr *Transport, url string) string {
	t.Helper()
	return whole(t, tr, request(t, http.MethodGet, url, nil))
}

func whole(t *testing.T, tr *Transport, req *http.Request) string {
	t.Helper()
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// source is a body that is no memory, and says when it was closed.
type source struct {
	io.Reader
	closed atomic.Bool
}

func (s *source) Close() error {
	s.closed.Store(true)
	return nil
}

// held is a body in memory that says when it was closed.
type held struct {
	*strings.Reader
	text   string
	cuts   []int // where its parts end but the last one, if nothing was read
	closed atomic.Bool
}

func hold(text string, cuts ...int) *held {
	return &held{Reader: strings.NewReader(text), text: text, cuts: cuts}
}

func (h *held) Parts(dst [][]byte) [][]byte {
	rest := []byte(h.text[len(h.text)-h.Len():])
	at := 0
	for _, cut := range h.cuts {
		dst = append(dst, rest[at:cut])
		at = cut
	}
	return append(dst, rest[at:])
}

func (h *held) Close() error {
	h.closed.Store(true)
	return nil
}

// failure returns how far a round trip came that failed.
func failure(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	return e
}
