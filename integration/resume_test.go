package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/inflight"
	tapes "github.com/weirproxy/weir/internal/replay"
	"github.com/weirproxy/weir/wire"
)

// withIDs is a stream as a client gets it that can come back to it.
func withIDs(stream string) string {
	var b []byte
	for n, rest := uint64(1), []byte(stream); len(rest) > 0; n++ {
		var event []byte
		event, rest = tapes.Cut(rest)
		b = tapes.AppendNumbered(b, event, n)
	}
	return string(b)
}

// eventsOf counts the events of a stream.
func eventsOf(stream string) int { return strings.Count(withIDs(stream), "id: ") }

// comer is a client that may leave and come back.
type comer struct {
	rt             http.RoundTripper
	url, body, id  string
	header         http.Header
	got            []byte // whole events
	res            *http.Response
	leave          context.CancelFunc
	partial, piece []byte
}

func (r *rig) comer(t *testing.T, d *door, id string) *comer {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &comer{rt: transport, url: r.URL + d.path, body: d.body, id: id, header: http.Header{}, piece: make([]byte, 4096)}
}

// last is the number of the last event that came.
func (c *comer) last() int {
	i := bytes.LastIndex(c.got, []byte("id: "))
	if i < 0 {
		return 0
	}
	line, _, _ := bytes.Cut(c.got[i+4:], []byte("\n"))
	n, _ := strconv.Atoi(string(line))
	return n
}

// open asks for the stream, or comes back to it.
func (c *comer) open(method string, back bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c.leave = cancel
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url, body)
	if err != nil {
		return err
	}
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", c.id)
	req.Header.Set("X-AI-Resume", "on")
	if back {
		req.Header.Set("Last-Event-ID", strconv.Itoa(c.last()))
	}
	c.partial = nil
	c.res, err = c.rt.RoundTrip(req)
	return err
}

// read reads something; events that did not come to their end are lost.
func (c *comer) read() error {
	n, err := c.res.Body.Read(c.piece)
	c.partial = append(c.partial, c.piece[:n]...)
	for len(c.partial) > 0 {
		event, rest := tapes.Cut(c.partial)
		if !bytes.HasSuffix(event, []byte("\n\n")) && !bytes.HasSuffix(event, []byte("\r\n\r\n")) {
			break
		}
		c.got = append(c.got, event...)
		c.partial = rest
	}
	return err
}

func (c *comer) close() {
	c.leave()
	_ = c.res.Body.Close()
}

// until reads until so many events have come.
func (c *comer) until(t *testing.T, events int) {
	t.Helper()
	for c.last() < events {
		if err := c.read(); err != nil && c.last() < events {
			t.Fatalf("after %d of %d events: %v", c.last(), events, err)
		}
	}
}

// rest reads to the end and returns how that came.
func (c *comer) rest() error {
	for {
		if err := c.read(); err != nil {
			c.close()
			return err
		}
	}
}

func (c *comer) mustOpen(t *testing.T, method string, back bool) {
	t.Helper()
	if err := c.open(method, back); err != nil {
		t.Fatal(err)
	}
	if c.res.StatusCode != http.StatusOK || c.res.Header.Get("X-AI-Resume") != "on" || c.res.Header.Get("X-Request-Id") != c.id {
		body, _ := io.ReadAll(c.res.Body)
		t.Fatalf("status %d, header %v: %s", c.res.StatusCode, c.res.Header, body)
	}
}

var resumptions atomic.Int64

// freshID is a request id that no other test has used: what is kept outlives its
// gateway.
func freshID() string { return fmt.Sprintf("req-resume-%d", resumptions.Add(1)) }

