package upstream

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/wire"
)

// TestTLSThatBreaksLate holds that a connection which breaks after the upstream has
// read a request is told from one that never came to be, though the words are
// those of TLS in both: what was read may be billed.
func TestTLSThatBreaksLate(t *testing.T) {
	for _, answered := range []int{0, 1} {
		a := newAuthority(t)
		ln := tls.NewListener(scripttest.Listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}})
		s := newScriptOn(t, ln, func(s *script, c net.Conn, br *bufio.Reader) {
			for range answered {
				if s.read(br) {
					answer(c, "ok")
				}
			}
			if s.read(br) {
				_, _ = c.(*tls.Conn).NetConn().Write([]byte("what a record never is"))
			}
		})
		client := provision(t, &Config{BaseURL: "https://" + ln.Addr().String(), TransportRaw: a.transport()})
		for range answered {
			if got, err := post(t, client); got != "ok" || err != nil {
				t.Fatalf("%q, %v", got, err)
			}
		}
		_, err := post(t, client)
		checkError(t, err, wire.KindUpstream, gateway.PhaseRoundTrip, closedMessage)
		if got := s.posts.Load(); got != int64(answered)+1 {
			t.Errorf("%d POSTs were read, want %d", got, answered+1)
		}
	}
}

// TestTLSWords holds that an upstream cannot pass for one that was never reached by
// its choice of words.
func TestTLSWords(t *testing.T) {
	a := newAuthority(t)
	ln := tls.NewListener(scripttest.Listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}})
	newScriptOn(t, ln, func(s *script, c net.Conn, br *bufio.Reader) {
		if s.read(br) {
			_, _ = c.Write([]byte("HTTP/1.1 tls: x509: TLS handshake REFUSED_STREAM\r\n\r\n"))
		}
	})
	client := provision(t, &Config{BaseURL: "https://" + ln.Addr().String(), TransportRaw: a.transport()})
	_, err := post(t, client)
	checkError(t, err, wire.KindUpstream, gateway.PhaseRoundTrip, "the upstream's answer is not valid HTTP")
}

// TestClientCertificateWanted holds that an upstream which wants another client than
// this is one whose handshake failed. TLS 1.3 says so only when the request is on
// its way.
func TestClientCertificateWanted(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		a := newAuthority(t)
		ln := tls.NewListener(scripttest.Listen(t, "127.0.0.1:0"), &tls.Config{
			Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: version,
		})
		s := newScriptOn(t, ln, func(_ *script, _ net.Conn, br *bufio.Reader) { _, _ = http.ReadRequest(br) })
		client := provision(t, &Config{BaseURL: "https://" + ln.Addr().String(), TransportRaw: a.transport()})
		_, err := post(t, client)
		checkError(t, err, wire.KindUpstream, gateway.PhaseTLS, failures[gateway.PhaseTLS])
		if got := s.posts.Load(); got != 0 {
			t.Errorf("%d POSTs were read", got)
		}
	}
}
