package redis

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
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestCluster decides on a server in Cluster mode, which refuses scripts whose
// keys are on different slots (F10).
func TestCluster(t *testing.T) {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	var some []string
	for slot := range 16384 {
		if some = append(some, fmt.Sprint(slot)); len(some) == 4096 {
			server.Must("CLUSTER ADDSLOTS " + strings.Join(some, " "))
			some = nil
		}
	}
	eventually(t, "the cluster", func() bool {
		reply, err := server.Command("SET x y")
		return err == nil && reply == "+OK"
	})
	limitstest.Race(t, open(t, server), open(t, server))
}

// TestTLS connects with an authority of its own, and to nobody else.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	server := redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	secure := "rediss://127.0.0.1:" + port
	trusting := &Module{TLS: &TLS{CA: cert}}
	config, err := trusting.TLS.config(caddy.NewReplacer())
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, server, func(o *Options) { o.URL, o.TLS = secure, config })
	r := claim(t, "a", 1, "requests", "1", "1m")
	if !mustReserve(t, s, r) {
		t.Errorf("%+v", r.Decisions)
	}
	_ = s.Settle(context.Background(), r, nil)
	for name, other := range map[string]*tls.Config{"the system's authorities": nil, "another name": {RootCAs: config.RootCAs, ServerName: "elsewhere"}} {
		s, err := New(Options{URL: secure, TLS: other}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.SelfTest(context.Background()); err == nil || !strings.Contains(err.Error(), "x509") {
			t.Errorf("%s: %v", name, err)
		}
		_ = s.Close()
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
