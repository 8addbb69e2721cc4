package upstream

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/wire"
)

const closedMessage = "the upstream closed the connection before it answered"

// TestRequestThatWasReadIsNotSentAgain holds that a POST which an upstream has
// read goes out once, also on a connection that was used before and with a
// header that makes net/http take it for one that may be repeated.
func TestRequestThatWasReadIsNotSentAgain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers map[string]string
		answers int // on each connection, before one is read and not answered
	}{
		{"fresh connection", nil, 0},
		{"used connection", nil, 1},
		{"fresh connection, idempotency key", map[string]string{"Idempotency-Key": "k"}, 0},
		{"used connection, idempotency key", map[string]string{"Idempotency-Key": "k"}, 1},
		{"used connection, other idempotency key", map[string]string{"X-Idempotency-Key": "k"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, func(s *script, c net.Conn, br *bufio.Reader) {
				for range tt.answers {
					if s.read(br) {
						answer(c, "ok")
					}
				}
				s.read(br)
			})
			client := provision(t, &Config{BaseURL: s.URL(), Headers: tt.headers})
			for range tt.answers {
				if got, err := post(t, client); got != "ok" || err != nil {
					t.Fatalf("%q, %v", got, err)
				}
			}
			_, err := post(t, client)
			checkError(t, err, wire.KindUpstream, gateway.PhaseRoundTrip, closedMessage)
			if got := s.posts.Load(); got != int64(tt.answers)+1 {
				t.Errorf("%d POSTs were read, want %d", got, tt.answers+1)
			}
		})
	}
}

// TestConnectionThatClosedWhileIdle holds that nobody sees an upstream's idle
// timeout, whoever notices first, and that each call is processed once.
func TestConnectionThatClosedWhileIdle(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		ln := scripttest.Listen(t, "127.0.0.1:0")
		c := &Config{BaseURL: "http://" + ln.Addr().String()}
		if encrypted {
			a := newAuthority(t)
			ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}})
			c.BaseURL, c.TransportRaw = "https://"+ln.Addr().String(), a.transport()
		}
		closed := make(chan struct{})
		s := newScriptOn(t, ln, func(s *script, c net.Conn, br *bufio.Reader) {
			if s.read(br) {
				answer(c, "ok")
				_ = c.Close()
				closed <- struct{}{}
			}
		})
		client := provision(t, c)
		const calls = 200
		for i := range calls {
			if got, err := post(t, client); got != "ok" || err != nil {
				t.Fatalf("encrypted %v, call %d: %q, %v", encrypted, i, got, err)
			}
			<-closed
		}
		if got := s.posts.Load(); got != calls {
			t.Errorf("encrypted %v: %d POSTs were read, want %d", encrypted, got, calls)
		}
	}
}

// TestBodyThatCannotBeSentAgain holds that a stale connection is told from one
// that took the request, so that who still has the body can try again.
func TestBodyThatCannotBeSentAgain(t *testing.T) {
	closed := make(chan struct{})
	s := newScript(t, func(s *script, c net.Conn, br *bufio.Reader) {
		if s.read(br) {
			answer(c, "ok")
			_ = c.Close()
			close(closed)
		}
	})
	client := provision(t, &Config{BaseURL: s.URL()})
	// The reader of the connection is kept from noticing first.
	if _, err := post(t, client); err != nil {
		t.Fatal(err)
	}
	<-closed
	g := client.transport.current.Load()
	f := &flight{generation: g, connected: true, reused: true}
	if !f.unsent(io.EOF) {
		t.Error("nothing was written, but that is not known")
	}
	f.wrote.Store(true)
	if f.unsent(io.EOF) {
		t.Error("what may have been read is taken for unsent")
	}
	f.conn = &conn{}
	if !f.unsent(io.EOF) {
		t.Error("no byte was written, but that is not known")
	}
	f.h2 = true
	if f.unsent(io.EOF) {
		t.Error("other streams' bytes say nothing of this one's")
	}
}

// frames is an HTTP/2 server made by hand: it answers each request as verdict
// says.
func frames(s *script, c net.Conn, verdict func(post int64) byte) {
	if _, err := io.CopyN(io.Discard, c, 24); err != nil { // the preface
		return
	}
	_, _ = c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
	var head [9]byte
	for {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, c, length); err != nil {
			return
		}
		kind, flags := head[3], head[4]
		if kind == 4 && flags == 0 {
			_, _ = c.Write([]byte{0, 0, 0, 4, 1, 0, 0, 0, 0})
		}
		if kind > 1 || flags&1 == 0 { // neither the end of HEADERS nor of DATA
			continue
		}
		stream := binary.BigEndian.Uint32(head[5:])
		frame := func(kind, flags byte, payload ...byte) []byte {
			return append(binary.BigEndian.AppendUint32([]byte{0, 0, byte(len(payload)), kind, flags}, stream), payload...)
		}
		if code := verdict(s.posts.Add(1)); code != 0 {
			_, _ = c.Write(frame(3, 0, 0, 0, 0, code)) // RST_STREAM
			continue
		}
		_, _ = c.Write(frame(1, 5, 0x88)) // :status 200, the end
	}
}

