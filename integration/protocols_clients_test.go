package integration

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

// call makes a request that may fail, of a body whose length is not told.
func call(ctx context.Context, rt http.RoundTripper, url, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, struct{ io.Reader }{strings.NewReader(body)})
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return rt.RoundTrip(req)
}

// TestClientGoneOverProtocols leaves before anything was answered, in every version
// of HTTP: the upstream is told, and the call is charged.
func TestClientGoneOverProtocols(t *testing.T) {
	for _, p := range protocols {
		for _, d := range doors {
			rig, rt := p.start(t, d, "")
			for name, body := range map[string]string{"whole": d.whole, "stream": d.body} {
				t.Run(p.name+"/"+d.name+"/"+name, func(t *testing.T) {
					arrived, ended := make(chan struct{}), make(chan struct{})
					rig.answers(func(_ http.ResponseWriter, r *weirtest.Request) {
						defer close(ended)
						close(arrived)
						<-r.Gone
					})
					ctx, leave := context.WithTimeout(t.Context(), patience)
					defer leave()
					failed := make(chan error, 1)
					go func() {
						res, err := call(ctx, rt, rig.URL+d.pathOf(body), body)
						if err == nil {
							_ = res.Body.Close()
						}
						failed <- err
					}()
					if !weirtest.Within(arrived) {
						t.Fatal("no upstream call")
					}
					since := time.Now()
					leave()
					soon(t, since, ended)
					if err := <-failed; err == nil {
						t.Error("there was an answer")
					}
					rig.checkRecord(t, ledger{Status: 499, Error: "client_gone", Gone: true, Attempts: 1, Source: gateway.SourceEstimated, Input: d.prompt})
				})
			}
		}
	}
}

// TestSlowReaderOverProtocols holds that who reads nothing of a stream is waited for
// no longer than write_timeout, costs no more than its window, and keeps none waiting
// that shares its connection.
func TestSlowReaderOverProtocols(t *testing.T) {
	d := doors[0]
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			rig, rt := p.start(t, d, "write_timeout 1s")
			ended := make(chan struct{})
			var sent atomic.Int64
			burst := strings.Repeat(d.words(1), 200)
			slow := func(w http.ResponseWriter, _ *weirtest.Request) {
				defer close(ended)
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, d.prelude)
				for {
					n, err := io.WriteString(w, burst)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			}
			quick := events(d.stream(2))
			var calls atomic.Int64
			rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
				if calls.Add(1) == 1 {
					slow(w, r)
					return
				}
				quick(w, r)
			})
			ctx, leave := context.WithTimeout(t.Context(), patience)
			defer leave()
			res, err := call(ctx, rt, rig.URL+d.path, d.body)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			other, err := call(ctx, rt, rig.URL+d.path, d.body)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(other.Body); err != nil || string(body) != d.shown(2) {
				t.Errorf("beside it: %v, %q", err, body)
			}
			_ = other.Body.Close()
			if !weirtest.Within(ended) {
				t.Fatal("the upstream was not told")
			}
			// Windows and sockets' buffers on both sides, but not all that there is.
			if n := sent.Load(); n > 64<<20 {
				t.Errorf("the upstream could send %d bytes", n)
			}
			var slowly *gateway.Record
			for _, record := range rig.Records.Wait(t, 2) {
				if record.ClientGone {
					slowly = record
				}
			}
			if slowly == nil || slowly.Phase != gateway.PhaseClientWrite || slowly.UsageSource != gateway.SourceEstimated || slowly.Usage.Output == 0 {
				t.Errorf("record %+v", slowly)
			}
		})
	}
}

