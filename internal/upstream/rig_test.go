package upstream

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddytls" // the sources of trust

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
	"github.com/weirproxy/weir/wire"
)

// provision makes a client of c as a guest module does.
func provision(t *testing.T, c *Config) *Client {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	client, err := c.Provision(ctx, Vendor{Operations: []*wire.Operation{wire.Chat}, Authorize: Bearer})
	t.Cleanup(func() {
		if err := client.Cleanup(); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
		cancel()
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// post makes one call with a body and returns what it was answered.
func post(t *testing.T, client *Client) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	return postIn(ctx, client)
}

func postIn(ctx context.Context, client *Client) (string, error) {
	const body = `{"model":"m"}`
	res, err := client.Do(ctx, &gateway.Call{
		Operation: wire.Chat, Path: "/chat", Method: http.MethodPost, ContentType: "application/json",
		Body: strings.NewReader(body), Length: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil },
	})
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return string(data), err
}

// checkError compares what a caller learns of a failure.
func checkError(t *testing.T, err error, kind wire.Kind, phase, message string) {
	t.Helper()
	var e *gateway.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	if e.Kind != kind || e.Phase != phase || e.Message != message {
		t.Errorf("%s in %s: %q, want %s in %s: %q; cause: %v", e.Kind, e.Phase, e.Message, kind, phase, message, e.Cause)
	}
	if strings.Contains(e.Message, "127.0.0.") || strings.Contains(e.Message, "example") {
		t.Errorf("the message names an address: %s", e.Message)
	}
}

// script is a server that counts what was posted.
type script struct {
	*scripttest.Server
	posts atomic.Int64
}

func newScript(t *testing.T, serve func(s *script, c net.Conn, br *bufio.Reader)) *script {
	t.Helper()
	return newScriptOn(t, scripttest.Listen(t, "127.0.0.1:0"), serve)
}

func newScriptOn(t *testing.T, ln net.Listener, serve func(s *script, c net.Conn, br *bufio.Reader)) *script {
	s := new(script)
	s.Server = scripttest.ServeOn(t, ln, func(_ int64, c net.Conn, br *bufio.Reader) { serve(s, c, br) })
	return s
}

// read reads one HTTP/1.1 request and counts it.
func (s *script) read(br *bufio.Reader) bool {
	req, err := http.ReadRequest(br)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, req.Body)
	if err == nil && req.Method == http.MethodPost {
		s.posts.Add(1)
	}
	return err == nil
}

func answer(c net.Conn, text string) {
	_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

// nameserver answers queries for A records with what a test sets; nil: with
// NXDOMAIN.
type nameserver struct {
	address string
	records atomic.Pointer[[]net.IP]
}

func newNameserver(t *testing.T, records ...string) *nameserver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameserver{address: "udp/" + pc.LocalAddr().String()}
	s.set(records...)
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = pc.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := s.reply(buf[:n]); reply != nil {
				_, _ = pc.WriteTo(reply, from)
			}
		}
	}()
	return s
}

func (s *nameserver) set(records ...string) {
	ips := make([]net.IP, 0, len(records))
	for _, r := range records {
		ips = append(ips, net.ParseIP(r).To4())
	}
	s.records.Store(&ips)
}

func (s *nameserver) reply(query []byte) []byte {
	if len(query) < 17 {
		return nil
	}
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root, a type and a class
	if end > len(query) {
		return nil
	}
	ips := *s.records.Load()
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if len(ips) == 0 {
		reply[3] |= 3 // NXDOMAIN
	}
	if query[end-3] == 1 { // A
		reply[7] = byte(len(ips))
		for _, ip := range ips {
			reply = append(append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4), ip...)
		}
	}
	return reply
}

// authority makes certificates that clients of trust trust.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert}
}

func (a *authority) issue(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Unix(0, 0), NotAfter: until, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// transport is Caddy's own with trust in a.
func (a *authority) transport() json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"protocol":"http","tls":{"handshake_timeout":"300ms","ca":{"provider":"inline","trusted_ca_certs":[%q]}}}`,
		base64.StdEncoding.EncodeToString(a.cert.Raw)))
}
