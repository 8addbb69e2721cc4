package integration

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

// script is an upstream that a test leads step by step: it writes what is
// sent to it, flushes, and ends the answer when the channel is closed.
type script struct {
	steps chan string
	gone  chan struct{} // closed when the upstream has seen the caller leave
}

func newScript() *script {
	return &script{steps: make(chan string), gone: make(chan struct{})}
}

// answer is the script's answerer. An empty step sends the headers alone.
func (s *script) answer(w http.ResponseWriter, r *weirtest.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		select {
		case step, ok := <-s.steps:
			if !ok {
				return
			}
			_, _ = io.WriteString(w, step)
			weirtest.Flush(w)
		case <-r.Gone:
			close(s.gone)
			return
		}
	}
}

func (s *script) send(t *testing.T, step string) {
	t.Helper()
	select {
	case s.steps <- step:
	case <-s.gone:
		t.Fatal("the upstream call has ended already")
	}
}

// reader reads a body piece by piece.
type reader struct {
	body io.Reader
	got  strings.Builder
}

// until reads as much as want has, which must be what comes.
func (r *reader) until(t *testing.T, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	n, err := io.ReadFull(r.body, buf)
	r.got.Write(buf[:n])
	if err != nil || string(buf) != want {
		t.Fatalf("error %v (-want +got):\n%s", err, cmp.Diff(want, string(buf[:n])))
	}
}

// TestLockstep holds the upstream back until the client has seen the event
// before: an event that waits for the next one stops the test.
func TestLockstep(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			s := newScript()
			rig.answers(s.answer)
			c := dial(t, rig.Addr)
			c.post(t, d.path, d.body)
			s.send(t, d.prelude)
			s.send(t, d.words(1))
			res := c.response(t)
			r := &reader{body: res.Body}
			r.until(t, d.prelude+d.words(1))
			for range 30 {
				s.send(t, d.words(1))
				r.until(t, d.words(1))
			}
			// What is not passed on must not hold back what came with it.
			s.send(t, d.words(1)+"retry: 100\n\n")
			r.until(t, d.words(1))
			s.send(t, d.finish+d.hidden)
			r.until(t, d.finish)
			s.send(t, d.end)
			close(s.steps)
			r.until(t, d.end)
			if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
				t.Errorf("after the terminator: %q, %v", rest, err)
			}
			rig.checkRecord(t, complete(d))
			if got, want := res.Header.Get("Content-Type"), "text/event-stream"; !strings.HasPrefix(got, want) {
				t.Errorf("Content-Type %q", got)
			}
			if got := res.Header.Get("Cache-Control"); got != "no-cache, no-transform" {
				t.Errorf("Cache-Control %q", got)
			}
			if got := res.Header.Get("X-Accel-Buffering"); got != "no" {
				t.Errorf("X-Accel-Buffering %q", got)
			}
		})
	}
}

// TestOneWriteManyEvents keeps the order of events that arrive together.
func TestOneWriteManyEvents(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			rig.answers(events(d.stream(20)))
			checkReply(t, &reply{status: 200, body: d.shown(20)}, rig.ask(t, d.path, d.body))
			rig.checkRecord(t, complete(d))
		})
	}
}

// TestCommitPoint keeps what comes before the first content back, so that an
// upstream that fails then can be answered for with a status.
func TestCommitPoint(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			s := newScript()
			rig.answers(s.answer)
			c := dial(t, rig.Addr)
			c.post(t, d.path, d.body)
			s.send(t, d.prelude)
			s.send(t, ": still working\n\n")
			// Had the prelude been shown, the status could not change now.
			s.send(t, d.failure)
			close(s.steps)
			e := failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke")
			checkReply(t, errorReply(d, e), c.reply(t))
			rig.checkRecord(t, unseen(d, e, true))
		})
	}
}

// TestLongPrelude shows an upstream that says a lot before it says anything:
// what is kept back is bounded, and nothing of it is lost.
func TestLongPrelude(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	comments := strings.Repeat(": "+strings.Repeat("x", 1000)+"\n\n", 200)
	rig.answers(events(d.prelude + comments + d.words(2) + d.finish + d.hidden + d.end))
	checkReply(t, &reply{status: 200, body: d.prelude + comments + d.words(2) + d.finish + d.end}, rig.ask(t, d.path, d.body))
	if record := rig.checkRecord(t, complete(d)); record.Timings.FirstToken == 0 {
		t.Error("no time to first token")
	}
}

