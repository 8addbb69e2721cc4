package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

var (
	errBrokeOff   = failed(wire.KindUpstream, "stream", "the upstream broke off its answer")
	errIncomplete = failed(wire.KindUpstream, "stream", "the upstream ended the stream before it was complete")
	errMalformed  = failed(wire.KindUpstream, "stream", "the upstream sent a malformed event")
	errNoAnswer   = failed(wire.KindUpstream, "round_trip", "the upstream closed the connection before it answered")
	errNoStream   = failed(wire.KindUpstream, "content_type", "the upstream answered a request for a stream with something else")
	errHeaders    = failed(wire.KindUpstream, "round_trip", "the headers of the upstream's answer are too large")
	errAnswerCut  = failed(wire.KindUpstream, "answer", "the upstream broke off its answer")
	errTooLong    = failed(wire.KindUpstream, "stream", "the upstream sent an event of more than 16777216 bytes")
)

// usageAt is the usage of a record whose answer was cut after n words, none
// of which the vendor reported: the prompt as Weir counts it, two tokens for
// each word, unless the prelude told the prompt's.
func usageAt(d *door, n int) (source string, input, output int64) {
	input = d.prompt
	if d.preUsage {
		input = 21
		if n == 0 {
			return gateway.SourceProvider, input, 1
		}
	}
	return gateway.SourceEstimated, input, int64(2 * n)
}

// unseen is the record of a failure of which the client saw an HTTP status.
func unseen(d *door, e *gateway.Error, prelude bool) ledger {
	l := ledger{Status: e.Kind.Status(d.dialect), Error: e.Kind.String(), Phase: e.Phase, Attempts: 1, Source: gateway.SourceEstimated, Input: d.prompt}
	if prelude {
		l.Finish = d.early
		l.Source, l.Input, l.Output = usageAt(d, 0)
	}
	return l
}

// seenAfter is the record of a failure after n words.
func seenAfter(d *door, e *gateway.Error, n int) ledger {
	l := ledger{Status: 200, Error: e.Kind.String(), Phase: e.Phase, Attempts: 1, Finish: d.early}
	l.Source, l.Input, l.Output = usageAt(d, n)
	return l
}

// complete is the record of a complete answer.
func complete(d *door) ledger {
	return ledger{Status: 200, Attempts: 1, Finish: d.finished, Source: gateway.SourceProvider, Input: 21, Output: 7}
}

// fault is something that an upstream does.
type fault struct {
	name   string
	answer func(d *door) answerer
	want   func(d *door) *reply
	record func(d *door) ledger

	// err is what the gateway makes of it, nil when nothing is wrong; late says
	// that it comes after two words.
	err  *gateway.Error
	late bool
}

// beforeCommit is a fault of which the client sees nothing but a status.
func beforeCommit(name string, e *gateway.Error, prelude bool, answer func(d *door) answerer) fault {
	return fault{
		name, answer,
		func(d *door) *reply { return errorReply(d, e) },
		func(d *door) ledger { return unseen(d, e, prelude) },
		e, false,
	}
}

// afterCommit is a fault after two words have been shown.
func afterCommit(name string, e *gateway.Error, answer func(d *door) answerer) fault {
	return fault{
		name, answer,
		func(d *door) *reply {
			return &reply{status: 200, cut: true, body: d.prelude + d.words(2) + d.errorEvent(e, 2)}
		},
		func(d *door) ledger { return seenAfter(d, e, 2) },
		e, true,
	}
}

// success is a strange answer that is none the worse for it.
func success(name string, answer func(d *door) answerer) fault {
	return fault{
		name, answer,
		func(d *door) *reply { return &reply{status: 200, body: d.shown(2)} },
		complete,
		nil, false,
	}
}

// mended is success with bytes that not every SDK takes, and what becomes of
// them.
func mended(name string, stream, shown func(d *door) string) fault {
	return fault{
		name,
		func(d *door) answerer { return events(stream(d)) },
		func(d *door) *reply { return &reply{status: 200, body: shown(d)} },
		complete,
		nil, false,
	}
}

