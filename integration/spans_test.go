package integration

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
)

// span is what a collector learns of one.
type span struct {
	name       string
	trace      string
	began, end uint64
	attrs      map[string]string
}

func (s *span) lasted() time.Duration { return time.Duration(s.end - s.began) } //nolint:gosec // some milliseconds

// fields calls each with the fields of a protocol buffer.
func fields(message []byte, each func(number uint64, value uint64, data []byte)) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		message = message[n:]
		var value uint64
		var data []byte
		switch tag & 7 {
		case 0:
			value, n = binary.Uvarint(message)
		case 1:
			value, n = binary.LittleEndian.Uint64(message), 8
		case 2:
			size, head := binary.Uvarint(message)
			n = head + int(size) //nolint:gosec // in memory
			data = message[head:n]
		case 5:
			n = 4
		}
		each(tag>>3, value, data)
		message = message[n:]
	}
}

// readSpans decodes an ExportTraceServiceRequest.
func readSpans(message []byte) (spans []*span) {
	in := func(number uint64, inner func([]byte)) func(uint64, uint64, []byte) {
		return func(n uint64, _ uint64, data []byte) {
			if n == number {
				inner(data)
			}
		}
	}
	fields(message, in(1, func(resource []byte) {
		fields(resource, in(2, func(scope []byte) {
			fields(scope, in(2, func(data []byte) { spans = append(spans, readSpan(data)) }))
		}))
	}))
	return spans
}

func readSpan(message []byte) *span {
	s := &span{attrs: make(map[string]string)}
	fields(message, func(number, value uint64, data []byte) {
		switch number {
		case 1:
			s.trace = fmt.Sprintf("%x", data)
		case 5:
			s.name = string(data)
		case 7:
			s.began = value
		case 8:
			s.end = value
		case 9:
			var key, text string
			fields(data, func(number, _ uint64, data []byte) {
				if number == 1 {
					key = string(data)
					return
				}
				fields(data, func(kind, value uint64, data []byte) {
					switch kind {
					case 1:
						text = string(data)
					case 4:
						text = fmt.Sprint(math.Float64frombits(value))
					default:
						text = fmt.Sprint(value)
					}
				})
			})
			s.attrs[key] = text
		}
	})
	return s
}

// collector takes what Caddy's `tracing` exports.
type collector struct {
	mu    sync.Mutex
	raw   []byte
	spans []*span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(c.raw, data...)
		c.spans = append(c.spans, readSpans(data)...)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	return c
}

// calls waits for n spans of upstream calls.
func (c *collector) calls(t *testing.T, n int) (calls []*span) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d spans of calls", n), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		calls = nil
		for _, s := range c.spans {
			if s.attrs["gen_ai.operation.name"] != "" {
				calls = append(calls, s)
			}
		}
		return len(calls) >= n
	})
	return calls
}