// TestIncludeUsage asks the upstream for the usage chunk and shows it to the
// clients that asked for it themselves.
func TestIncludeUsage(t *testing.T) {
	chat := doors[0]
	const asked = `,"stream_options":{"include_usage":true}}`
	for _, tt := range []struct {
		name, provider, path, body, upstream string
		shown                                bool
	}{
		{"not asked", "openai", chat.path, chat.body, strings.Replace(chat.body[:len(chat.body)-1]+asked, `"m"`, `"gpt-4o"`, 1), false},
		{"asked", "openai", chat.path, chat.body[:len(chat.body)-1] + asked, strings.Replace(chat.body[:len(chat.body)-1]+asked, `"m"`, `"gpt-4o"`, 1), true},
		{
			"refused", "openai", chat.path, `{"stream_options":{"include_usage":false},"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
			`{"stream_options":{"include_usage":true},"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}`, false,
		},
		{
			"null", "openai", chat.path, `{"stream_options":null,"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
			`{"stream_options":{"include_usage":true},"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}`, false,
		},
		{
			"other options", "openai", chat.path, `{"stream_options":{"include_obfuscation":false},"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
			`{"stream_options":{"include_obfuscation":false,"include_usage":true},"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}`, false,
		},
		{"server that refuses the option", "mistral", chat.path, chat.body, strings.Replace(chat.body, `"m"`, `"gpt-4o"`, 1), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := *chat
			d.provider = tt.provider
			rig := newRig(t, &d, "", "")
			rig.answers(events(d.stream(2)))
			want := d.shown(2)
			if tt.shown {
				want = d.stream(2)
			}
			checkReply(t, &reply{status: 200, body: want}, rig.ask(t, tt.path, tt.body))
			rig.checkRecord(t, complete(&d))
			if diff := cmp.Diff(tt.upstream, string(rig.upstreamCalls()[0].Body)); diff != "" {
				t.Errorf("upstream body (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMetadata puts the metadata event before the terminator.
func TestMetadata(t *testing.T) {
	times := regexp.MustCompile(`"(ttft|total)_ms":[0-9]+`)
	cost := regexp.MustCompile(`"cost_usd":0\.000[0-9]*[1-9]`)
	meta := fmt.Sprintf(`{"request_id":%q,"provider":"up","model":"MODEL","attempts":1,"input_tokens":21,"output_tokens":7,"cached_tokens":0,"reasoning_tokens":0,"ttft_ms":0,"total_ms":0,"cost_usd":COST}`, requestID)
	want := map[string]string{
		"chat":      `data: {"id":"chatcmpl-1","object":"","created":1,"model":"gpt-4o","choices":[],"ai_metadata":` + meta + "}\n\n",
		"responses": "event: keepalive\ndata: {\"type\":\"keepalive\",\"ai_metadata\":" + meta + "}\n\n",
		"messages":  "event: ping\ndata: {\"type\":\"ping\",\"ai_metadata\":" + meta + "}\n\n",
		"gemini":    `data: {"candidates":[],"modelVersion":"gemini-2.5-flash","responseId":"resp-1","aiMetadata":` + meta + "}\r\n\r\n",
	}
	for _, d := range doors {
		event := strings.Replace(want[d.name], "MODEL", d.model, 1)
		for _, tt := range []struct {
			name, site, header string
			on                 bool
		}{
			{"header", "", "X-AI-Metadata: on", true},
			{"site", "stream_metadata on", "X-Other: 1", true},
			{"neither", "", "X-AI-Metadata: off", false},
		} {
			t.Run(d.name+"/"+tt.name, func(t *testing.T) {
				rig := newRig(t, d, "", tt.site)
				rig.answers(events(d.stream(2)))
				got := rig.ask(t, d.path, d.body, tt.header)
				got.body = cost.ReplaceAllString(times.ReplaceAllString(got.body, `"${1}_ms":0`), `"cost_usd":COST`)
				body := d.shown(2)
				if tt.on {
					body = strings.TrimSuffix(body, d.end) + event + d.end
				}
				checkReply(t, &reply{status: 200, body: body}, got)
				rig.checkRecord(t, complete(d))
			})
		}
		t.Run(d.name+"/cut", func(t *testing.T) {
			rig := newRig(t, d, "", "stream_metadata on")
			rig.answers(cutAfter(d.prelude + d.words(2)))
			checkReply(t, &reply{status: 200, cut: true, body: d.prelude + d.words(2) + d.errorEvent(errBrokeOff, 2)}, rig.ask(t, d.path, d.body))
			rig.checkRecord(t, seenAfter(d, errBrokeOff, 2))
		})
	}
}

// TestUsageReports takes the last report that is not null, and adds none up.
func TestUsageReports(t *testing.T) {
	d := doors[0]
	usage := func(in, out int) string {
		return fmt.Sprintf(`,"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}`, in, out, in+out)
	}
	word := func(extra string) string {
		return chunk(`[{"index":0,"delta":{"content":" a"},"finish_reason":null}]` + extra)
	}
	for _, tt := range []struct {
		name, stream string
		want         wire.Usage
	}{
		{"null in every chunk", word(`,"usage":null`) + word(`,"usage":null`) + d.finish + d.hidden, wire.Usage{Input: 21, Output: 7}},
		{"first and last", word(usage(5, 0)) + word(`,"usage":null`) + d.finish + chunk(`[]`+usage(5, 2)), wire.Usage{Input: 5, Output: 2, CacheRead: 2, Reasoning: 1}},
		{"cumulative", word(usage(5, 1)) + word(usage(5, 2)) + word(usage(5, 3)) + d.finish, wire.Usage{Input: 5, Output: 3, CacheRead: 2, Reasoning: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			rig.answers(events(tt.stream + d.end))
			if got := rig.ask(t, d.path, d.body); got.status != 200 || got.cut {
				t.Errorf("status %d, %v", got.status, got.err)
			}
			record := rig.record(t)
			if diff := cmp.Diff(tt.want, record.Usage); diff != "" || record.UsageSource != gateway.SourceProvider {
				t.Errorf("source %s, usage (-want +got):\n%s", record.UsageSource, diff)
			}
		})
	}
}

// TestKeepAlive uses a client's connection again after every answer that
// ended properly.
func TestKeepAlive(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	c := dial(t, rig.Addr)
	for _, step := range []struct {
		answer answerer
		want   *reply
		record ledger
	}{
		{events(d.stream(2)), &reply{status: 200, body: d.shown(2)}, complete(d)},
		{whole(503, d.errorBody), &reply{status: 503, body: d.errorBody}, ledger{Status: 503, Error: "overloaded", Phase: "status", Attempts: 1, Source: gateway.SourceNone}},
		{cutAfter(d.prelude), errorReply(d, errBrokeOff), unseen(d, errBrokeOff, true)},
		{events(d.stream(3)), &reply{status: 200, body: d.shown(3)}, complete(d)},
	} {
		rig.answers(step.answer)
		c.post(t, d.path, d.body)
		checkReply(t, step.want, c.reply(t))
		rig.checkRecord(t, step.record)
	}
}