// newHTTP2 is a script behind TLS that speaks HTTP/2, and a client of it.
func newHTTP2(t *testing.T, serve func(*script, net.Conn, *bufio.Reader)) (*script, *Client) {
	t.Helper()
	a := newAuthority(t)
	ln := tls.NewListener(scripttest.Listen(t, "127.0.0.1:0"), &tls.Config{
		Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}, NextProtos: []string{"h2"},
	})
	s := newScriptOn(t, ln, serve)
	return s, provision(t, &Config{BaseURL: "https://" + ln.Addr().String(), TransportRaw: a.transport()})
}

// checkSecond makes two calls, the first of which succeeds, and checks what becomes of
// the second, success where phase is empty, and how many POSTs have come.
func (s *script) checkSecond(t *testing.T, client *Client, posts int64, phase, message string) {
	t.Helper()
	if _, err := post(t, client); err != nil {
		t.Fatal(err)
	}
	_, err := post(t, client)
	if phase == "" {
		if err != nil {
			t.Error(err)
		}
	} else {
		checkError(t, err, wire.KindUpstream, phase, message)
	}
	if got := s.posts.Load(); got != posts {
		t.Errorf("%d POSTs came, want %d", got, posts)
	}
}

// TestHTTP2Refusals holds that a stream which the upstream has not processed,
// and says so, is sent again, and no other.
func TestHTTP2Refusals(t *testing.T) {
	const protocol, internal, refused = 1, 2, 7
	for _, tt := range []struct {
		name    string
		code    byte
		from    int64 // the first POST that is reset
		to      int64
		phase   string // empty: success
		message string
		posts   int64
	}{
		{"refused", refused, 2, 2, "", "", 3},
		{"always refused", refused, 2, 100, gateway.PhaseConnect, "the upstream closed the connection before it took the request", 1 + maxStale},
		{"protocol error", protocol, 2, 2, gateway.PhaseRoundTrip, closedMessage, 2},
		{"internal error", internal, 2, 2, gateway.PhaseRoundTrip, closedMessage, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, client := newHTTP2(t, func(s *script, c net.Conn, br *bufio.Reader) {
				frames(s, c, func(post int64) byte {
					if post >= tt.from && post <= tt.to {
						return tt.code
					}
					return 0
				})
			})
			s.checkSecond(t, client, tt.posts, tt.phase, tt.message)
		})
	}
}

// TestHTTP2GoingAway lets an upstream say that it goes, while a call is under way:
// only what it says that it has not taken is sent again, whatever it says besides.
func TestHTTP2GoingAway(t *testing.T) {
	const none, internal = 0, 2
	for _, tt := range []struct {
		name   string
		last   byte // the last stream that it took; the second call is stream 3
		code   byte
		debug  string
		closes bool
		phase  string // empty: success
		posts  int64
	}{
		{"before it took the call", 1, none, "", true, "", 3},
		{"before it took the call, for an error", 1, internal, "", true, "", 3},
		{"after, and answers", 3, none, "", false, "", 2},
		{"after, and closes", 3, none, "", true, gateway.PhaseRoundTrip, 2},
		{"after, for an error, and closes", 3, internal, "", true, gateway.PhaseRoundTrip, 2},
		{"after, with words", 3, internal, "REFUSED_STREAM graceful shutdown GOAWAY", true, gateway.PhaseRoundTrip, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, client := newHTTP2(t, func(s *script, c net.Conn, _ *bufio.Reader) {
				frames(s, c, func(post int64) byte {
					if post != 2 {
						return 0
					}
					goAway := append([]byte{0, 0, byte(8 + len(tt.debug)), 7, 0, 0, 0, 0, 0, 0, 0, 0, tt.last, 0, 0, 0, tt.code}, tt.debug...)
					_, _ = c.Write(goAway)
					if tt.closes {
						_ = c.Close()
					}
					return 0
				})
			})
			s.checkSecond(t, client, tt.posts, tt.phase, closedMessage)
			if _, err := post(t, client); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
