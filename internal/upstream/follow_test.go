package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
	"github.com/weirproxy/weir/wire"
)

// place is a server at one of the addresses of a name.
type place struct {
	*httptest.Server
	open    waittest.Count
	release chan struct{}
}

func newPlace(t *testing.T, address string) *place {
	t.Helper()
	p := &place{release: make(chan struct{})}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr).IP.String())
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-p.release:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, " end")
		}
	}))
	_ = p.Listener.Close()
	p.Listener = scripttest.Listen(t, address)
	p.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			p.open.Add(1)
		case http.StateClosed:
			p.open.Add(-1)
		}
	}
	p.Start()
	t.Cleanup(func() {
		p.CloseClientConnections() // streams that a failed test left
		p.Close()
	})
	return p
}

// stream begins a call whose answer does not end by itself.
func stream(t *testing.T, client *Client) *http.Response {
	t.Helper()
	res, err := client.Do(t.Context(), &gateway.Call{Operation: wire.Chat, Path: "/stream", Method: http.MethodPost, Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestNameThatMoves holds that calls follow a name to its new address in a
// bounded number of lookups, that streams end where they began, and that no
// connection is left there.
func TestNameThatMoves(t *testing.T) {
	one := newPlace(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(one.Listener.Addr().String())
	two := newPlace(t, "127.0.0.2:"+port)
	dns := newNameserver(t, "127.0.0.1")
	client := provision(t, &Config{BaseURL: "http://Up.example:" + port, TransportRaw: json.RawMessage(
		fmt.Sprintf(`{"protocol":"http","resolver":{"addresses":[%q]}}`, dns.address))})
	ticks := make(chan time.Time)
	client.transport.tick = func() (<-chan time.Time, func()) { return ticks, func() {} }
	look := func(times int) {
		for range times + 1 { // the next begins when the one before is over
			ticks <- time.Time{}
		}
	}
	at := func(want string) {
		t.Helper()
		if got, err := post(t, client); got != want || err != nil {
			t.Fatalf("answered at %q, %v, want %s", got, err, want)
		}
	}
	held := stream(t, client)
	at("127.0.0.1")
	look(2 * goneAfter)
	if n := one.open.Load(); n != 2 {
		t.Fatalf("%d connections while the name stays, want 2", n)
	}

	// A few lookups without the address are not enough, nor is a resolver that
	// fails.
	dns.set("127.0.0.2")
	look(goneAfter - 2)
	dns.set("127.0.0.2", "127.0.0.1")
	look(1)
	dns.set()
	look(2 * goneAfter)
	at("127.0.0.1")

	dns.set("127.0.0.2")
	look(goneAfter)
	at("127.0.0.2")
	one.open.Wait(t, 1)
	close(one.release)
	if data, err := io.ReadAll(held.Body); string(data) != "127.0.0.1 end" || err != nil {
		t.Errorf("the stream: %q, %v", data, err)
	}
	_ = held.Body.Close()
	one.open.Wait(t, 0)
	at("127.0.0.2")
	if n := two.open.Load(); n != 1 {
		t.Errorf("%d connections at the new address, want 1", n)
	}
}

// TestTransportOfAConfiguration holds that one which cannot be made again
// closes what is idle, and stays.
func TestTransportOfAConfiguration(t *testing.T) {
	one := newPlace(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(one.Listener.Addr().String())
	dns := newNameserver(t, "127.0.0.1")
	t.Setenv("WEIR_NOTHING", "x")
	client := provision(t, &Config{BaseURL: "http://up.example:" + port, TransportRaw: json.RawMessage(
		fmt.Sprintf(`{"protocol":"http","resolver":{"addresses":[%q]},"tls":{"server_name":"{env.WEIR_NOTHING}"}}`, dns.address))})
	if _, err := post(t, client); err != nil {
		t.Fatal(err)
	}
	g := client.transport.current.Load()
	client.transport.lookup = func(context.Context, string) ([]string, error) { return nil, errors.New("down") }
	for range 2 * goneAfter {
		client.transport.check()
	}
	if n := one.open.Load(); n != 1 {
		t.Fatalf("%d connections", n)
	}
	client.transport.lookup = func(context.Context, string) ([]string, error) { return []string{"127.0.0.9"}, nil }
	for range goneAfter {
		client.transport.check()
	}
	one.open.Wait(t, 0)
	if client.transport.current.Load() != g {
		t.Error("there is another")
	}
}
