package integration

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

// answerer is what an upstream does with a request.
type answerer func(w http.ResponseWriter, r *weirtest.Request)

// rig is a gateway with one upstream whose answers a test can change, so that
// a table of cases needs one start of Caddy only.
type rig struct {
	*weirtest.Gateway
	up     *weirtest.Upstream
	answer atomic.Pointer[answerer]
	calls  int // upstream calls that earlier cases made
	seen   int // records that earlier cases made
}

// newRig starts a gateway whose model `m` is one of provider; options is the
// inside of the model's block, site that of ai_gateway's.
func newRig(t *testing.T, d *door, options, site string) *rig {
	t.Helper()
	return newRigIn(t, d, options, "ai_gateway {\n"+site+"\n}")
}

// newRigIn is newRig with the whole inside of the site's block.
func newRigIn(t *testing.T, d *door, options, site string) *rig {
	t.Helper()
	return newRigWith(t, "", d, options, site)
}

// newRigWith is newRigIn with further global options.
func newRigWith(t *testing.T, global string, d *door, options, site string) *rig {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	r := &rig{}
	r.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, req *weirtest.Request) {
		(*r.answer.Load())(w, req)
	})
	r.Gateway = weirtest.StartWith(t, global, r.config(d, options), site)
	return r
}

func (r *rig) config(d *door, options string) string {
	return fmt.Sprintf("provider up %s {\nbase_url %s%s\napi_key {env.UPSTREAM_KEY}\n}\nmodel m up/%s {\n%s\n}", d.provider, r.up.URL, d.version(), d.model, options)
}

// answers sets what the upstream does from now on.
func (r *rig) answers(answer answerer) { r.answer.Store(&answer) }

// record waits for the one record that a case makes and fails when there are
// more.
func (r *rig) record(t *testing.T) *gateway.Record {
	t.Helper()
	r.seen++
	records := r.Records.Wait(t, r.seen)
	if n := len(r.Records.All()); n != r.seen {
		t.Errorf("%d records, want %d", n, r.seen)
		r.seen = n
	}
	return records[len(records)-1]
}

// upstreamCalls returns the calls since it was last asked.
func (r *rig) upstreamCalls() []*weirtest.Request {
	all := r.up.Requests()
	calls := all[r.calls:]
	r.calls = len(all)
	return calls
}

// events answers with an event stream of these bytes.
func events(stream string) answerer {
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, stream)
	}
}

// bytesOnWire answers with these bytes, of whatever they are made, and closes
// the connection, which an answer says.
func bytesOnWire(data string) answerer {
	if line, rest, ok := strings.Cut(data, "\r\n"); ok && strings.HasPrefix(line, "HTTP/1.1 ") {
		data = line + "\r\nConnection: close\r\n" + rest
	}
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, data)
		_ = conn.Close()
	}
}

// cutAfter sends a part of a stream and then ends the connection without the
// end of the body.
func cutAfter(stream string) answerer {
	return bytesOnWire(streamHead + chunked(stream))
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

func chunked(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%x\r\n%s\r\n", len(s), s)
}

// resetAfter is cutAfter with a TCP reset in place of an orderly close.
func resetAfter(stream string) answerer {
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, stream)
		weirtest.Flush(w)
		weirtest.Reset(w)
	}
}

// client is a raw HTTP/1.1 connection.
type client struct {
	conn net.Conn
	raw  bytes.Buffer // all that came
	br   *bufio.Reader
}

// patience bounds waits for things that must happen; nothing is timed by it.
const patience = 20 * time.Second

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	c := &client{conn: conn}
	c.br = bufio.NewReader(io.TeeReader(conn, &c.raw))
	return c
}

// post sends a request; headers are whole lines.
func (c *client) post(t *testing.T, path, body string, headers ...string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Request-Id: %s\r\n", path, len(body), requestID)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n" + body)
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		t.Fatal(err)
	}
}

// reply is an answer as it came over the socket.
type reply struct {
	status int
	header http.Header
	body   string
	cut    bool // the body ended abnormally
	err    error
}

// response reads the head of an answer; its body is read from res.Body.
func (c *client) response(t *testing.T) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatalf("reading response: %v (got %q)", err, c.raw.String())
	}
	return res
}

// reply reads a whole answer.
func (c *client) reply(t *testing.T) *reply {
	t.Helper()
	res := c.response(t)
	body, err := io.ReadAll(res.Body)
	rep := &reply{status: res.StatusCode, header: res.Header, body: string(body), cut: err != nil, err: err}
	if len(res.TransferEncoding) > 0 {
		// The same, seen on the wire itself.
		if last := bytes.HasSuffix(c.raw.Bytes(), []byte("\r\n0\r\n\r\n")); last == rep.cut {
			t.Errorf("last chunk on the wire: %v, but reading said %v", last, err)
		}
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		var network net.Error
		if errors.As(err, &network) && network.Timeout() {
			t.Fatalf("the answer did not end; got %q", body)
		}
	}
	return rep
}

// ask sends one request on a connection of its own.
func (r *rig) ask(t *testing.T, path, body string, headers ...string) *reply {
	t.Helper()
	c := dial(t, r.Addr)
	defer c.conn.Close()
	c.post(t, path, body, headers...)
	return c.reply(t)
}

// ledger is what tests compare of a record.
type ledger struct {
	Status        int
	Error, Phase  string
	Finish        string
	Source        string
	Input, Output int64
	Attempts      int
	Gone          bool
}

func ledgerOf(r *gateway.Record) ledger {
	return ledger{
		Status: r.Status, Error: r.Error, Phase: r.Phase, Finish: r.FinishReason, Source: r.UsageSource,
		Input: r.Usage.Input, Output: r.Usage.Output, Attempts: r.Attempts, Gone: r.ClientGone,
	}
}

// checkRecord compares the case's record. Claude's and Gemini's vocabularies
// are not public, so estimates for them need only be near.
func (r *rig) checkRecord(t *testing.T, want ledger) *gateway.Record {
	t.Helper()
	record := r.record(t)
	got := ledgerOf(record)
	private := strings.Contains(record.UpstreamModel, "claude") || strings.HasPrefix(record.UpstreamModel, "gemini")
	if private && got.Source == gateway.SourceEstimated {
		if near(got.Input, want.Input) {
			got.Input = want.Input
		}
		if near(got.Output, want.Output) {
			got.Output = want.Output
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	return record
}

func near(got, want int64) bool { return 2*got >= want && got <= 2*want }

// errorReply is what a client sees of e when nothing else was sent.
func errorReply(d *door, e *gateway.Error) *reply {
	return &reply{status: e.Kind.Status(d.dialect), body: string(wire.ErrorBody(d.dialect, e.Failure(requestID)))}
}

func checkReply(t *testing.T, want, got *reply) {
	t.Helper()
	if got.status != want.status || got.cut != want.cut || got.body != want.body {
		t.Errorf("status %d, cut %v (%v), want %d, %v; body:\n%s", got.status, got.cut, got.err, want.status, want.cut, cmp.Diff(clip(want.body), clip(got.body)))
	}
	if id := got.header.Get("X-Request-Id"); id != requestID {
		t.Errorf("X-Request-Id %q", id)
	}
}

// clip keeps failures readable.
func clip(s string) string {
	if len(s) > 20000 {
		return fmt.Sprintf("%s … %d bytes … %s", s[:200], len(s), s[len(s)-200:])
	}
	return s
}

func failed(kind wire.Kind, phase, message string) *gateway.Error {
	return &gateway.Error{Kind: kind, Phase: phase, Message: message}
}
