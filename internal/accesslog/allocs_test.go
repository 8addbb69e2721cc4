//go:build !race

package accesslog

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// access is what Caddy logs of a request that an SDK has sent, but for its record.
func access() (request, fields []zapcore.Field) {
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
	for _, field := range [][2]string{
		{"Accept", "application/json"},
		{"Accept-Encoding", "gzip, deflate"},
		{"Authorization", "Bearer sk-1"},
		{"Content-Length", "1024"},
		{"Content-Type", "application/json"},
		{"User-Agent", "OpenAI/Python 2.8.0"},
		{"X-Stainless-Arch", "x64"},
		{"X-Stainless-Async", "false"},
		{"X-Stainless-Lang", "python"},
		{"X-Stainless-Os", "Linux"},
		{"X-Stainless-Package-Version", "2.8.0"},
		{"X-Stainless-Read-Timeout", "600"},
		{"X-Stainless-Retry-Count", "0"},
		{"X-Stainless-Runtime", "CPython"},
		{"X-Stainless-Runtime-Version", "3.13.0"},
	} {
		r.Header.Set(field[0], field[1])
	}
	answer := http.Header{
		"Cache-Control": {"no-store"}, "Content-Length": {"800"}, "Content-Type": {"application/json"}, "Server": {"Caddy"},
		"Server-Timing": {"auth;dur=0.006, limit;dur=0.019, route;dur=0.014, upstream;dur=42.950, total;dur=43.021"},
		"X-Ai-Attempts": {"1"}, "X-Ai-Cost-Usd": {"0.00122"}, "X-Ai-Model": {"gpt-4.1"}, "X-Ai-Provider": {"openai"},
		"X-Ratelimit-Limit-Tokens": {"900000000000"}, "X-Ratelimit-Remaining-Tokens": {"899999999320"}, "X-Ratelimit-Reset-Tokens": {"1m1s"},
		"X-Request-Id": {"req_01a229d9-7485-75ef-b0f5-cf10efb42b0f"},
	}
	return []zapcore.Field{zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r})}, []zapcore.Field{
		zap.Int("bytes_read", 1024), zap.String("user_id", "k"), zap.Duration("duration", 43220182), zap.Int("size", 800), zap.Int("status", 200),
		zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: answer}),
	}
}

// write writes a line as Caddy's server does: the request is the logger's own field.
func write(t testing.TB, e zapcore.Encoder, request, fields []zapcore.Field) {
	with := e.Clone()
	request[0].AddTo(with)
	b, err := with.EncodeEntry(zapcore.Entry{Time: noon, LoggerName: "http.log.access", Message: "handled request"}, fields)
	if err != nil {
		t.Fatal(err)
	}
	b.Free()
}

// TestAllocations holds what a line costs: the request's logger, its copy of the
// request, and a header that becomes an interface.
func TestAllocations(t *testing.T) {
	e, _ := both(t, logging.LogEncoderConfig{})
	request, fields := access()
	write(t, e, request, fields)
	if n := testing.AllocsPerRun(100, func() { write(t, e, request, fields) }); n > 3 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLine(b *testing.B) {
	ours, caddys := both(b, logging.LogEncoderConfig{})
	for _, f := range []struct {
		name    string
		encoder zapcore.Encoder
	}{{"ai", ours}, {"json", caddys}} {
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			request, fields := access()
			for b.Loop() {
				write(b, f.encoder, request, fields)
			}
		})
	}
}