// TestResume leaves in the middle of a stream, comes back by POST and by GET, and once
// more when it is over.
func TestResume(t *testing.T) {
	for _, d := range doors {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			t.Run(d.name+"/"+method, func(t *testing.T) {
				rig := newRig(t, d, "", "resume 1m")
				s := newScript()
				rig.answers(s.answer)
				c := rig.comer(t, d, freshID())
				go func() { s.steps <- d.prelude + d.words(1) }()
				c.mustOpen(t, http.MethodPost, false)
				first := eventsOf(d.prelude + d.words(1))
				c.until(t, first)
				c.close()
				for range 20 {
					s.send(t, d.words(1)) // nobody is there, and the upstream is read
				}
				c.mustOpen(t, method, true)
				c.until(t, first+20)
				s.send(t, d.finish+d.hidden+d.end)
				close(s.steps)
				if err := c.rest(); !errors.Is(err, io.EOF) {
					t.Errorf("the end: %v", err)
				}
				want := withIDs(d.prelude + strings.Repeat(d.words(1), 21) + d.finish + d.end)
				if diff := cmp.Diff(want, string(c.got)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				rig.checkRecord(t, complete(d))
				// The end may have been lost as well.
				i := strings.Index(want, "id: "+strconv.Itoa(first+1)+"\n")
				c.got = []byte(want[:i])
				c.mustOpen(t, method, true)
				if err := c.rest(); !errors.Is(err, io.EOF) || string(c.got) != want {
					t.Errorf("again: %v\n%s", err, cmp.Diff(want, string(c.got)))
				}
				if n, calls := len(rig.Records.All()), len(rig.upstreamCalls()); n != 1 || calls != 1 {
					t.Errorf("%d records, %d calls", n, calls)
				}
			})
		}
	}
}

// TestResumeAtRandom joins 100 streams of clients that leave again and again.
func TestResumeAtRandom(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "stream_metadata off\nresume 1m\nresume_buffer 64KiB")
	const words = 200
	rig.answers(func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, d.prelude)
		for i := range words {
			_, _ = fmt.Fprintf(w, d.word, " word"+strconv.Itoa(i))
			if i%7 == 0 {
				weirtest.Flush(w)
			}
		}
		_, _ = io.WriteString(w, d.finish+d.hidden+d.end)
	})
	want := withIDs(d.shown(words))
	var wg sync.WaitGroup
	var left atomic.Int64
	for i := range 100 {
		c := rig.comer(t, d, freshID())
		rnd := rand.New(rand.NewPCG(uint64(i), 3))
		wg.Go(func() {
			method := http.MethodPost
			for back := false; ; back = true {
				if err := c.open(method, back); err != nil || c.res.StatusCode != http.StatusOK {
					t.Errorf("coming back after %d: %v, %+v", c.last(), err, c.res)
					return
				}
				var err error
				for n := rnd.IntN(12); err == nil && n > 0; n-- {
					c.piece = c.piece[:1+rnd.IntN(cap(c.piece)-1)]
					err = c.read()
				}
				c.close()
				if errors.Is(err, io.EOF) {
					break
				}
				left.Add(1)
				if rnd.IntN(2) == 0 {
					method = http.MethodGet
				}
			}
			if string(c.got) != want {
				t.Errorf("stream %d:\n%s", i, cmp.Diff(want, string(c.got)))
			}
		})
	}
	wg.Wait()
	if left.Load() < 50 {
		t.Errorf("the clients left %d times only", left.Load())
	}
	rig.Records.Wait(t, 100)
	if n, calls := len(rig.Records.All()), len(rig.upstreamCalls()); n != 100 || calls != 100 {
		t.Errorf("%d records, %d calls", n, calls)
	}
}

// TestResumeOverProtocols comes back over every version of HTTP, and takes its
// own place, which ends the older answer abnormally.
func TestResumeOverProtocols(t *testing.T) {
	d := doors[0]
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			rig, rt := p.start(t, d, "resume 1m\nwrite_timeout 1h")
			s := newScript()
			rig.answers(s.answer)
			older := rig.comer(t, d, freshID())
			older.rt, older.url = rt, rig.URL+d.path
			go func() { s.steps <- d.prelude + d.words(2) }()
			older.mustOpen(t, http.MethodPost, false)
			older.until(t, 3)
			for range 2 { // the first is the call's own client, the second one that came back
				newer := *older
				newer.mustOpen(t, http.MethodGet, true)
				if err := older.rest(); err == nil || errors.Is(err, io.EOF) {
					t.Errorf("the older one ended with %v", err)
				}
				s.send(t, d.words(1))
				newer.until(t, newer.last()+1)
				older = &newer
			}
			older.close()
			older.mustOpen(t, http.MethodGet, true)
			s.send(t, d.finish+d.hidden+d.end)
			close(s.steps)
			if err := older.rest(); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			want := withIDs(d.prelude + d.words(2) + d.words(1) + d.words(1) + d.finish + d.end)
			if diff := cmp.Diff(want, string(older.got)); diff != "" {
				t.Error(diff)
			}
			rig.checkRecord(t, complete(d))
		})
	}
}

