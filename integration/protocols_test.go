package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/quic-go/quic-go/http3"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// newTLSRig is newRig behind TLS, which HTTP/3 demands, with everything in
// the way of a stream that sites usually have.
func newTLSRig(t *testing.T, d *door, site string) (rig *rig, roots *x509.CertPool) {
	t.Helper()
	rig = newRig(t, d, "", "")
	dir := t.TempDir()
	roots = writeCertificate(t, dir)
	// On a port of its own: a connection that a listener has not accepted yet
	// may be reset when it is handed over.
	_, port, _ := strings.Cut(weirtest.FreeAddr(t), ":")
	config, err := weirtest.Adapt(fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	storage file_system %[1]s
	metrics
	servers {
		protocols h1 h2 h3
	}
	ai {
		usage weirtest
		%[2]s
	}
}
https://localhost:%[3]s {
	bind 127.0.0.1
	tls %[1]s/cert.pem %[1]s/key.pem
	log
	encode gzip
	ai_gateway {
		%[4]s
	}
}
`, dir, rig.config(d, ""), port, site))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	rig.URL = "https://localhost:" + port
	return rig, roots
}

// writeCertificate writes a key and a certificate for localhost that signs
// itself.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		data := pem.EncodeToMemory(block)
		if name == "cert.pem" && !roots.AppendCertsFromPEM(data) {
			t.Fatal("the certificate cannot be read")
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return roots
}

// protocol is a way to speak HTTP to a gateway.
type protocol struct {
	name  string
	major int
	start func(t *testing.T, d *door, site string) (*rig, http.RoundTripper)
}

var protocols = []protocol{
	{"h1", 1, func(t *testing.T, d *door, site string) (*rig, http.RoundTripper) {
		return newPlainRig(t, d, site), closing(t, &http.Transport{DisableCompression: true})
	}},
	{"h2c", 2, func(t *testing.T, d *door, site string) (*rig, http.RoundTripper) {
		transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		return newPlainRig(t, d, site), closing(t, transport)
	}},
	{"h2", 2, func(t *testing.T, d *door, site string) (*rig, http.RoundTripper) {
		rig, roots := newTLSRig(t, d, site)
		return rig, closing(t, &http.Transport{DisableCompression: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}})
	}},
	{"h3", 3, func(t *testing.T, d *door, site string) (*rig, http.RoundTripper) {
		rig, roots := newTLSRig(t, d, site)
		transport := &http3.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
		t.Cleanup(func() { _ = transport.Close() })
		return rig, transport
	}},
}

func closing(t *testing.T, transport *http.Transport) http.RoundTripper {
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// newPlainRig is newRig with HTTP/2 in clear and everything in the way.
func newPlainRig(t *testing.T, d *door, site string) *rig {
	t.Helper()
	return newRigWith(t, "metrics\nservers {\nprotocols h1 h2c\n}", d, "", "log\nencode gzip\nai_gateway {\n"+site+"\n}")
}

// request starts a call that accepts gzip, which no stream may be packed in.
func request(t *testing.T, rt http.RoundTripper, url, body string) (res *http.Response, leave context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", requestID)
	req.Header.Set("Accept-Encoding", "gzip")
	if res, err = rt.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res, cancel
}

// TestProtocols streams event by event over every version of HTTP, behind
// `encode`, access logs and metrics.
func TestProtocols(t *testing.T) {
	for _, p := range protocols {
		for _, d := range doors {
			t.Run(p.name+"/"+d.name, func(t *testing.T) {
				rig, rt := p.start(t, d, "")
				t.Run("lockstep", func(t *testing.T) {
					s := newScript()
					rig.answers(s.answer)
					first := make(chan struct{})
					go func() {
						defer close(first)
						s.steps <- d.prelude + d.words(1)
					}()
					res, _ := request(t, rt, rig.URL+d.path, d.body)
					<-first
					r := &reader{body: res.Body}
					r.until(t, d.prelude+d.words(1))
					for range 20 {
						s.send(t, d.words(1))
						r.until(t, d.words(1))
					}
					s.send(t, d.finish+d.hidden+d.end)
					close(s.steps)
					r.until(t, d.finish+d.end)
					if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
						t.Errorf("after the terminator: %q, %v", rest, err)
					}
					if res.ProtoMajor != p.major || res.Header.Get("Content-Encoding") != "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
						t.Errorf("HTTP/%d, header %v", res.ProtoMajor, res.Header)
					}
					rig.checkRecord(t, complete(d))
				})
				t.Run("cut", func(t *testing.T) {
					rig.answers(cutAfter(d.prelude + d.words(2)))
					res, _ := request(t, rt, rig.URL+d.path, d.body)
					body, err := io.ReadAll(res.Body)
					if err == nil {
						t.Error("the cut stream ended like a complete one")
					}
					if diff := cmp.Diff(d.prelude+d.words(2)+d.errorEvent(errBrokeOff, 2), string(body)); diff != "" {
						t.Errorf("%v (-want +got):\n%s", err, diff)
					}
					rig.checkRecord(t, seenAfter(d, errBrokeOff, 2))
				})
				t.Run("client gone", func(t *testing.T) {
					ended := make(chan struct{})
					rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
						defer close(ended)
						stallAfter(d.prelude+d.words(1))(w, r)
					})
					res, leave := request(t, rt, rig.URL+d.path, d.body)
					(&reader{body: res.Body}).until(t, d.prelude+d.words(1))
					since := time.Now()
					leave()
					_ = res.Body.Close()
					soon(t, since, ended)
					record := rig.record(t)
					if !record.ClientGone || record.Status != 200 || record.UsageSource != gateway.SourceEstimated || record.Usage.Output == 0 {
						t.Errorf("record %+v", ledgerOf(record))
					}
				})
				t.Run("refusal", func(t *testing.T) {
					res, _ := request(t, rt, rig.URL+d.pathOf("{}"), "{}")
					body, err := io.ReadAll(res.Body)
					if err != nil || res.StatusCode != 400 || len(body) == 0 {
						t.Errorf("status %d, %v, body %q", res.StatusCode, err, body)
					}
					rig.record(t)
				})
				t.Run("whole", func(t *testing.T) {
					rig.answers(whole(200, d.answer))
					res, _ := request(t, rt, rig.URL+d.pathOf(d.whole), d.whole)
					if body, err := io.ReadAll(res.Body); err != nil || string(body) != d.answer {
						t.Errorf("%v, encoding %q, body %q", err, res.Header.Get("Content-Encoding"), body)
					}
					rig.checkRecord(t, complete(d))
				})
			})
		}
	}
}

// TestSilenceOverProtocols lets a stream be silent for longer than
// write_timeout: on HTTP/2 the deadline resets streams even when nothing is
// being written.
func TestSilenceOverProtocols(t *testing.T) {
	d := doors[0]
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			rig, rt := p.start(t, d, "write_timeout 500ms\nheartbeat 1200ms")
			s := newScript()
			rig.answers(s.answer)
			go func() { s.steps <- d.prelude + d.words(1) }()
			res, _ := request(t, rt, rig.URL+d.path, d.body)
			r := &reader{body: res.Body}
			r.skip(t, d.ping, d.prelude+d.words(1))
			r.until(t, d.ping)
			s.send(t, d.words(1)+d.finish+d.hidden+d.end)
			close(s.steps)
			r.skip(t, d.ping, d.words(1)+d.finish+d.end)
			rig.checkRecord(t, complete(d))
		})
	}
}
