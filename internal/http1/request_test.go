package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
)

// TestRequests holds that a request arrives as net/http would send it, whatever
// its body is, and that its body is closed.
func TestRequests(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16) // more than any socket takes at once
	type sent struct {
		Method, Target, Host string
		Header               http.Header
		Length               int64
		Coding               []string
		Body                 string
	}
	for _, tt := range []struct {
		name, method, target, body string
		memory                     bool
		length                     int64
		want                       sent
	}{
		{"GET", "", "", "", false, 0, sent{"GET", "/", "", nil, 0, nil, ""}},
		{"query", "GET", "/a%20b/c?d=e%26", "", false, 0, sent{"GET", "/a%20b/c?d=e%26", "", nil, 0, nil, ""}},
		{"POST of nothing", "POST", "/x", "", false, 0, sent{"POST", "/x", "", http.Header{"Content-Length": {"0"}}, 0, nil, ""}},
		{"memory", "POST", "/x", "abc", true, 3, sent{"POST", "/x", "", http.Header{"Content-Length": {"3"}}, 3, nil, "abc"}},
		{"memory of no length", "POST", "/x", "abc", true, 0, sent{"POST", "/x", "", http.Header{"Content-Length": {"3"}}, 3, nil, "abc"}},
		{"large memory", "POST", "/x", big, true, 1 << 20, sent{"POST", "/x", "", http.Header{"Content-Length": {"1048576"}}, 1 << 20, nil, big}},
		{"memory of two buffers", "POST", "/x", big[:40000], true, 40000, sent{"POST", "/x", "", http.Header{"Content-Length": {"40000"}}, 40000, nil, big[:40000]}},
		{"reader", "POST", "/x", "abc", false, 3, sent{"POST", "/x", "", http.Header{"Content-Length": {"3"}}, 3, nil, "abc"}},
		{"large reader", "POST", "/x", big, false, 1 << 20, sent{"POST", "/x", "", http.Header{"Content-Length": {"1048576"}}, 1 << 20, nil, big}},
		{"reader with more", "POST", "/x", "abcdef", false, 3, sent{"POST", "/x", "", http.Header{"Content-Length": {"3"}}, 3, nil, "abc"}},
		{"unknown length", "POST", "/x", "abc", false, -1, sent{"POST", "/x", "", nil, -1, []string{"chunked"}, "abc"}},
		{"length 0 is unknown", "POST", "/x", "abc", false, 0, sent{"POST", "/x", "", nil, -1, []string{"chunked"}, "abc"}},
		{"large unknown length", "POST", "/x", big, false, -1, sent{"POST", "/x", "", nil, -1, []string{"chunked"}, big}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan *http.Request, 2)
			s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
				for {
					req := take(br)
					if req == nil {
						return
					}
					got <- req
					_, _ = io.WriteString(c, ok+"Content-Length: 2\r\n\r\nok")
				}
			})
			tr := client(t)
			for range 2 {
				req := request(t, tt.method, s.URL()+tt.target, nil)
				var closed *waittest.Count
				switch {
				case tt.memory:
					body := hold(tt.body)
					req.Body, closed = body, &body.closed
				case tt.body != "":
					body := &source{Reader: strings.NewReader(tt.body)}
					req.Body, closed = body, &body.closed
				}
				req.ContentLength = tt.length
				req.Header = http.Header{"X-A": {"1", " 2 "}, "Trailer": {"X"}, "Transfer-Encoding": {"gzip"}, "Host": {"other"}, "Content-Length": {"7"}}
				if text := whole(t, tr, req); text != "ok" {
					t.Errorf("answer %q", text)
				}
				arrived := <-got
				body, _ := io.ReadAll(arrived.Body)
				is := sent{arrived.Method, arrived.RequestURI, arrived.Host, arrived.Header, arrived.ContentLength, arrived.TransferEncoding, string(body)}
				want := tt.want
				want.Host = s.Addr().String()
				want.Header = want.Header.Clone()
				if want.Header == nil {
					want.Header = http.Header{}
				}
				want.Header["X-A"] = []string{"1", "2"}
				if diff := cmp.Diff(want, is); diff != "" {
					t.Errorf("%.2000s", diff)
				}
				if closed != nil {
					closed.Wait(t, 1)
				}
			}
			if n := s.Accepted.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// TestRefusedRequests holds that nothing is sent of what would be read as