// TestResumeRefused holds that nobody else can come back to a stream, and that
// it looks like one that never was.
func TestResumeRefused(t *testing.T) {
	d := doors[0]
	s := newScript()
	g, _ := access(t, "key ci {env.CI_KEY}\nkey other {env.OTHER_KEY}", "ai_gateway {\nresume 1m\nresume_buffer 2KiB\n}", s.answer)
	rig := &rig{Gateway: g}
	c := rig.comer(t, d, freshID())
	c.header.Set("Authorization", "Bearer a-secret-of-ci-0001")
	go func() { s.steps <- d.prelude + d.words(60) }()
	c.mustOpen(t, http.MethodPost, false)
	c.until(t, 61)
	status := func(change func(c *comer)) (int, string) {
		t.Helper()
		other := *c
		other.header = c.header.Clone()
		change(&other)
		if err := other.open(http.MethodPost, true); err != nil {
			t.Fatal(err)
		}
		defer other.close()
		body, _ := io.ReadAll(other.res.Body)
		return other.res.StatusCode, strings.ReplaceAll(string(body), other.id, "")
	}
	unknown, body := status(func(c *comer) { c.id = "never-was" })
	if unknown != 404 || !strings.Contains(body, "no stream with this request id") {
		t.Errorf("unknown: %d %s", unknown, body)
	}
	for _, tt := range []struct {
		name   string
		change func(*comer)
		status int
		body   string
	}{
		{"another key", func(c *comer) { c.header.Set("Authorization", "Bearer a-secret-of-other-1") }, 404, body},
		{"another path", func(c *comer) { c.url = g.URL + "/x" + d.path }, 404, body},
		{"another site", func(c *comer) { c.url = strings.Replace(c.url, "127.0.0.1", "localhost", 1) }, 404, body},
		{"no key", func(c *comer) { c.header.Del("Authorization") }, 401, ""},
		{"a wrong key", func(c *comer) { c.header.Set("Authorization", "Bearer nonsense") }, 401, ""},
		{"too old", func(c *comer) { c.got = []byte("id: 1\n") }, 400, "no longer available"},
		{"too new", func(c *comer) { c.got = []byte("id: 1000\n") }, 400, "has no event 1000"},
	} {
		if got, body := status(tt.change); got != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%s: %d %s", tt.name, got, body)
		}
	}
	s.send(t, d.finish+d.hidden+d.end)
	close(s.steps)
	if err := c.rest(); !errors.Is(err, io.EOF) || string(c.got) != withIDs(d.shown(60)) {
		t.Errorf("the stream was disturbed: %v", err)
	}
	for _, r := range g.Records.All() {
		if r.Status == http.StatusOK && r.RequestID != c.id {
			t.Errorf("a record of a client that came back: %+v", r)
		}
	}
}

// TestResumeOff leaves streams alone whose site or client did not ask.
func TestResumeOff(t *testing.T) {
	d := doors[0]
	for _, tt := range []struct{ name, site, header, says string }{
		{"not the site", "", "X-AI-Resume: on", ""},
		{"not the client", "resume 1m", "X-Other: 1", ""},
		{"the client says off", "resume 1m", "X-AI-Resume: off", ""},
		{"off", "resume off", "X-AI-Resume: on", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig := newRig(t, d, "", tt.site)
			rig.answers(events(d.stream(3)))
			got := rig.ask(t, d.path, d.body, tt.header)
			checkReply(t, &reply{status: 200, body: d.shown(3)}, got)
			if says := got.header.Get("X-AI-Resume"); says != tt.says {
				t.Errorf("X-AI-Resume %q", says)
			}
			rig.checkRecord(t, complete(d))
		})
	}
}

