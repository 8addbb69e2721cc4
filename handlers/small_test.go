package handlers

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/batch"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/wire"
)

func TestPrivate(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "10.1.2.3": true, "172.16.0.1": true, "172.31.255.255": true, "192.168.1.1": true,
		"169.254.1.1": true, "fe80::1": true, "fe80::1%eth0": true, "fc00::1": true, "fd12::1": true, "::ffff:10.0.0.1": true, "::ffff:127.0.0.1": true,
		"": true, "@": true,
		"8.8.8.8": false, "172.32.0.1": false, "100.64.0.1": false, "0.0.0.0": false, "::": false, "2001:db8::1": false, "::ffff:8.8.8.8": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "255.255.255.255": false, "224.0.0.1": false, "localhost": false, "10.0.0.1:80": false,
	} {
		if got := private(addr); got != want {
			t.Errorf("private(%q) = %v", addr, got)
		}
	}
}

func TestRequestID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "req_1": true, "A-z.0:9": true, strings.Repeat("x", 128): true,
		"": false, strings.Repeat("x", 129): false, "a b": false, "a\tb": false, "a/b": false, `a"b`: false, "a\x00": false, "é": false, "${x}": false, "{env.X}": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Request-Id"] = []string{id}
		if got := requestID(r); (got == id) != want && id != "" || got != "" && got != id {
			t.Errorf("requestID(%q) = %q", id, got)
		}
	}
}

func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		err                   *gateway.Error
		should, after, after2 string
	}{
		{"invalid", &gateway.Error{Kind: wire.KindInvalid}, "false", "", ""},
		{"budget", &gateway.Error{Kind: wire.KindBudget, RetryAfter: time.Hour}, "false", "3600", "3600000"},
		{"budget that is too small", &gateway.Error{Kind: wire.KindBudget, NoRetry: true}, "false", "", ""},
		{"no retry", &gateway.Error{Kind: wire.KindRateLimit, RetryAfter: time.Hour, NoRetry: true}, "false", "", ""},
		{"upstream", &gateway.Error{Kind: wire.KindUpstream}, "true", "1", "1000"},
		{"rate limit", &gateway.Error{Kind: wire.KindRateLimit, RetryAfter: 1200 * time.Millisecond}, "true", "2", "1200"},
		{"never too early", &gateway.Error{Kind: wire.KindRateLimit, RetryAfter: 1200*time.Millisecond + time.Microsecond}, "true", "2", "1201"},
	} {
		h, texts := make(http.Header), newTexts()
		appendRetry(texts, tt.err)
		texts.into(h)
		if h.Get("X-Should-Retry") != tt.should || h.Get("Retry-After") != tt.after || h.Get("Retry-After-Ms") != tt.after2 {
			t.Errorf("%s: %v", tt.name, h)
		}
	}
}

func TestContentKind(t *testing.T) {
	for contentType, want := range map[string]int{
		"": kindNone, "application/json": kindJSON, "Application/JSON; charset=utf-8": kindJSON, "application/problem+json": kindJSON,
		"text/event-stream": kindStream, "text/event-stream;charset=utf-8": kindStream, "text/html; charset=utf-8": kindHTML,
		"text/plain": kindText, "application/octet-stream": kindText, "audio/mpeg": kindOther, ";;": kindNone,
	} {
		if got := contentKind(contentType); got != want {
			t.Errorf("contentKind(%q) = %d, want %d", contentType, got, want)
		}
	}
}

func TestDecodedPath(t *testing.T) {
	for raw, want := range map[string]string{
		"/v1/models/openai%2Fgpt-4.1": "/v1/models/openai/gpt-4.1",
		"/v1/models/ft%3Aa":           "/v1/models/ft:a",
		"/v1/models/a%252Fb":          "/v1/models/a%2Fb", // decoded once
		"/plain":                      "/plain",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := decodedPath(u); got != want {
			t.Errorf("decodedPath(%q) = %q", raw, got)
		}
	}
}