// something else, and that no connection is opened for it.
func TestRefusedRequests(t *testing.T) {
	s := scripttest.Serve(t, again(ok+"Content-Length: 0\r\n\r\n"))
	for name, change := range map[string]func(*http.Request){
		"method":      func(r *http.Request) { r.Method = "GET /x" },
		"host":        func(r *http.Request) { r.Host = "a\r\nX: y" },
		"query":       func(r *http.Request) { r.URL.RawQuery = "a b" },
		"name":        func(r *http.Request) { r.Header["X: y\r\nZ"] = []string{"1"} },
		"empty name":  func(r *http.Request) { r.Header[""] = []string{"1"} },
		"value":       func(r *http.Request) { r.Header["X"] = []string{"1\r\nY: 2"} },
		"long body":   func(r *http.Request) { r.ContentLength = 2 },
		"https":       func(r *http.Request) { r.URL.Scheme = "https" },
		"opaque":      func(r *http.Request) { r.URL.Opaque = "x" },
		"idn":         func(r *http.Request) { r.URL.Host = "é.example" },
		"zone":        func(r *http.Request) { r.URL.Host = "[fe80::1%25eth0]" },
		"no host":     func(r *http.Request) { r.URL.Host = "" },
		"path in it":  func(r *http.Request) { r.URL.Host = "a/b" },
		"user in it":  func(r *http.Request) { r.URL.Host = "a@b" },
		"method line": func(r *http.Request) { r.Method = "GET\n" },
	} {
		t.Run(name, func(t *testing.T) {
			body := hold("abc")
			req := request(t, http.MethodPost, s.URL(), body)
			change(req)
			res, err := client(t).RoundTrip(req)
			if err == nil {
				_ = res.Body.Close()
				t.Fatal("sent")
			}
			if e := failure(t, err); e.Connected || body.closed.Load() != 1 || s.Accepted.Load() != 0 {
				t.Errorf("%+v, closed %d times, %d connections", e, body.closed.Load(), s.Accepted.Load())
			}
		})
	}
}

func TestTakes(t *testing.T) {
	for raw, want := range map[string]bool{
		"http://example": true, "http://127.0.0.1:80/x": true, "http://[::1]:80": true,
		"https://example": false, "http://[fe80::1%25eth0]": false, "http://é.example": false, "http:opaque": false, "": false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if Takes(u) != want {
			t.Errorf("%s: %v", raw, !want)
		}
	}
	for name, want := range map[string]string{"a": "a:80", "a:1": "a:1", "[::1]": "[::1]:80", "[::1]:1": "[::1]:1", "a:": "a:80"} {
		if got := withPort(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestEarlyAnswers holds that an upstream which answers without having read
// the request, and never does, is heard; the connection is not used again.
func TestEarlyAnswers(t *testing.T) {
	big := strings.Repeat("x", 64<<20)
	for name, body := range map[string]func() io.ReadCloser{
		"memory":  func() io.ReadCloser { return hold(big) },
		"reader":  func() io.ReadCloser { return &source{Reader: strings.NewReader(big)} },
		"endless": func() io.ReadCloser { return &source{Reader: endless{}} },
	} {
		for _, closes := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
					if _, err := http.ReadRequest(br); err != nil {
						t.Error(err)
					}
					_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
					if !closes {
						<-t.Context().Done()
					}
				})
				req := request(t, http.MethodPost, s.URL(), nil)
				req.Body = body()
				if name == "reader" {
					req.ContentLength = int64(len(big))
				}
				tr := client(t)
				if got := whole(t, tr, req); got != "no" {
					t.Errorf("%q", got)
				}
				switch b := req.Body.(type) {
				case *held:
					b.closed.Wait(t, 1)
				case *source:
					b.closed.Wait(t, 1)
				}
				left(t, tr, s)
			})
		}
	}
}

