package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/weirproxy/weir/internal/scripttest"
)

// TestMoreBehindTheBody holds that what follows an answer is never part of another,
// however the body was read: the connection is not used again.
func TestMoreBehindTheBody(t *testing.T) {
	const more = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
	for name, answer := range map[string][2]string{
		"length": {ok + "Content-Length: 6\r\n\r\n", "right!"},
		"chunks": {ok + "Transfer-Encoding: chunked\r\n\r\n", "6\r\nright!\r\n0\r\n\r\n"},
	} {
		for _, size := range []int{4096, 6, 3} {
			next := make(chan struct{})
			s := scripttest.Serve(t, func(n int64, c net.Conn, br *bufio.Reader) {
				for take(br) != nil {
					_, _ = io.WriteString(c, answer[0])
					<-next // so that the body is not read with the head
					if n == 1 {
						_, _ = io.WriteString(c, answer[1]+more)
						continue
					}
					_, _ = io.WriteString(c, answer[1])
				}
			})
			tr := client(t)
			for range 2 {
				res, err := tr.RoundTrip(request(t, http.MethodGet, s.URL(), nil))
				if err != nil {
					t.Fatal(err)
				}
				next <- struct{}{}
				body, err := readIn(res.Body, size)
				if string(body) != "right!" || err != nil {
					t.Errorf("%s by %d: %q, %v", name, size, body, err)
				}
				_ = res.Body.Close()
			}
			if got := s.Accepted.Load(); got != 2 {
				t.Errorf("%s by %d: %d connections", name, size, got)
			}
		}
	}
}

// TestReadBehindTheEnd holds that who reads on after an answer's end takes nothing
// from the call that has the connection then.
func TestReadBehindTheEnd(t *testing.T) {
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		for req := take(br); req != nil; req = take(br) {
			_, _ = io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n5\r\n"+req.URL.Path[1:]+"\r\n0\r\n\r\n")
		}
	})
	tr := client(t)
	first, err := tr.RoundTrip(request(t, http.MethodGet, s.URL()+"/first", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	if body, err := readIn(first.Body, 4096); string(body) != "first" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	second, err := tr.RoundTrip(request(t, http.MethodGet, s.URL()+"/other", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close()
	for range 2 {
		if n, err := first.Body.Read(make([]byte, 4096)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d bytes, %v", n, err)
		}
	}
	if body, err := readIn(second.Body, 4096); string(body) != "other" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	if got := s.Accepted.Load(); got != 1 {
		t.Errorf("%d connections", got)
	}
}
