package weirtest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Upstream is a provider that answers as a test says.
type Upstream struct {
	// URL is its base URL, without a path.
	URL string

	server *httptest.Server

	mu       sync.Mutex
	requests []*Request
}

// Request is one request that an upstream has seen.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte

	// Gone is closed when the caller has gone.
	Gone <-chan struct{}
}

// NewUpstream runs an upstream until the test ends. answer is called for each
// request, on a goroutine of its own, after the body has been read; it may
// use the ResponseWriter as it likes, also hijack it.
func NewUpstream(t testing.TB, answer func(w http.ResponseWriter, r *Request)) *Upstream {
	t.Helper()
	u := &Upstream{}
	u.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		req := &Request{
			Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
			Header: r.Header.Clone(), Body: body, Gone: r.Context().Done(),
		}
		u.mu.Lock()
		u.requests = append(u.requests, req)
		u.mu.Unlock()
		answer(w, req)
	}))
	u.URL = u.server.URL
	t.Cleanup(func() {
		u.server.CloseClientConnections()
		u.server.Close()
	})
	return u
}

// Requests returns the requests so far.
func (u *Upstream) Requests() []*Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*Request(nil), u.requests...)
}

// Flush sends what has been written so far.
func Flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// Reset ends a hijackable response's connection with a TCP reset.
func Reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Within reports whether ch is closed before the test's patience ends.
func Within(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	case <-time.After(patience):
		return false
	}
}