// TestUnpack stops bombs by their ratio and by their size.
func TestUnpack(t *testing.T) {
	pack := func(data []byte) []byte {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		_, _ = zw.Write(data)
		_ = zw.Close()
		return b.Bytes()
	}
	stored := func(n int) []byte { // as large packed as it is unpacked
		var b bytes.Buffer
		zw, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
		_, _ = zw.Write(make([]byte, n))
		_ = zw.Close()
		return b.Bytes()
	}
	for _, tt := range []struct {
		name     string
		encoding string
		body     []byte
		fails    bool
	}{
		{"plain", "", []byte("{}"), false},
		{"identity", "identity", []byte("{}"), false},
		{"gzip", "gzip", pack([]byte("{}")), false},
		{"1 MB of one letter", "gzip", pack(make([]byte, 1<<20)), false},
		{"2 MB of one letter", "gzip", pack(make([]byte, 2<<20)), true},
		{"too large", "gzip", stored(maxUnpacked + 1), true},
		{"large", "gzip", stored(maxUnpacked), false},
		{"cut", "gzip", stored(1000)[:500], true},
		{"brotli", "br", nil, true},
		{"twice", "gzip, gzip", nil, true},
		{"not gzip", "gzip", []byte("hello, I am no gzip"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := &http.Response{Header: http.Header{"Content-Encoding": {tt.encoding}}, Body: io.NopCloser(bytes.NewReader(tt.body))}
			r, err := unpack(res)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestMatchModel(t *testing.T) {
	request := func(path, contentType, body string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		return r
	}
	const chat = "/v1/chat/completions"
	ask := func(model string) string { return `{"model":"` + model + `","messages":[{}]}` }
	for _, tt := range []struct {
		name, path, contentType, body string
		patterns                      []string
		want                          bool
	}{
		{"exact", chat, "application/json", ask("gpt-4o"), []string{"gpt-4o"}, true},
		{"other", chat, "application/json", ask("gpt-4o"), []string{"gpt-4"}, false},
		{"star", chat, "application/json", ask("gpt-4o"), []string{"claude-*", "gpt-*"}, true},
		{"star in a name with slashes", chat, "application/json", ask("openai/gpt-4o"), []string{"openai*"}, true},
		{"question mark is itself", chat, "application/json", ask("gpt-4"), []string{"gpt-?"}, false},
		{"bracket is itself", chat, "application/json", ask("a[b]"), []string{"a[b]"}, true},
		{"escaped name", chat, "application/json", ask(`gpt\u002d4o`), []string{"gpt-4o"}, true},
		{"duplicate", chat, "application/json", `{"model":"gpt-4o","model":"x","messages":[{}]}`, []string{"*"}, false},
		{"no JSON", chat, "application/json", "hello", []string{"*"}, false},
		{"form", "/v1/audio/transcriptions", "multipart/form-data; boundary=x", "--x", []string{"*"}, false},
		{"no call", "/other", "application/json", ask("gpt-4o"), []string{"*"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := withVars(request(tt.path, tt.contentType, tt.body))
			for range 2 { // the second matcher finds the first one's result
				got, err := MatchModel(tt.patterns).MatchWithError(r)
				if err != nil || got != tt.want {
					t.Errorf("match %v, %v", got, err)
				}
			}
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != tt.body {
				t.Errorf("the body reads %q afterwards, %v", body, err)
			}
		})
	}
}

func TestMatchModelSyntax(t *testing.T) {
	var m MatchModel
	if err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser("ai_model a b*\nai_model c")); err != nil || strings.Join(m, " ") != "a b* c" {
		t.Errorf("%v, %v", m, err)
	}
	for _, bad := range []string{"ai_model", "ai_model a {\nb\n}"} {
		if err := new(MatchModel).UnmarshalCaddyfile(caddyfile.NewTestDispenser(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestSizeOfCall holds that a call fits into 2 KiB with the word that the runtime
// adds: a little more takes a quarter of a KiB more of every request.
func TestSizeOfCall(t *testing.T) {
	if size := unsafe.Sizeof(call{}); size > 2<<10-8 {
		t.Errorf("%d bytes", size)
	}
}

// TestUnsentSaysNothing holds that a call which ended while it waited for others to go
// with it is none of the upstream's faults.
func TestUnsentSaysNothing(t *testing.T) {
	for unsent, want := range map[bool]health.Class{true: health.Abandoned, false: health.Failed} {
		a := &attempt{joint: batch.Result{Unsent: unsent}}
		if got := a.verdict(gateway.ErrHeaders).Class; got != want {
			t.Errorf("unsent %t: %v", unsent, got)
		}
	}
}