// TestResumeOver cancels the upstream when nobody has come back in time, charges
// what came, and leaves nothing to come back to.
func TestResumeOver(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "resume 300ms")
	ended := make(chan struct{})
	var at time.Time
	rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
		stallAfter(d.prelude+d.words(3))(w, r)
		at = time.Now()
		close(ended)
	})
	c := rig.comer(t, d, freshID())
	c.mustOpen(t, http.MethodPost, false)
	c.until(t, 4)
	left := time.Now()
	c.close()
	if !weirtest.Within(ended) {
		t.Fatal("the upstream's call goes on")
	}
	if took := at.Sub(left); took < 300*time.Millisecond {
		t.Errorf("cancelled after %v", took)
	}
	soon(t, left.Add(300*time.Millisecond), ended)
	record := rig.record(t)
	if !record.ClientGone || record.Status != 200 || record.Usage.Output == 0 {
		t.Errorf("record %+v", ledgerOf(record))
	}
	if err := c.open(http.MethodGet, true); err != nil || c.res.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %+v", err, c.res)
	}
	c.close()
}

// TestResumeFull stops to read the upstream when what is kept is full and nobody is
// there, and goes on when the client has come back. Then idle_timeout counts again.
func TestResumeFull(t *testing.T) {
	t.Run("to its end", func(t *testing.T) { resumeFull(t, false) })
	t.Run("falls silent", func(t *testing.T) { resumeFull(t, true) })
}

// resumeFull lets the upstream end its answer, or say no more.
func resumeFull(t *testing.T, silent bool) {
	d := doors[0]
	rig := newRig(t, d, "", "resume 1m\nresume_buffer 64KiB\nidle_timeout 500ms")
	const words = 100_000 // 15 MB, more than any socket takes
	var written atomic.Int64
	gone := make(chan struct{})
	rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, d.prelude)
		for range words {
			_, _ = io.WriteString(w, d.words(1))
			if written.Add(1) == 1 {
				weirtest.Flush(w)
				select {
				case <-gone: // or more would be lost on its way than is kept
				case <-r.Gone:
					return
				}
			}
		}
		if silent {
			weirtest.Flush(w)
			<-r.Gone
			return
		}
		_, _ = io.WriteString(w, d.finish+d.hidden+d.end)
	})
	c := rig.comer(t, d, freshID())
	c.mustOpen(t, http.MethodPost, false)
	c.until(t, 2)
	c.close()
	close(gone)
	stood := int64(-1)
	eventually(t, "a standstill", func() bool {
		before := stood
		stood = written.Load()
		time.Sleep(150 * time.Millisecond) // that nothing happens cannot be waited for
		return before == stood
	})
	if stood >= words {
		t.Fatal("the upstream was read to its end")
	}
	time.Sleep(700 * time.Millisecond) // for longer than idle_timeout, which must not count
	c.mustOpen(t, http.MethodGet, true)
	for {
		if err := c.read(); err != nil {
			if errors.Is(err, io.EOF) == silent || errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			break
		}
		if len(c.got) > 1<<20 { // all of them would be slow to put together
			c.got = c.got[len(c.got)-1<<10:]
		}
	}
	if silent {
		if record := rig.record(t); record.Error != gateway.ErrIdle.Kind.String() || record.Phase != gateway.ErrIdle.Phase {
			t.Errorf("record %+v", record)
		}
		return
	}
	if c.last() != words+3 {
		t.Errorf("%d events came", c.last())
	}
	rig.checkRecord(t, complete(d))
}