// TestRapidReset opens and resets streams as fast as it can: what is in flight is
// settled, and whoever comes next is served.
func TestRapidReset(t *testing.T) {
	d := doors[0]
	for _, p := range protocols[1:] {
		t.Run(p.name, func(t *testing.T) {
			rig, rt := p.start(t, d, "")
			served := func() {
				t.Helper()
				rig.answers(events(d.stream(2)))
				ctx, leave := context.WithTimeout(t.Context(), patience)
				defer leave()
				res, err := call(ctx, rt, rig.URL+d.path, d.body)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if body, err := io.ReadAll(res.Body); err != nil || string(body) != d.shown(2) {
					t.Errorf("%v, %q", err, body)
				}
				// Others may be answered now whose resets have not been written yet.
				eventually(t, "its record", func() bool {
					return slices.ContainsFunc(rig.Records.All(), func(r *gateway.Record) bool {
						return r.RequestID == res.Header.Get("X-Request-Id") && r.Status == http.StatusOK && !r.ClientGone
					})
				})
			}
			served() // so that there is a connection
			var open atomic.Int64
			rig.answers(func(_ http.ResponseWriter, r *weirtest.Request) {
				open.Add(1)
				<-r.Gone
				open.Add(-1)
			})
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					for range 20 {
						ctx, leave := context.WithCancel(t.Context())
						go leave()
						if res, err := call(ctx, rt, rig.URL+d.path, d.body); err == nil {
							_ = res.Body.Close()
						}
					}
				})
			}
			all.Wait()
			eventually(t, "the end of all upstream calls", func() bool { return open.Load() == 0 })
			served()
		})
	}
}

// TestHopByHop holds that nothing which an upstream says of its own connection, or
// wants a client to keep, comes to clients, in any version of HTTP.
func TestHopByHop(t *testing.T) {
	d := doors[0]
	hops := "Connection: x-hop, close\r\nX-Hop: upstream-secret\r\nKeep-Alive: timeout=upstream-secret\r\nProxy-Connection: upstream-secret\r\nProxy-Authenticate: upstream-secret\r\nTrailer: X-Trail\r\nUpgrade: upstream-secret\r\n" +
		"Set-Cookie: a=upstream-secret\r\nAlt-Svc: h3=\"upstream-secret:443\"\r\nLocation: /upstream-secret\r\nWww-Authenticate: upstream-secret\r\n"
	trailer := "0\r\nX-Trail: upstream-secret\r\nContent-Length: 1\r\n\r\n"
	for _, p := range protocols {
		rig, rt := p.start(t, d, "")
		for name, answer := range map[string]struct {
			body, raw string
			status    int
		}{
			"stream": {d.body, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n" + hops + "\r\n" + chunked(d.stream(2)) + trailer, 200},
			"whole":  {d.whole, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + hops + "\r\n" + chunked(d.answer) + trailer, 200},
			"error":  {d.whole, "HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + hops + "\r\n" + chunked(d.errorBody) + trailer, 400},
			"moved":  {d.whole, "HTTP/1.1 307 Moved\r\nContent-Length: 0\r\n" + hops + "\r\n", 502},
			"switch": {d.whole, "HTTP/1.1 101 Switching Protocols\r\n" + hops + "\r\n", 502},
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				rig.answers(func(w http.ResponseWriter, _ *weirtest.Request) {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return
					}
					_, _ = io.WriteString(conn, answer.raw)
					_ = conn.Close()
				})
				ctx, leave := context.WithTimeout(t.Context(), patience)
				defer leave()
				res, err := call(ctx, rt, rig.URL+d.pathOf(answer.body), answer.body)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != answer.status || strings.Contains(string(body), "upstream-secret") {
					t.Errorf("status %d, %v, %q", res.StatusCode, err, body)
				}
				for _, h := range []http.Header{res.Header, res.Trailer} {
					for name, values := range h {
						if strings.Contains(strings.Join(values, " "), "upstream-secret") {
							t.Errorf("the client saw %s", name)
						}
					}
				}
				for _, name := range []string{"Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Trailer", "Proxy-Connection"} {
					if v, ok := res.Header[name]; ok {
						t.Errorf("%s: %q", name, v)
					}
				}
				rig.record(t)
			})
		}
	}
}
