package upstream

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/http1"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/wire"
)

// TestSettings holds what Caddy's transport is corrected to, and that what is
// configured stays.
func TestSettings(t *testing.T) {
	std := provision(t, &Config{BaseURL: "http://127.0.0.1:1"}).transport.current.Load().std
	if std.TLSHandshakeTimeout != 5*time.Second || std.MaxResponseHeaderBytes != 64<<10 || std.MaxIdleConnsPerHost != 256 ||
		std.MaxIdleConns != 0 || std.IdleConnTimeout != 55*time.Second || !std.DisableCompression || std.Proxy != nil ||
		std.HTTP2.SendPingTimeout != 15*time.Second || std.HTTP2.PingTimeout != 10*time.Second {
		t.Errorf("%+v", std)
	}
	std = provision(t, &Config{BaseURL: "http://127.0.0.1:1", TransportRaw: json.RawMessage(
		`{"protocol":"http","keep_alive":{"max_idle_conns_per_host":32,"idle_timeout":"2m"},"max_response_header_size":1000,"tls":{"handshake_timeout":"1s"},"network_proxy":{"from":"url","url":"http://127.0.0.1:2"}}`)}).transport.current.Load().std
	if std.TLSHandshakeTimeout != time.Second || std.MaxResponseHeaderBytes != 1000 || std.MaxIdleConnsPerHost != 32 ||
		std.IdleConnTimeout != 2*time.Minute || std.Proxy == nil {
		t.Errorf("%+v", std)
	}
}

// TestPlain holds which transports call plain HTTP without net/http, and that
// their settings hold there too.
func TestPlain(t *testing.T) {
	plain := func(raw string) *http1.Transport {
		return provision(t, &Config{BaseURL: "http://127.0.0.1:1", TransportRaw: json.RawMessage(raw)}).transport.current.Load().plain
	}
	type settings struct {
		perHost, idle, most int
		kept, headers       time.Duration
		head                int
	}
	for raw, want := range map[string]settings{
		`{"protocol":"http"}`:                                {perHost: 256, kept: 55 * time.Second, head: 64 << 10},
		`{"protocol":"http","keep_alive":{"enabled":false}}`: {kept: 55 * time.Second, head: 64 << 10},
		`{"protocol":"http","keep_alive":{"max_idle_conns":7,"max_idle_conns_per_host":3,"idle_timeout":"2m"},
			"max_conns_per_host":9,"response_header_timeout":"1s","max_response_header_size":1000}`: {3, 7, 9, 2 * time.Minute, time.Second, 1000},
	} {
		p := plain(raw)
		if got := (settings{p.MaxIdlePerHost, p.MaxIdle, p.MaxPerHost, p.IdleTimeout, p.HeaderTimeout, p.MaxHead}); got != want {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
	for _, raw := range []string{
		`{"protocol":"http","versions":["h2c","2"]}`,
		`{"protocol":"http","network_proxy":{"from":"url","url":"http://127.0.0.1:2"}}`,
	} {
		if plain(raw) != nil {
			t.Errorf("%s: net/http has to do that", raw)
		}
	}
}

// TestEgressProxy holds that a proxy is used when it is configured, and that
// the environment's, which TestMain sets to one that is not there, never is.
func TestEgressProxy(t *testing.T) {
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		if line, err := br.ReadString('\n'); err == nil {
			answer(c, strings.Fields(line)[1])
		}
	})
	_, port, _ := net.SplitHostPort(s.Addr().String())
	dns := newNameserver(t, "127.0.0.1")
	for members, want := range map[string]string{
		"":                                 "/chat",
		`,"network_proxy":{"from":"none"}`: "/chat",
		`,"network_proxy":{"from":"url","url":"http://` + s.Addr().String() + `"}`: "http://up.example:" + port + "/chat",
	} {
		client := provision(t, &Config{BaseURL: "http://up.example:" + port, TransportRaw: json.RawMessage(
			fmt.Sprintf(`{"protocol":"http","resolver":{"addresses":[%q]}%s}`, dns.address, members))})
		if got, err := post(t, client); got != want || err != nil {
			t.Errorf("%s: the request was for %q, %v, want %q", members, got, err, want)
		}
	}
}