func crlf(stream string) string { return strings.ReplaceAll(rewritten(stream), "\n", "\r\n") }

func constant(answer answerer) func(*door) answerer {
	return func(*door) answerer { return answer }
}

var streamFaults = []fault{
	success("nothing wrong", func(d *door) answerer { return events(d.stream(2)) }),
	beforeCommit("close before headers", errNoAnswer, false, constant(bytesOnWire(""))),
	beforeCommit("reset before headers", errNoAnswer, false, constant(func(w http.ResponseWriter, _ *weirtest.Request) { weirtest.Reset(w) })),
	beforeCommit("no HTTP", failed(wire.KindUpstream, "round_trip", "the upstream's answer is not valid HTTP"), false, constant(bytesOnWire("hello\r\n\r\n"))),
	beforeCommit("cut after headers", errBrokeOff, false, constant(cutAfter(""))),
	beforeCommit("reset after headers", errBrokeOff, false, constant(resetAfter(""))),
	beforeCommit("cut after prelude", errBrokeOff, true, func(d *door) answerer { return cutAfter(d.prelude) }),
	beforeCommit("prelude only", errIncomplete, true, func(d *door) answerer { return events(d.prelude) }),
	beforeCommit("empty stream", errIncomplete, false, constant(events(""))),
	beforeCommit("empty 200", errAnswerCut, false, constant(bytesOnWire("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))),
	beforeCommit("web page", errNoStream, false, constant(bytesOnWire("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>hi</html>"))),
	beforeCommit("web page labelled a stream", failed(wire.KindUpstream, "stream", "the upstream sent something that is no event stream"), false,
		constant(events("<html>\n<body>\n\n"))),
	beforeCommit("JSON labelled a stream", failed(wire.KindUpstream, "stream", "the upstream sent something that is no event stream"), false,
		func(d *door) answerer { return events(d.answer + "\n\n") }),
	beforeCommit("JSON", errNoStream, false, func(d *door) answerer { return whole(200, d.answer) }),
	beforeCommit("JSON with an error", failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke"), false,
		func(d *door) answerer { return whole(200, d.errorBody) }),
	beforeCommit("no content", failed(wire.KindUpstream, "answer", "the upstream broke off its answer"), false, constant(bytesOnWire("HTTP/1.1 204 No Content\r\n\r\n"))),
	beforeCommit("redirect", failed(wire.KindUpstream, "status", "the upstream answered with the unexpected status 307"), false,
		constant(bytesOnWire("HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/elsewhere\r\nContent-Length: 0\r\n\r\n"))),
	beforeCommit("1 MB of headers", errHeaders, false, constant(bytesOnWire("HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 1<<20)+"\r\n\r\n"))),
	beforeCommit("first event malformed", errMalformed, false, constant(events("data: {\"choices\":\n\n"))),
	beforeCommit("brotli", failed(wire.KindUpstream, "encoding", "the upstream's answer is compressed in a way that was not asked for"), false,
		constant(bytesOnWire("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nab"))),
	beforeCommit("error as first event", failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke"), false,
		func(d *door) answerer { return events(d.failure) }),
	beforeCommit("error after prelude", failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke"), true,
		func(d *door) answerer { return events(d.prelude + d.failure) }),

	afterCommit("cut after content", errBrokeOff, func(d *door) answerer { return cutAfter(d.prelude + d.words(2)) }),
	afterCommit("cut mid-event", errBrokeOff, func(d *door) answerer {
		return cutAfter(d.prelude + d.words(2) + d.words(1)[:20])
	}),
	afterCommit("end mid-event", errMalformed, func(d *door) answerer {
		return events(d.prelude + d.words(2) + "data: {\"choices\":[{\"del")
	}),
	afterCommit("no terminator", errIncomplete, func(d *door) answerer { return events(d.prelude + d.words(2)) }),
	afterCommit("malformed event", errMalformed, func(d *door) answerer {
		return events(d.prelude + d.words(2) + "data: {\"choices\":\n\n" + d.words(1) + d.end)
	}),
	afterCommit("event of 17 MB", errTooLong, func(d *door) answerer {
		return func(w http.ResponseWriter, r *weirtest.Request) {
			events(d.prelude+d.words(2))(w, r)
			_, _ = io.WriteString(w, "data: ")
			junk := bytes.Repeat([]byte("x"), 1<<20)
			for range 17 {
				if _, err := w.Write(junk); err != nil {
					return
				}
			}
		}
	}),
	afterCommit("bad chunk size", errBrokeOff, func(d *door) answerer {
		return bytesOnWire(streamHead + chunked(d.prelude+d.words(2)) + "zz\r\n")
	}),
	{
		"missing terminator after the finish reason",
		func(d *door) answerer { return events(d.prelude + d.words(2) + d.finish + d.hidden) },
		func(d *door) *reply {
			if d.end == "" {
				return &reply{status: 200, body: d.shown(2)}
			}
			n := 2
			if d.name == "responses" {
				n = -1
			}
			return &reply{status: 200, cut: true, body: d.prelude + d.words(2) + d.finish + finishError(d, errIncomplete, n)}
		},
		func(d *door) ledger {
			l := complete(d)
			if d.end == "" {
				return l
			}
			l.Error, l.Phase = "upstream", "stream"
			if d.name == "responses" {
				l.Finish, l.Source, l.Input, l.Output = d.early, gateway.SourceEstimated, d.prompt, 4
			}
			return l
		},
		errIncomplete, true,
	},
	{
		"error event after content",
		func(d *door) answerer { return events(d.prelude + d.words(2) + d.failure) },
		func(d *door) *reply {
			return &reply{status: 200, cut: true, body: d.prelude + d.words(2) + d.failure}
		},
		func(d *door) ledger { return seenAfter(d, failed(wire.KindUpstream, "in_band", ""), 2) },
		failed(wire.KindUpstream, "in_band", "it broke"), true,
	},

	success("written byte by byte", func(d *door) answerer {
		return func(w http.ResponseWriter, _ *weirtest.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			stream := d.stream(2)
			for i := range len(stream) {
				_, _ = io.WriteString(w, stream[i:i+1])
				weirtest.Flush(w)
			}
		}
	}),
	mended("byte order mark", func(d *door) string { return "\xef\xbb\xbf" + d.stream(2) }, func(d *door) string {
		return rewritten(d.prelude) + strings.TrimPrefix(d.shown(2), d.prelude)
	}),
	mended("lone CR", func(d *door) string { return strings.ReplaceAll(rewritten(d.stream(2)), "\n", "\r") }, func(d *door) string {
		return rewritten(d.shown(2))
	}),
	success("labelled plain text", func(d *door) answerer {
		return func(w http.ResponseWriter, _ *weirtest.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, d.stream(2))
		}
	}),
	mended("ids, retry and empty events", func(d *door) string {
		return "retry: 100\n\n" + strings.ReplaceAll(d.stream(2), "data: ", "id: 1\ndata: ") + "\n\n"
	}, func(d *door) string { return rewritten(d.shown(2)) }),
	success("gzip that was not asked for", func(d *door) answerer {
		return packed("text/event-stream", []byte(d.stream(2)))
	}),
	mended("no last blank line", func(d *door) string { return strings.TrimRight(d.stream(2), "\r\n") }, func(d *door) string {
		return strings.TrimRight(d.shown(2), "\r\n") + "\n\n"
	}),
	mended("CRLF", func(d *door) string { return crlf(d.stream(2)) }, func(d *door) string { return crlf(d.shown(2)) }),
	mended("comments", func(d *door) string { return ": hello\n\n" + d.stream(2) }, func(d *door) string {
		if d.dialect == wire.Gemini { // Google's SDK for Go takes them for data
			return d.shown(2)
		}
		return ": hello\n\n" + d.shown(2)
	}),
	mended("a comment in an event", func(d *door) string { return ": hello\n" + d.stream(2) }, func(d *door) string {
		if d.dialect == wire.Gemini {
			return rewritten(d.prelude) + strings.TrimPrefix(d.shown(2), d.prelude)
		}
		return ": hello\n" + d.shown(2)
	}),
}

// finishError is the error event after the finish events.
func finishError(d *door, e *gateway.Error, n int) string {
	if n < 0 {
		return strings.Replace(d.errorEvent(e, 1), `"sequence_number":5`, `"sequence_number":6`, 1)
	}
	return d.errorEvent(e, n)
}

// whole answers with a JSON body.
func whole(status int, body string, headers ...string) answerer {
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// packed answers with a gzipped body.
func packed(contentType string, body []byte) answerer {
	var b bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = zw.Write(body)
	_ = zw.Close()
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
}

// TestStreamFaults shows each door each fault, on real sockets: the bytes
// that the client saw, whether the body ended properly, and the one record.
func TestStreamFaults(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			for _, f := range streamFaults {
				t.Run(f.name, func(t *testing.T) {
					rig.answers(f.answer(d))
					got := rig.ask(t, d.path, d.body)
					checkReply(t, f.want(d), got)
					rig.checkRecord(t, f.record(d))
					if n := len(rig.upstreamCalls()); n != 1 {
						t.Errorf("%d upstream calls", n)
					}
					if end := strings.TrimRight(d.end, "\n"); end != "" && got.status == 200 && got.cut == strings.HasSuffix(strings.TrimRight(rewritten(got.body), "\n"), end) {
						t.Errorf("terminator in a cut stream or none in a complete one")
					}
				})
			}
		})
	}
}

// answerFaults are faults of answers that are no streams.
var answerFaults = []fault{
	{
		"nothing wrong",
		func(d *door) answerer { return whole(200, d.answer) },
		func(d *door) *reply { return &reply{status: 200, body: d.answer} },
		complete,
		nil, false,
	},
	{
		"gzip that was not asked for",
		func(d *door) answerer { return packed("application/json", []byte(d.answer)) },
		func(d *door) *reply { return &reply{status: 200, body: d.answer} },
		complete,
		nil, false,
	},
	beforeCommit("close before headers", errNoAnswer, false, constant(bytesOnWire(""))),
	beforeCommit("short body", errAnswerCut, false, func(d *door) answerer {
		return bytesOnWire(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(d.answer)+10, d.answer))
	}),
	beforeCommit("cut chunks", errAnswerCut, false, func(d *door) answerer {
		return bytesOnWire("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(d.answer))
	}),
	beforeCommit("web page", failed(wire.KindUpstream, "answer", "the upstream answered with a web page"), false,
		constant(bytesOnWire("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>hi</html>"))),
	beforeCommit("empty", failed(wire.KindUpstream, "answer", "the upstream's answer is not valid JSON"), false, constant(whole(200, ""))),
	beforeCommit("no content", failed(wire.KindUpstream, "answer", "the upstream's answer is not valid JSON"), false, constant(bytesOnWire("HTTP/1.1 204 No Content\r\n\r\n"))),
	beforeCommit("half an object", failed(wire.KindUpstream, "answer", "the upstream's answer is not valid JSON"), false,
		func(d *door) answerer { return whole(200, d.answer[:40]) }),
	beforeCommit("redirect", failed(wire.KindUpstream, "status", "the upstream answered with the unexpected status 301"), false,
		constant(whole(301, "{}", "Location", "/v1/elsewhere"))),
	beforeCommit("gzip bomb", failed(wire.KindUpstream, "encoding", "the upstream's compressed answer unpacks to too much"), false,
		constant(packed("application/json", make([]byte, 80<<20)))),
	beforeCommit("broken gzip", failed(wire.KindUpstream, "encoding", "the upstream's answer is not valid gzip"), false,
		constant(bytesOnWire("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nno gzip here"))),
	beforeCommit("brotli", failed(wire.KindUpstream, "encoding", "the upstream's answer is compressed in a way that was not asked for"), false,
		constant(whole(200, "{}", "Content-Encoding", "br"))),
	beforeCommit("1 MB of headers", errHeaders, false, constant(bytesOnWire("HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 1<<20)+"\r\n\r\n"))),
	{
		"error with status 200",
		func(d *door) answerer { return whole(200, d.errorBody) },
		func(d *door) *reply { return &reply{status: 502, body: d.errorBody} },
		func(d *door) ledger { return unseen(d, failed(wire.KindUpstream, "in_band", ""), false) },
		failed(wire.KindUpstream, "in_band", "it broke"), false,
	},
	{
		"error with its own status",
		func(d *door) answerer { return whole(503, d.errorBody) },
		func(d *door) *reply { return &reply{status: 503, body: d.errorBody} },
		func(d *door) ledger {
			return ledger{Status: 503, Error: "overloaded", Phase: "status", Attempts: 1, Source: gateway.SourceNone}
		},
		nil, false,
	},
	{
		"page with a status",
		constant(bytesOnWire("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>hi</html>")),
		func(d *door) *reply {
			return errorReply(d, failed(wire.KindUpstream, "status", "the upstream answered with status 502"))
		},
		func(d *door) ledger {
			return ledger{Status: 502, Error: "upstream", Phase: "status", Attempts: 1, Source: gateway.SourceNone}
		},
		nil, false,
	},
}

// TestAnswerFaults is TestStreamFaults for answers that come whole.
func TestAnswerFaults(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			for _, f := range answerFaults {
				t.Run(f.name, func(t *testing.T) {
					rig.answers(f.answer(d))
					checkReply(t, f.want(d), rig.ask(t, d.pathOf(d.whole), d.whole))
					rig.checkRecord(t, f.record(d))
					if n := len(rig.upstreamCalls()); n != 1 {
						t.Errorf("%d upstream calls", n)
					}
				})
			}
		})
	}
}

// TestRetryHints keeps what an upstream says about trying again, with or
// without a body that can be passed on.
func TestRetryHints(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	for _, tt := range []struct {
		name   string
		answer answerer
		want   map[string]string
	}{
		{"JSON", whole(429, d.errorBody, "Retry-After", "7", "Retry-After-Ms", "6500", "X-Should-Retry", "false"), map[string]string{"Retry-After": "7", "Retry-After-Ms": "6500", "X-Should-Retry": "false"}},
		{"page", whole(503, "<html>", "Content-Type", "text/html", "Retry-After", "7"), map[string]string{"Retry-After": "7", "Retry-After-Ms": "7000", "X-Should-Retry": "true"}},
		{"milliseconds", whole(429, "<html>", "Content-Type", "text/html", "Retry-After-Ms", "1500"), map[string]string{"Retry-After": "2", "Retry-After-Ms": "1500", "X-Should-Retry": "true"}},
		{"none", whole(503, "<html>", "Content-Type", "text/html"), map[string]string{"Retry-After": "1", "Retry-After-Ms": "1000", "X-Should-Retry": "true"}},
		{"ours", bytesOnWire(""), map[string]string{"Retry-After": "1", "Retry-After-Ms": "1000", "X-Should-Retry": "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig.answers(tt.answer)
			got := rig.ask(t, d.pathOf(d.whole), d.whole)
			for name, want := range tt.want {
				if v := got.header.Get(name); v != want {
					t.Errorf("%s: %q, want %q", name, v, want)
				}
			}
			rig.record(t)
		})
	}
}

// TestConnectRefused asks an upstream that is not there.
func TestConnectRefused(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
			rig := &rig{}
			rig.Gateway = weirtest.Start(t, fmt.Sprintf("provider up %s {\nbase_url http://%s%s\napi_key {env.UPSTREAM_KEY}\n}\nmodel m up/%s", d.provider, weirtest.FreeAddr(t), d.version(), d.model), "ai_gateway")
			e := failed(wire.KindUpstream, "connect", "connecting to the upstream failed")
			got := rig.ask(t, d.path, d.body)
			checkReply(t, errorReply(d, e), got)
			if strings.Contains(got.body, "127.0.0.1") {
				t.Error("the answer names the upstream's address")
			}
			rig.checkRecord(t, ledger{Status: 502, Error: "upstream", Phase: "connect", Attempts: 1, Source: gateway.SourceNone})
		})
	}
}