// TestResumeLease holds a place under a limit on concurrency while the client is
// away, and settles its tokens once.
func TestResumeLease(t *testing.T) {
	d := doors[0]
	s := newScript()
	g, _ := access(t, "key ci {env.CI_KEY} {\nlimit concurrency 1\nlimit tokens 100000 1h\n}", "ai_gateway {\nresume 1m\n}", s.answer)
	c := (&rig{Gateway: g}).comer(t, d, freshID())
	const key = "a-secret-of-ci-0001"
	c.header.Set("Authorization", "Bearer "+key)
	go func() { s.steps <- d.prelude + d.words(1) }()
	c.mustOpen(t, http.MethodPost, false)
	c.until(t, 2)
	c.close()
	s.send(t, d.words(1))
	if status, _, body := askWith(t, g, d.path, key, hi); status != 429 {
		t.Errorf("status %d: %s", status, body)
	}
	c.mustOpen(t, http.MethodGet, true) // takes no place
	s.send(t, d.finish+d.hidden+d.end)
	close(s.steps)
	if err := c.rest(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	g.Records.Wait(t, 2)
	_, _, refusal := askWith(t, g, d.path, key, strings.Replace(hi, "20", "100000000", 1))
	if !strings.Contains(refusal, "used 28,") {
		t.Errorf("want 28 tokens used: %s", refusal)
	}
}

// TestResumeReload comes back under another configuration, to a stream whose
// upstream then breaks it off.
func TestResumeReload(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "resume 1m")
	s := newScript()
	rig.answers(s.answer)
	c := rig.comer(t, d, freshID())
	go func() { s.steps <- d.prelude + d.words(1) }()
	c.mustOpen(t, http.MethodPost, false)
	c.until(t, 2)
	c.close()
	if err := rig.Load("", rig.config(d, ""), "ai_gateway {\nresume 2m\n}"); err != nil {
		t.Fatal(err)
	}
	s.send(t, d.words(1))
	c.mustOpen(t, http.MethodGet, true)
	c.until(t, 3)
	s.send(t, d.failure)
	close(s.steps)
	if err := c.rest(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a broken stream ended with %v", err)
	}
	want := withIDs(d.prelude + d.words(1) + d.words(1) + d.failure)
	if diff := cmp.Diff(want, string(c.got)); diff != "" {
		t.Error(diff)
	}
	if record := rig.record(t); record.Error != wire.KindUpstream.String() {
		t.Errorf("record %+v", ledgerOf(record))
	}
}

// TestResumeExit settles a stream whose client is away when the process exits, and
// tells the client that comes back.
func TestResumeExit(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "resume 1m")
	rig.answers(stallAfter(d.prelude + d.words(1)))
	c := rig.comer(t, d, freshID())
	c.mustOpen(t, http.MethodPost, false)
	c.until(t, 2)
	c.close()
	inflight.Process.Drain(t.Context(), 0, patience, gateway.ErrShutdown)
	if record := rig.record(t); record.Error != wire.KindOverloaded.String() || record.Phase != "shutdown" || record.Usage.Output == 0 {
		t.Errorf("record %+v", ledgerOf(record))
	}
	c.mustOpen(t, http.MethodGet, true)
	if err := c.rest(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("ended with %v", err)
	}
	want := withIDs(d.prelude + d.words(1) + strings.ReplaceAll(d.errorEvent(gateway.ErrShutdown, 1), requestID, c.id))
	if diff := cmp.Diff(want, string(c.got)); diff != "" {
		t.Error(diff)
	}
}

// TestResumeShapes leaves streams that are translated and that end with metadata,
// whose ids count the events that the client sees, and comments, which have none.
func TestResumeShapes(t *testing.T) {
	for _, upstream := range doors {
		if upstream.provider == doors[0].provider {
			continue // nothing is translated there
		}
		t.Run(upstream.name, func(t *testing.T) {
			rig := newRig(t, upstream, "", "resume 1m\nstream_metadata on\nheartbeat 50ms")
			s := newScript()
			rig.answers(s.answer)
			c := rig.comer(t, doors[0], freshID())
			go func() { s.steps <- upstream.prelude + upstream.words(2) }()
			c.mustOpen(t, http.MethodPost, false)
			for !strings.Contains(string(c.got), "word1") {
				if err := c.read(); err != nil {
					t.Fatal(err)
				}
			}
			for !strings.Contains(string(c.partial), ": keep-alive\n") { // not in a block of its own
				if err := c.read(); err != nil {
					t.Fatal(err)
				}
			}
			c.close()
			s.send(t, ": a comment\n\n"+upstream.words(1)+upstream.finish+upstream.hidden+upstream.end)
			close(s.steps)
			c.mustOpen(t, http.MethodGet, true)
			if err := c.rest(); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			text, n := string(c.got), 0
			for rest := c.got; len(rest) > 0; n++ {
				var event []byte
				event, rest = tapes.Cut(rest)
				if !strings.Contains(string(event), "id: "+strconv.Itoa(n+1)+"\n") || !tapes.HasData(event) {
					t.Errorf("event %d: %q", n+1, event)
				}
			}
			if strings.Count(text, "word0") != 2 || strings.Count(text, `"request_id":`) != 1 || strings.Count(text, "[DONE]") != 1 || strings.Contains(text, "a comment") {
				t.Errorf("got %s", text)
			}
			rig.record(t)
		})
	}
}