// endless is a body that does not end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestAnswerBeforeTheRequestsEnd holds that a connection is used again when
// the upstream reads on after it has answered.
func TestAnswerBeforeTheRequestsEnd(t *testing.T) {
	answered := make(chan struct{})
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, ok+"Content-Length: 2\r\n\r\nok")
			<-answered
			_, _ = io.Copy(io.Discard, req.Body)
		}
	})
	tr := client(t)
	for range 3 {
		r, w := io.Pipe()
		req := request(t, http.MethodPost, s.URL(), r)
		req.ContentLength = 3
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("abc")); err != nil {
			t.Error(err)
		}
		answered <- struct{}{}
		body, err := io.ReadAll(res.Body)
		if string(body) != "ok" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
		if tr.idle.Load() != 1 {
			t.Error("the connection is not there for the next call")
		}
	}
	if n := s.Accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestBodiesThatFail holds that a request whose body ends early or breaks is
// never taken for a whole one.
func TestBodiesThatFail(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, tt := range []struct {
		name   string
		body   io.Reader
		length int64
		want   error
	}{
		{"short", strings.NewReader("abc"), 5, io.ErrUnexpectedEOF},
		{"broken", io.MultiReader(strings.NewReader("abc"), failing{broken}), 5, broken},
		{"broken chunk", io.MultiReader(strings.NewReader("abc"), failing{broken}), -1, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var complete atomic.Bool
			s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
				complete.Store(take(br) != nil)
			})
			body := &source{Reader: tt.body}
			req := request(t, http.MethodPost, s.URL(), body)
			req.ContentLength = tt.length
			_, err := client(t).RoundTrip(req)
			if e := failure(t, err); !errors.Is(err, tt.want) || e.Unsent || !e.Connected {
				t.Errorf("%+v", e)
			}
			body.closed.Wait(t, 1)
			s.Open.Wait(t, 0)
			if complete.Load() {
				t.Error("the request was complete")
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestRequestThatCannotBeWritten holds what is known of one: whether any of it
// has left, and that an answer which came all the same is heard.
func TestRequestThatCannotBeWritten(t *testing.T) {
	for _, tt := range []struct {
		name   string
		after  int
		answer string
		unsent bool
	}{
		{"at once", 0, "", true},
		{"later", 10, "", false},
		{"later, answered", 10, "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := client(t)
			tr.Dial = func(context.Context, string, string) (net.Conn, error) {
				return &brittle{after: tt.after, answer: strings.NewReader(tt.answer), gone: make(chan struct{})}, nil
			}
			body := hold("abc")
			res, err := tr.RoundTrip(request(t, http.MethodPost, "http://x", body))
			switch {
			case tt.answer != "":
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(res.Body); string(text) != "no" || err != nil {
					t.Errorf("%q, %v", text, err)
				}
				if tr.idle.Load() != 0 {
					t.Error("the connection was kept")
				}
			case !errors.Is(err, errBrittle):
				t.Error(err)
			default:
				if e := failure(t, err); e.Unsent != tt.unsent || !e.Connected || e.Reused {
					t.Errorf("%+v", e)
				}
			}
			if body.closed.Load() != 1 {
				t.Error("the body was not closed")
			}
		})
	}
}

var errBrittle = errors.New("brittle")

// brittle is a connection whose writes fail after some bytes, and whose reads
// wait at the end.
type brittle struct {
	net.Conn
	after  int
	answer io.Reader
	gone   chan struct{}
}

func (b *brittle) Write(p []byte) (int, error) { return min(b.after, len(p)), errBrittle }
func (b *brittle) Close() error                { close(b.gone); return nil }
func (b *brittle) Read(p []byte) (int, error) {
	if n, _ := b.answer.Read(p); n > 0 {
		return n, nil
	}
	<-b.gone
	return 0, net.ErrClosed
}

// TestGotConn holds what a trace learns.
func TestGotConn(t *testing.T) {
	s := scripttest.Serve(t, again(ok+"Content-Length: 2\r\n\r\nok"))
	tr := client(t)
	for _, reused := range []bool{false, true} {
		req := request(t, http.MethodGet, s.URL(), nil)
		var got []httptrace.GotConnInfo
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { got = append(got, info) },
		}))
		whole(t, tr, req)
		if len(got) != 1 || got[0].Reused != reused || got[0].Conn.RemoteAddr().String() != s.Addr().String() {
			t.Errorf("%+v", got)
		}
	}
}
