package upstream

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/wire"
)

// TestPhases fails each phase before a request can be sent. What fails in one
// of them has reached nobody.
func TestPhases(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	hour := time.Now().Add(time.Hour)
	const tlsFailed = "the TLS handshake with the upstream failed"
	serveTLS := func(certificate tls.Certificate) func(t *testing.T) string {
		return func(t *testing.T) string {
			ln := tls.NewListener(scripttest.Listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{certificate}})
			s := newScriptOn(t, ln, func(s *script, c net.Conn, br *bufio.Reader) { s.read(br) })
			t.Cleanup(func() {
				if n := s.posts.Load(); n != 0 {
					t.Errorf("%d POSTs were read", n)
				}
			})
			return "https://" + ln.Addr().String()
		}
	}
	serve := func(scheme string, serve func(s *script, c net.Conn, br *bufio.Reader)) func(t *testing.T) string {
		return func(t *testing.T) string {
			return scheme + newScript(t, serve).Addr().String()
		}
	}
	at := func(base string) func(t *testing.T) string { return func(*testing.T) string { return base } }
	nowhere := func(t *testing.T) string {
		ln := scripttest.Listen(t, "127.0.0.1:0")
		defer ln.Close()
		return "http://" + ln.Addr().String()
	}
	resolve := func(address string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"protocol":"http","dial_timeout":"300ms","resolver":{"addresses":[%q]}}`, address))
	}
	mute, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()

	for _, tt := range []struct {
		name      string
		base      func(t *testing.T) string
		transport json.RawMessage
		kind      wire.Kind
		phase     string
		message   string
	}{
		{"no such name", at("http://up.example:1"), resolve(newNameserver(t).address), wire.KindUpstream, gateway.PhaseDNS, "the upstream's name could not be resolved"},
		{"resolver is silent", at("http://up.example:1"), resolve("udp/" + mute.LocalAddr().String()), wire.KindTimeout, gateway.PhaseDNS, "resolving the upstream's name timed out"},
		{"refused", nowhere, nil, wire.KindUpstream, gateway.PhaseConnect, "connecting to the upstream failed"},
		{"all addresses refuse", at("http://up.example:1"), resolve(newNameserver(t, "127.0.0.2", "127.0.0.3").address), wire.KindUpstream, gateway.PhaseConnect, "connecting to the upstream failed"},
		{"connect stalls", blackhole, json.RawMessage(`{"protocol":"http","dial_timeout":"300ms"}`), wire.KindTimeout, gateway.PhaseConnect, "connecting to the upstream timed out"},
		{"handshake stalls", serve("https://", func(_ *script, c net.Conn, _ *bufio.Reader) { _, _ = io.Copy(io.Discard, c) }), a.transport(), wire.KindTimeout, gateway.PhaseTLS, "the TLS handshake with the upstream timed out"},
		{"closed in the handshake", serve("https://", func(_ *script, c net.Conn, _ *bufio.Reader) { _, _ = c.Read(make([]byte, 4096)) }), a.transport(), wire.KindUpstream, gateway.PhaseTLS, tlsFailed},
		{"expired", serveTLS(a.issue(t, "127.0.0.1", time.Now().Add(-time.Hour))), a.transport(), wire.KindUpstream, gateway.PhaseTLS, tlsFailed},
		{"wrong name", serveTLS(a.issue(t, "other.example", hour)), a.transport(), wire.KindUpstream, gateway.PhaseTLS, tlsFailed},
		{"unknown authority", serveTLS(stranger.issue(t, "127.0.0.1", hour)), a.transport(), wire.KindUpstream, gateway.PhaseTLS, tlsFailed},
		{"HTTP on the TLS port", serve("https://", func(s *script, c net.Conn, br *bufio.Reader) {
			s.read(br)
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
		}), a.transport(), wire.KindUpstream, gateway.PhaseTLS, tlsFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := provision(t, &Config{BaseURL: tt.base(t), TransportRaw: tt.transport})
			_, err := post(t, client)
			checkError(t, err, tt.kind, tt.phase, tt.message)
			if !gateway.Unsent(tt.phase) {
				t.Error("the phase does not say that nothing was sent")
			}
		})
	}
}

// blackhole is an address that takes no connection: one that waits to be
// accepted fills its queue, and further ones are not answered.
func blackhole(t *testing.T) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return "http://" + address
}

// TestManyDeadAddresses holds that one good address among many is found.
func TestManyDeadAddresses(t *testing.T) {
	s := newScript(t, func(s *script, c net.Conn, br *bufio.Reader) {
		if s.read(br) {
			answer(c, "ok")
		}
	})
	_, port, _ := net.SplitHostPort(s.Addr().String())
	addresses := make([]string, 0, 30) // as many as fit into a datagram
	for i := range 29 {
		addresses = append(addresses, fmt.Sprintf("127.0.0.%d", i+2))
	}
	dns := newNameserver(t, append(addresses, "127.0.0.1")...)
	client := provision(t, &Config{BaseURL: "http://up.example:" + port, TransportRaw: json.RawMessage(
		fmt.Sprintf(`{"protocol":"http","resolver":{"addresses":[%q]}}`, dns.address))})
	if got, err := post(t, client); got != "ok" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestProxyProtocolIsRefused holds that what can never work is not accepted.
func TestProxyProtocolIsRefused(t *testing.T) {
	_, err := readSettings(json.RawMessage(`{"protocol":"http","proxy_protocol":"v1"}`))
	if err == nil || !strings.Contains(err.Error(), "proxy_protocol") {
		t.Error(err)
	}
}