// TestManyConnectionsAreKept holds that a burst of calls finds the connections
// of the one before, however many they are.
func TestManyConnectionsAreKept(t *testing.T) {
	const calls = 100
	var connections atomic.Int64
	var arrived sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived.Done()
		arrived.Wait() // so that all are in flight at once
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := provision(t, &Config{BaseURL: server.URL})
	for range 3 {
		arrived.Add(calls)
		var wg sync.WaitGroup
		for range calls {
			wg.Go(func() {
				if _, err := post(t, client); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if got := connections.Load(); got != calls {
		t.Errorf("%d connections, want %d", got, calls)
	}
}

// TestHeadersThatAreTooLarge bounds what an upstream makes the gateway keep.
func TestHeadersThatAreTooLarge(t *testing.T) {
	for protocol, message := range map[string]string{
		overPlain: "the headers of the upstream's answer are too large",
		overTLS:   "the headers of the upstream's answer are too large",
		overHTTP2: closedMessage, // HTTP/2 does not say what it closed the connection for
	} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := range 64 {
				w.Header().Set(fmt.Sprintf("X-Large-%d", i), strings.Repeat("x", 16<<10))
			}
		}))
		if server.EnableHTTP2 = protocol == overHTTP2; protocol == overPlain {
			server.Start()
		} else {
			server.StartTLS()
		}
		client := provision(t, &Config{BaseURL: server.URL, TransportRaw: json.RawMessage(`{"protocol":"http","tls":{"insecure_skip_verify":true}}`)})
		_, err := post(t, client)
		checkError(t, err, wire.KindUpstream, gateway.PhaseRoundTrip, message)
		server.Close()
	}
}

// TestSocket calls a local model server.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "llama.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+" "+r.URL.Path)
	}))
	_ = server.Listener.Close()
	server.Listener = ln
	server.Start()
	defer server.Close()
	for suffix, want := range map[string]string{"": "localhost /chat", ":/v1": "localhost /v1/chat", ":/a/v1/": "localhost /a/v1/chat"} {
		client := provision(t, &Config{BaseURL: "unix/" + path + suffix})
		if got, err := post(t, client); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", suffix, got, err, want)
		}
		if err := client.Probe(t.Context()); err != nil {
			t.Error(err)
		}
	}
	server.Close()
	_, err = post(t, provision(t, &Config{BaseURL: "unix/" + path + ":/v2"}))
	checkError(t, err, wire.KindUpstream, gateway.PhaseConnect, "connecting to the upstream failed")
}

func TestSocketAddress(t *testing.T) {
	for base, want := range map[string]string{
		"unix//run/a.sock":          "/run/a.sock http://localhost",
		"unix//run/a.sock:/v1":      "/run/a.sock http://localhost/v1",
		"unix/@name:/v1":            "@name http://localhost/v1",
		"unix//run/a.sock:/v1?x=1":  "error",
		"unix//run/a.sock|0222:/v1": "error",
		"unix/":                     "error",
		"unix//run/a.sock:/v1/%zz":  "error",
		"unix+h2c//run/a.sock:/v1":  "error",
		"unixgram//run/a.sock:/v1":  "error",
	} {
		u, socket, err := parseBase(base, new(Vendor))
		got := "error"
		if err == nil {
			got = socket + " " + u.String()
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", base, got, err, want)
		}
	}
}

