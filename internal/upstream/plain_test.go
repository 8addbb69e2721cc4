package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/wire"
)

// stiff is a connection that takes nothing more once it is told so.
type stiff struct {
	*net.TCPConn
	set *atomic.Bool
}

var errStiff = errors.New("broken pipe")

func (s stiff) Write(p []byte) (int, error) {
	if s.set.Load() {
		return 0, errStiff
	}
	return s.TCPConn.Write(p)
}

// TestConnectionThatTakesNothing holds that a call goes out on another
// connection when one that was used before took nothing of it, that one which
// was not is an error that says so, and that each call is processed once.
func TestConnectionThatTakesNothing(t *testing.T) {
	s := newScript(t, func(s *script, c net.Conn, br *bufio.Reader) {
		for s.read(br) {
			answer(c, "ok")
		}
	})
	client := provision(t, &Config{BaseURL: s.URL()})
	plain := client.transport.current.Load().plain
	dial := plain.Dial
	var last atomic.Pointer[atomic.Bool]
	always := false
	plain.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		ours := c.(*conn)
		set := new(atomic.Bool)
		set.Store(always)
		last.Store(set)
		ours.Conn = stiff{ours.Conn.(*net.TCPConn), set}
		return ours, nil
	}
	for i := range 3 {
		if got, err := post(t, client); got != "ok" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		if n := s.posts.Load(); n != int64(i+1) {
			t.Errorf("%d POSTs were read, want %d", n, i+1)
		}
		last.Load().Store(true)
	}
	always = true
	_, err := post(t, client)
	checkError(t, err, wire.KindUpstream, gateway.PhaseConnect, "the upstream closed the connection before it took the request")
	if !errors.Is(err, errStiff) || s.posts.Load() != 3 {
		t.Errorf("%v, %d POSTs were read", err, s.posts.Load())
	}
}

// TestAnswersThatAreNone holds how those of plain HTTP are worded.
func TestAnswersThatAreNone(t *testing.T) {
	const invalid = "the upstream's answer is not valid HTTP"
	for _, tt := range []struct{ name, answer, message string }{
		{"garbage", "SSH-2.0-OpenSSH_9\r\n", invalid},
		{"header", "HTTP/1.1 200 OK\r\nX\r\n\r\n", invalid},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", invalid},
		{"switch", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", invalid},
		{"nothing", "", closedMessage},
		{"cut", "HTTP/1.1 200 OK\r\nContent-", closedMessage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, func(s *script, c net.Conn, br *bufio.Reader) {
				s.read(br)
				_, _ = io.WriteString(c, tt.answer)
			})
			_, err := post(t, provision(t, &Config{BaseURL: s.URL()}))
			checkError(t, err, wire.KindUpstream, gateway.PhaseRoundTrip, tt.message)
			if s.posts.Load() != 1 {
				t.Errorf("%d POSTs were read", s.posts.Load())
			}
		})
	}
}

// TestResponseHeaderTimeout holds that the transport's own is kept.
func TestResponseHeaderTimeout(t *testing.T) {
	s := newScript(t, func(s *script, c net.Conn, br *bufio.Reader) {
		s.read(br)
		_, _ = br.ReadByte()
	})
	for _, member := range []string{`"response_header_timeout":"50ms"`, `"read_timeout":"50ms"`} {
		client := provision(t, &Config{BaseURL: s.URL(), TransportRaw: []byte(`{"protocol":"http",` + member + `}`)})
		_, err := post(t, client)
		checkError(t, err, wire.KindTimeout, gateway.PhaseRoundTrip, "the upstream did not answer in time")
	}
	if s.posts.Load() != 2 {
		t.Errorf("%d POSTs were read", s.posts.Load())
	}
}

// TestLargeBody holds that a body which no connection takes at once arrives
// whole, from memory and from elsewhere.
func TestLargeBody(t *testing.T) {
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, req.Body)
			answer(c, fmt.Sprint(n, " ", err))
		}
	})
	client := provision(t, &Config{BaseURL: s.URL()})
	text := strings.Repeat("x", 8<<20)
	for _, body := range []io.Reader{strings.NewReader(text), io.MultiReader(strings.NewReader(text)), memory{bytes.NewBufferString(text)}} {
		res, err := client.Do(t.Context(), &gateway.Call{Operation: wire.Chat, Path: "/x", Method: "POST", Body: body, Length: int64(len(text))})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if want := fmt.Sprint(len(text), " ", nil); string(got) != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}