// TestLargeEvents passes events that break readers of lines.
func TestLargeEvents(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	for _, size := range []int{300 << 10, 15 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			image := chunk(`[{"index":0,"delta":{"images":[{"url":"data:image/png;base64,` + strings.Repeat("QUJD", size/4) + `"}]}}]`)
			rig.answers(events(d.prelude + image + d.finish + d.hidden + d.end))
			checkReply(t, &reply{status: 200, body: d.prelude + image + d.finish + d.end}, rig.ask(t, d.path, d.body))
			rig.checkRecord(t, complete(d))
		})
	}
}

// TestManyNumbers passes a batch of embeddings, which has more JSON values
// than a request may have.
func TestManyNumbers(t *testing.T) {
	rig := newRig(t, doors[0], "", "")
	var b strings.Builder
	b.WriteString(`{"object":"list","data":[`)
	for i := range 128 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"object":"embedding","index":%d,"embedding":[0.1%s]}`, i, strings.Repeat(",-0.0123456789", 1535))
	}
	b.WriteString(`],"model":"m","usage":{"prompt_tokens":256,"total_tokens":256}}`)
	rig.answers(whole(200, b.String()))
	checkReply(t, &reply{status: 200, body: b.String()}, rig.ask(t, "/v1/embeddings", `{"model":"m","input":["a"]}`))
	rig.checkRecord(t, ledger{Status: 200, Source: gateway.SourceProvider, Input: 256, Attempts: 1})
}

// TestNeverSentTwice closes a connection that was used before, after the
// second call has been received on it: net/http would send that one again by
// itself if the client's Idempotency-Key were forwarded.
func TestNeverSentTwice(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	rig.answers(whole(200, d.answer))
	checkReply(t, &reply{status: 200, body: d.answer}, rig.ask(t, d.pathOf(d.whole), d.whole))
	first := rig.upstreamCalls()
	rig.record(t)

	rig.answers(bytesOnWire(""))
	checkReply(t, errorReply(d, errNoAnswer), rig.ask(t, d.pathOf(d.whole), d.whole, "Idempotency-Key: k1", "X-Idempotency-Key: k1"))
	rig.checkRecord(t, unseen(d, errNoAnswer, false))
	calls := rig.upstreamCalls()
	if len(calls) != 1 {
		t.Fatalf("%d upstream calls", len(calls))
	}
	for name := range calls[0].Header {
		if strings.Contains(strings.ToLower(name), "idempotency") {
			t.Errorf("the upstream saw %s", name)
		}
	}
	if diff := cmp.Diff(string(first[0].Body), string(calls[0].Body)); diff != "" {
		t.Error(diff)
	}
}

// TestGzipBombStream unpacks a stream that grows out of proportion.
func TestGzipBombStream(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	rig.answers(packed("text/event-stream", append([]byte(d.prelude+d.words(2)), bytes.Repeat([]byte(": \n\n"), 32<<20)...)))
	got := rig.ask(t, d.path, d.body)
	e := failed(wire.KindUpstream, "encoding", "the upstream's compressed answer unpacks to too much")
	if !got.cut || !strings.HasSuffix(got.body, d.errorEvent(e, 2)) {
		t.Errorf("cut %v, body ends %q", got.cut, got.body[max(0, len(got.body)-300):])
	}
	rig.checkRecord(t, seenAfter(d, e, 2))
}