// TestWarm holds that connections are there before the first call, as many as
// were asked for, and that an upstream which is not there does no harm.
func TestWarm(t *testing.T) {
	for _, protocol := range []string{overPlain, overTLS, overHTTP2} {
		var connections, heads, keys atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				heads.Add(1)
			}
			if r.Header.Get("Authorization") != "" && r.Method == http.MethodHead {
				keys.Add(1)
			}
		}))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		}
		if server.EnableHTTP2 = protocol == overHTTP2; protocol == overPlain {
			server.Start()
		} else {
			server.StartTLS()
		}
		t.Setenv("WEIR_WARM_KEY", "sk-warm")
		client := provision(t, &Config{
			BaseURL: server.URL, WarmConnections: 5, APIKey: "{env.WEIR_WARM_KEY}",
			TransportRaw: json.RawMessage(`{"protocol":"http","tls":{"insecure_skip_verify":true}}`),
		})
		if err := client.warm(t.Context(), client.warmth.connections); err != nil {
			t.Fatal(err)
		}
		before := connections.Load()
		if protocol != overHTTP2 && before != 5 || before < 1 || heads.Load() != 5 || keys.Load() != 0 {
			t.Errorf("%s: %d connections, %d requests, %d with a key", protocol, before, heads.Load(), keys.Load())
		}
		if _, err := post(t, client); err != nil || connections.Load() != before {
			t.Errorf("%s: the call opened %d connections, %v", protocol, connections.Load()-before, err)
		}
		server.Close()
	}
	ln := scripttest.Listen(t, "127.0.0.1:0")
	_ = ln.Close()
	client := provision(t, &Config{BaseURL: "http://" + ln.Addr().String(), WarmConnections: 3})
	if err := client.warm(t.Context(), 3); err == nil {
		t.Error("nobody was there, and that was no error")
	}
	client.Warm()
	client.Warm()
}

// TestWarmEndsWithItsConfiguration holds that a reload does not wait for an
// upstream that does not answer.
func TestWarmEndsWithItsConfiguration(t *testing.T) {
	gone := make(chan struct{})
	s := scripttest.Serve(t, func(_ int64, c net.Conn, _ *bufio.Reader) {
		_, _ = io.Copy(io.Discard, c)
		close(gone)
	})
	client := provision(t, &Config{BaseURL: s.URL(), WarmConnections: 1})
	client.Warm()
	s.Accepted.Wait(t, 1)
	if err := client.Cleanup(); err != nil {
		t.Fatal(err)
	}
	<-gone
}

// valve is a TCP proxy whose connections can be made to carry nothing more.
type valve struct {
	address string
	shut    atomic.Bool
	closed  chan struct{} // the client has closed a connection that was shut
}

func newValve(t *testing.T, to string) *valve {
	v := &valve{closed: make(chan struct{}, 10)}
	s := scripttest.Serve(t, func(n int64, c net.Conn, _ *bufio.Reader) {
		up, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		pipe := func(dst, src net.Conn) {
			buf := make([]byte, 4096)
			for {
				k, err := src.Read(buf)
				if err != nil {
					return
				}
				if n == 1 && v.shut.Load() {
					continue // lost
				}
				if _, err := dst.Write(buf[:k]); err != nil {
					return
				}
			}
		}
		var back sync.WaitGroup
		back.Go(func() { pipe(c, up) })
		pipe(up, c)
		if n == 1 {
			v.closed <- struct{}{}
		}
		_ = up.Close()
		back.Wait()
	})
	v.address = s.Addr().String()
	return v
}

// TestDeadConnection holds that an HTTP/2 connection which carries nothing any
// more is found out, while it is idle and while it is used.
func TestDeadConnection(t *testing.T) {
	for _, idle := range []bool{true, false} {
		a := newAuthority(t)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
		server.EnableHTTP2 = true
		server.TLS = &tls.Config{Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", time.Now().Add(time.Hour))}}
		server.StartTLS()
		v := newValve(t, server.Listener.Addr().String())
		client := provision(t, &Config{BaseURL: "https://" + v.address, TransportRaw: a.transport()})
		h2 := client.transport.current.Load().std.HTTP2
		h2.SendPingTimeout, h2.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
		if got, err := post(t, client); got != "HTTP/2.0" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		v.shut.Store(true)
		if idle {
			<-v.closed
		} else if _, err := post(t, client); err != nil {
			// Who is told depends on whether the ping or the call was first; the
			// call must not hang until its context ends.
			checkError(t, err, wire.KindUpstream, gateway.PhaseRoundTrip, closedMessage)
		}
		if got, err := post(t, client); got != "HTTP/2.0" || err != nil {
			t.Errorf("idle %v: %q, %v", idle, got, err)
		}
		server.CloseClientConnections()
		server.Close()
	}
}
