package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestSlowLeader holds that a client that is too slow for what is kept of an answer
// does not take its beginning for the whole, and slows nobody who shares it.
func TestSlowLeader(t *testing.T) {
	gate := make(chan struct{})
	s := newStage(t, cachedModel, "cache exact")
	const pieces, size = 500, 64 << 10 // more than a tape and all buffers between
	s.plays("one", func(w http.ResponseWriter, _ *weirtest.Request) {
		startStream(w)
		_, _ = io.WriteString(w, word("begin"))
		weirtest.Flush(w)
		<-gate
		long := word(strings.Repeat("x", size))
		for range pieces {
			_, _ = io.WriteString(w, long)
		}
		_, _ = io.WriteString(w, lastChunks)
	})
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(128 << 10)
	body := wanting(true, "")
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	leader := bufio.NewReader(res.Body)
	for {
		line, err := leader.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, `"begin"`) {
			break
		}
	}
	follower := s.listen(t, body)
	follower.until(t, "begin")
	close(gate)
	if got, err := follower.rest(); err != nil || len(got) < pieces*size || !strings.HasSuffix(got, done) {
		t.Errorf("who shares it got %d bytes, %v", len(got), err)
	}
	n, err := io.Copy(io.Discard, leader)
	if err == nil {
		t.Errorf("a stream that looks complete after %d bytes of %d", n, pieces*size)
	}
	for _, r := range s.Records.Wait(t, 2) {
		if want := r.Cache == "miss"; r.ClientGone != want {
			t.Errorf("%s: client gone %t, %s", r.Cache, r.ClientGone, r.Error)
		}
	}
}