// TestSpansOfCalls holds that each upstream call has a span of its own, which says
// when that call was made and who was called, and nothing of what was said.
func TestSpansOfCalls(t *testing.T) {
	exported := newCollector(t)
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	chat, messages, gemini := doors[0], doors[2], doors[3]
	const late = 200 * time.Millisecond
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		switch {
		case strings.HasPrefix(r.Path, "/bad/"):
			time.Sleep(late) // what the other call's span must not count
			whole(500, `{"error":{"message":"said-by-the-upstream"}}`)(w, r)
		case strings.Contains(r.Path, "generateContent"), strings.Contains(r.Path, "GenerateContent"):
			events(gemini.stream(2))(w, r)
		case strings.HasSuffix(r.Path, "/messages"):
			events(messages.stream(2))(w, r)
		default:
			events(chat.stream(2))(w, r)
		}
	})
	var ai strings.Builder
	for _, p := range [][3]string{
		{"bad", "openai", "/bad/v1"}, {"good", "openai", "/v1"}, {"a", "anthropic", "/v1"}, {"g", "gemini", "/v1beta"}, {"x", "xai", "/v1"}, {"own", "openai_compatible", "/v1"},
	} {
		fmt.Fprintf(&ai, "provider %s %s {\nbase_url %s%s\napi_key {env.UPSTREAM_KEY}\n}\n", p[0], p[1], up.URL, p[2])
	}
	ai.WriteString("model m bad/gpt-4o {\nfallback good/gpt-4o\nfail_duration off\n}\nmodel claude a/claude-sonnet-4-5\nmodel gem g/gemini-2.5-flash\nmodel x x/grok-4\nmodel own own/some\nkey ci {env.CI_KEY}\n")
	g := weirtest.Start(t, ai.String(), "tracing\n\tai_gateway")
	client := newClient(t)
	const trace = "0af7651916cd43dd8448eb211c80319c"
	say := func(path, body, parent string) {
		t.Helper()
		res, answer := post(t, client, g.URL+path+"key=a-secret-of-ci-0001", body, "traceparent", parent, "baggage", "who=in-the-baggage", "tracestate", strings.Repeat("a=b,", 500))
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d: %s", path, res.StatusCode, answer)
		}
	}
	said := func(model string) string {
		return `{"model":"` + model + `","stream":true,"max_tokens":50,"messages":[{"role":"user","content":"said-by-the-client"}]}`
	}
	say("/v1/chat/completions?", said("m"), "00-"+trace+"-b7ad6b7169203331-01")
	// What is no parent makes a trace of its own.
	say("/v1/messages?", said("claude"), "00-"+strings.Repeat("0", 32)+"-b7ad6b7169203331-01")
	say("/v1beta/models/gem:streamGenerateContent?alt=sse&", gemini.body, "garbage")
	say("/v1/chat/completions?", said("x"), strings.Repeat("x", 10_000))
	say("/v1/chat/completions?", said("own"), "ff-"+trace+"-b7ad6b7169203331-01")

	calls := exported.calls(t, 6)
	for i, want := range [][3]string{
		{"openai", "bad", "chat gpt-4o"},
		{"openai", "good", "chat gpt-4o"},
		{"anthropic", "a", "chat claude-sonnet-4-5"},
		{"gcp.gemini", "g", "generate_content gemini-2.5-flash"},
		{"x_ai", "x", "chat grok-4"},
		{"own", "own", "chat some"},
	} {
		s := calls[i]
		if got := [3]string{s.attrs["gen_ai.provider.name"], s.attrs["weir.provider"], s.name}; got != want {
			t.Errorf("span %d is of %v, want %v", i, got, want)
		}
		if of := i < 2; (s.trace == trace) != of {
			t.Errorf("span %d is of the trace %s", i, s.trace)
		}
	}
	failed, second := calls[0], calls[1]
	if failed.attrs["error.type"] != "upstream" || failed.lasted() < late || failed.end > second.began {
		t.Errorf("the call that failed took %v: %v", failed.lasted(), failed.attrs)
	}
	trail := g.Records.Wait(t, 1)[0].Trail
	between := trail[1].Begun - trail[0].Begun - trail[0].Total
	if pause := time.Duration(second.began - failed.end); pause < between { //nolint:gosec // some milliseconds
		t.Errorf("the spans are %v apart, the calls %v", pause, between)
	}
	var first float64
	_, _ = fmt.Sscan(second.attrs["gen_ai.response.time_to_first_chunk"], &first)
	if first <= 0 || first > second.lasted().Seconds() {
		t.Errorf("the first chunk came %v s after the call began, which took %v", first, second.lasted())
	}
	exported.mu.Lock()
	defer exported.mu.Unlock()
	for _, secret := range []string{"said-by", "hello", "secret", "in-the-baggage"} {
		if strings.Contains(string(exported.raw), secret) {
			t.Errorf("%q is in the traces", secret)
		}
	}
	for _, r := range up.Requests() {
		if r.Header.Get("Traceparent") != "" || r.Header.Get("Tracestate") != "" || r.Header.Get("Baggage") != "" {
			t.Errorf("an upstream saw %v", r.Header)
		}
	}
}
