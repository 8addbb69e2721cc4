package redis

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestTLS connects with an authority of its own, and to nobody else, as a
// server may demand with a certificate and as a user.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	for _, demands := range []string{"no", "yes"} {
		t.Run("certificates of clients: "+demands, func(t *testing.T) {
			port := redistest.FreePort(t)
			server := redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", demands)
			server.Must("ACL SETUSER gateway on >a-long-word " + grants)
			server.Must("ACL SETUSER default -@all +ping")
			t.Setenv("WEIR_TEST_REDIS", "rediss://gateway:a-long-word@127.0.0.1:"+port)
			m := &Module{URL: "{env.WEIR_TEST_REDIS}", Deadline: caddy.Duration(5 * time.Second), TLS: &TLS{CA: cert}}
			if demands == "yes" {
				m.TLS.Certificate, m.TLS.Key = cert, key
			}
			if err := m.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			if _, err := m.store.(limits.Tester).SelfTest(context.Background()); err != nil {
				t.Fatal(err)
			}
			r := claim(t, "a", 1, "requests", "1", "1m")
			if !mustReserve(t, m.Store(), r) {
				t.Errorf("%+v", r.Decisions)
			}
			_ = m.Store().Settle(context.Background(), r, nil)
			if err := m.Cleanup(); err != nil {
				t.Error(err)
			}
			for name, other := range map[string]struct {
				tls     *TLS
				problem string
			}{
				"the system's authorities": {nil, "x509"},
				"another name":             {&TLS{CA: cert, Certificate: cert, Key: key, ServerName: "elsewhere"}, "x509"},
				"no certificate":           {&TLS{CA: cert}, ""},
			} {
				if name == "no certificate" && demands == "no" {
					continue
				}
				options := Options{URL: "rediss://gateway:a-long-word@127.0.0.1:" + port}
				if other.tls != nil {
					var err error
					if options.TLS, err = other.tls.config(caddy.NewReplacer()); err != nil {
						t.Fatal(err)
					}
				}
				s, err := New(options, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.SelfTest(context.Background()); err == nil || !strings.Contains(err.Error(), other.problem) && !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "a-long-word") {
					t.Errorf("%s: %v", name, err)
				}
				_ = s.Close()
				s.cancel()
			}
		})
	}
}

// grants are what the documentation says that a user needs.
const grants = "~{weir}:* +@read +@write +@connection +eval +evalsha +time +info -@dangerous +info"

// TestUser is a user who may do what the documentation says and no more, and
// ones who may do less: they are refused at the start, not with the first
// request.
func TestUser(t *testing.T) {
	for _, program := range redistest.All(t) {
		for _, c := range []struct{ name, grants, problem, warning string }{
			{"as documented", grants, "", "no append-only file"},
			{"no INFO", grants + " -info", "", "does not answer INFO"},
			{"other keys", strings.Replace(grants, "{weir}", "weir", 1), "NOPERM", ""},
			{"no scripts", grants + " -evalsha", "NOPERM", ""},
			{"no counting", grants + " -hset", "testing the limits in redis", ""},
		} {
			t.Run(program.Name+"/"+c.name, func(t *testing.T) {
				server := program.Start(t)
				server.Must("ACL SETUSER gateway on >a-long-word " + c.grants)
				s, err := New(Options{URL: "redis://gateway:a-long-word@" + server.Addr, Deadline: 5 * time.Second}, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					_ = s.Close()
					s.cancel()
				}()
				warnings, err := s.SelfTest(context.Background())
				switch {
				case c.problem == "" && err != nil:
					t.Error(err)
				case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
					t.Errorf("%v, want %s", err, c.problem)
				case !strings.Contains(strings.Join(warnings, "\n"), c.warning):
					t.Errorf("%q, want %s", warnings, c.warning)
				}
				if err != nil {
					return
				}
				r := claim(t, "a", 1, "concurrency", "1")
				r.Claim("b", limitstest.Rule(t, "tokens", "5", "1m"), 1)
				if !mustReserve(t, s, r) || s.Renew(context.Background(), r) != nil || s.Settle(context.Background(), r, nil) != nil {
					t.Errorf("%+v", r.Decisions)
				}
				loan := []limits.Loan{{Claim: r.Claims[1], Seq: 1, Question: 1, Time: 1_000_000, Holding: -1}}
				if ok, err := s.Lend(context.Background(), 25, loan); err != nil || !ok || loan[0].Held != 1 {
					t.Errorf("borrowing: %t, %+v: %v", ok, loan[0], err)
				}
				if s.count(); s.Instances() != 1 {
					t.Errorf("%d instances", s.Instances())
				}
			})
		}
	}
}

// certificate writes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
