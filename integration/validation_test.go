package integration

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// checkRefusal checks an error of Weir's own: its status, its shape in the
// dialect, the ids, and that nobody was paid for it.
func (r *rig) checkRefusal(t *testing.T, d *door, got *reply, status int, param, message string) {
	t.Helper()
	var body struct {
		Error struct {
			Type      string
			Message   string
			Code      any
			Status    string
			Param     *string
			RequestID string `json:"request_id"`
			Details   []struct{ RequestID string }
		}
		Type      string
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("status %d, body %q: %v", got.status, got.body, err)
	}
	if got.status != status || !strings.Contains(body.Error.Message, message) {
		t.Errorf("status %d, want %d; message %q, want %q", got.status, status, body.Error.Message, message)
	}
	id := body.RequestID
	if d.dialect == wire.OpenAI {
		id = body.Error.RequestID
		if body.Error.Param == nil && param != "" || body.Error.Param != nil && *body.Error.Param != param {
			t.Errorf("param %v, want %q", body.Error.Param, param)
		}
	} else if d.dialect == wire.Gemini {
		if len(body.Error.Details) == 1 {
			id = body.Error.Details[0].RequestID
		}
		if body.Error.Code != float64(status) || body.Error.Status == "" {
			t.Errorf("code %v, status %q", body.Error.Code, body.Error.Status)
		}
	} else if body.Type != "error" || got.header.Get("Request-Id") != requestID {
		t.Errorf("type %q, request-id %q", body.Type, got.header.Get("Request-Id"))
	}
	if id != requestID || got.header.Get("X-Request-Id") != requestID {
		t.Errorf("request id %q", id)
	}
	if retry := got.header.Get("X-Should-Retry"); retry != "false" {
		t.Errorf("x-should-retry %q", retry)
	}
	if ct := got.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
	if n := len(r.upstreamCalls()); n != 0 {
		t.Errorf("%d upstream calls", n)
	}
}

const site = `max_body 64KiB
max_output_tokens 1000
temperature 0 1.5
deny_params logit_bias user
`

// TestBodies refuses bodies that cannot be understood in one way only, before
// anybody is paid.
func TestBodies(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", site)
			rig.answers(whole(200, d.answer))
			open := strings.TrimSuffix(d.whole, "}")
			for _, tt := range []struct {
				name, body     string
				status         int
				param, message string
			}{
				{"empty", "", 400, "", "empty"},
				{"no JSON", "hello", 400, "", "JSON"},
				{"array", "[" + d.whole + "]", 400, "", "JSON object"},
				{"two objects", d.whole + d.whole, 400, "", "more data"},
				{"cut", open, 400, "", "not a valid JSON object"},
				{"NUL", open + ",\"x\":\"\x00\"}", 400, "", "not a valid JSON object"},
				{"byte order mark", "\xef\xbb\xbf" + d.whole, 400, "", "byte order mark"},
				{"too deep", open + `,"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", 400, "", "limit"},
				{"duplicate model", open + `,"model":"m"}`, 400, "model", "more than once"},
				{"MODEL", open + `,"MODEL":"dear"}`, 400, "model", "another spelling"},
				{"escaped model", open + `,"mod\u0065l":"dear"}`, 400, "model", "more than once"},
				{"Kelvin sign", open + ",\"max_to\u212aens\":9999999}", 400, "max_tokens", "another spelling"},
				{"Stream", open + `,"Stream":true}`, 400, "stream", "another spelling"},
				{"no model", strings.Replace(d.whole, `"model":"m"`, `"x":1`, 1), 400, "model", "model"},
				{"model null", strings.Replace(d.whole, `"m"`, `null`, 1), 400, "model", "model"},
				{"model number", strings.Replace(d.whole, `"m"`, `1`, 1), 400, "model", "must be a string"},
				{"model empty", strings.Replace(d.whole, `"m"`, `""`, 1), 400, "model", "not empty"},
				{"stream string", open + `,"stream":"yes"}`, 400, "stream", "true or false"},
				{"temperature high", open + "," + fmt.Sprintf(d.sampling, "1.6") + "}", 400, "temperature", "0 to 1.5"},
				{"temperature low", open + "," + fmt.Sprintf(d.sampling, "-0.1") + "}", 400, "temperature", "-0.1"},
				{"denied", open + `,"user":"u"}`, 400, "user", "deny_params"},
				{"denied in another case", open + `,"USER":"u"}`, 400, "USER", "deny_params"},
				{"denied with an escape", open + `,"\u0075ser":"u"}`, 400, "user", "deny_params"},
				{"too large", open + `,"x":"` + strings.Repeat("x", 64<<10) + `"}`, 413, "", "65536 bytes that this site allows (max_body); it has 65"},
			} {
				if d.inPath() && (tt.param == "model" || tt.param == "stream" || tt.param == "max_tokens") {
					continue // members that such a body does not have
				}
				t.Run(tt.name, func(t *testing.T) {
					got := rig.ask(t, d.pathOf(tt.body), tt.body)
					rig.checkRefusal(t, d, got, tt.status, tt.param, tt.message)
					want := ledger{Status: tt.status, Error: "invalid_request", Source: gateway.SourceNone}
					if tt.status == 413 {
						want.Error = "request_too_large"
					}
					rig.checkRecord(t, want)
				})
			}
			t.Run("model not known", func(t *testing.T) {
				path, body := d.other("mm")
				got := rig.ask(t, path, body)
				rig.checkRefusal(t, d, got, 404, "model", "did you mean 'm'")
				rig.checkRecord(t, ledger{Status: 404, Error: "model_not_found", Source: gateway.SourceNone})
			})
			t.Run("cap too high", func(t *testing.T) {
				body := strings.Replace(open, `,"max_tokens":100`, "", 1) + "," + fmt.Sprintf(d.cap, 1001) + "}"
				got := rig.ask(t, d.pathOf(body), body)
				rig.checkRefusal(t, d, got, 400, d.capParam, "is 1001, but the site allows 1000")
				rig.record(t)
			})
			t.Run("chunked and too large", func(t *testing.T) {
				c := dial(t, rig.Addr)
				fmt.Fprintf(c.conn, "POST %s HTTP/1.1\r\nHost: test\r\nX-Request-Id: %s\r\nTransfer-Encoding: chunked\r\n\r\n", d.pathOf(""), requestID)
				body := open + `,"x":"` + strings.Repeat("x", 70<<10) + `"}`
				fmt.Fprintf(c.conn, "%s0\r\n\r\n", chunked(body))
				rig.checkRefusal(t, d, c.reply(t), 413, "", "65536 bytes")
				rig.record(t)
			})
			t.Run("good", func(t *testing.T) {
				checkReply(t, &reply{status: 200, body: d.answer}, rig.ask(t, d.pathOf(""), open+","+fmt.Sprintf(d.sampling, "1.5")+`,"unknown":{"Model":1,"user":"u"}}`))
				rig.checkRecord(t, complete(d))
				rig.upstreamCalls()
			})
		})
	}
}

// TestNodes bounds the values of a body, not only its bytes.
func TestNodes(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	got := rig.ask(t, d.path, strings.TrimSuffix(d.whole, "}")+`,"x":[`+strings.Repeat("1,", 100_000)+`1]}`)
	rig.checkRefusal(t, d, got, 400, "", "limit")
	rig.record(t)
}

// TestPackedBodies takes gzip, but no bombs, and nothing else.
func TestPackedBodies(t *testing.T) {
	d := doors[0]
	pack := func(s string) string {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		_, _ = zw.Write([]byte(s))
		_ = zw.Close()
		return b.String()
	}
	rig := newRig(t, d, "", "max_body 1MiB")
	rig.answers(whole(200, d.answer))
	for _, encoding := range []string{"gzip", "GZip", "x-gzip"} {
		t.Run(encoding, func(t *testing.T) {
			checkReply(t, &reply{status: 200, body: d.answer}, rig.ask(t, d.path, pack(d.whole), "Content-Encoding: "+encoding))
			rig.checkRecord(t, complete(d))
			call := rig.upstreamCalls()[0]
			if diff := cmp.Diff(strings.Replace(d.whole, `"m"`, `"gpt-4o"`, 1), string(call.Body)); diff != "" || call.Header.Get("Content-Encoding") != "" {
				t.Errorf("encoding %q, body\n%s", call.Header.Get("Content-Encoding"), diff)
			}
		})
	}
	for _, tt := range []struct {
		name, body, encoding string
		status               int
		message              string
	}{
		{"bomb", pack(`{"x":"` + strings.Repeat("x", 100<<20) + `"}`), "gzip", 413, "max_body"},
		{"no gzip", d.whole, "gzip", 400, "gzip"},
		{"cut", pack(d.whole)[:40], "gzip", 400, "read to its end"},
		{"other", d.whole, "br", 400, "'br' is not supported"},
		{"twice", pack(pack(d.whole)), "gzip, gzip", 400, "not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := rig.ask(t, d.path, tt.body, "Content-Encoding: "+tt.encoding)
			rig.checkRefusal(t, d, got, tt.status, "", tt.message)
			rig.record(t)
		})
	}
}

// TestOutputCap writes the cap into requests that have none, in the member
// that the upstream knows.
func TestOutputCap(t *testing.T) {
	chat, responses, messages := doors[0], doors[1], doors[2]
	for _, tt := range []struct {
		name, provider, path, body, want string
		answer                           string
	}{
		{"chat", "openai", chat.path, chat.whole, `,"max_completion_tokens":500}`, chat.answer},
		{"chat, compatible", "vllm", chat.path, chat.whole, `,"max_tokens":500}`, chat.answer},
		{"null", "vllm", chat.path, `{"model":"m","max_tokens":null,"messages":[{}]}`, `{"model":"gpt-4o","max_tokens":500,"messages":[{}]}`, chat.answer},
		{"own cap", "openai", chat.path, `{"model":"m","max_tokens":5,"messages":[{}]}`, `{"model":"gpt-4o","max_tokens":5,"messages":[{}]}`, chat.answer},
		{"completions", "openai", "/v1/completions", `{"model":"m","prompt":"hi"}`, `{"model":"gpt-4o","prompt":"hi","max_tokens":500}`, chat.answer},
		{"responses", "openai", responses.path, responses.whole, `,"max_output_tokens":500}`, responses.answer},
		{"messages", "anthropic", messages.path, `{"model":"m","messages":[{}]}`, `{"model":"gpt-4o","messages":[{}],"max_tokens":500}`, messages.answer},
		{"embeddings", "openai", "/v1/embeddings", `{"model":"m","input":"hi"}`, `{"model":"gpt-4o","input":"hi"}`, `{"data":[]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := door{provider: tt.provider, model: "gpt-4o"}
			rig := newRig(t, &d, "max_output_tokens 500", "max_output_tokens 1000")
			rig.answers(whole(200, tt.answer))
			if got := rig.ask(t, tt.path, tt.body); got.status != 200 {
				t.Fatalf("status %d, body %s", got.status, got.body)
			}
			if got := string(rig.upstreamCalls()[0].Body); !strings.HasSuffix(got, tt.want) {
				t.Errorf("upstream body %s, want …%s", got, tt.want)
			}
			rig.record(t)
		})
	}
	t.Run("model's own is lower", func(t *testing.T) {
		rig := newRig(t, chat, "max_output_tokens 500", "max_output_tokens 1000")
		got := rig.ask(t, chat.path, `{"model":"m","max_tokens":501,"messages":[{}]}`)
		rig.checkRefusal(t, chat, got, 400, "max_tokens", "model 'm' allows 500")
		rig.record(t)
	})
	t.Run("messages without any", func(t *testing.T) {
		rig := newRig(t, messages, "", "")
		got := rig.ask(t, messages.path, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
		rig.checkRefusal(t, messages, got, 400, "max_tokens", "missing required parameter: 'max_tokens'")
		rig.record(t)
	})
}

// TestInputLimits refuses prompts that are too long before anybody is paid.
func TestInputLimits(t *testing.T) {
	long := strings.Repeat(" word", 60)
	for _, tt := range []struct {
		name, options, site, code, message string
	}{
		{"site", "", "max_input_tokens 50", "invalid_value", "the site allows 50 at most (max_input_tokens)"},
		{"model", "max_input_tokens 50", "", "invalid_value", "model 'm' allows 50 at most (max_input_tokens)"},
		{"context window", "context_window 50", "", "context_length_exceeded", "more than the context window of 'gpt-4o' (50 tokens)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := doors[0]
			rig := newRig(t, d, tt.options, tt.site)
			got := rig.ask(t, d.path, strings.Replace(d.whole, `"hi"`, `"`+long+`"`, 1))
			rig.checkRefusal(t, d, got, 400, "messages", tt.message)
			if !strings.Contains(got.body, `"code":"`+tt.code+`"`) {
				t.Errorf("body %s", got.body)
			}
			rig.record(t)
			rig.answers(whole(200, d.answer))
			checkReply(t, &reply{status: 200, body: d.answer}, rig.ask(t, d.path, d.whole))
			rig.record(t)
		})
	}
}

// TestAllowParams names the parameters that may pass.
func TestAllowParams(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "allow_params temperature top_p", "")
	rig.answers(whole(200, d.answer))
	open := strings.TrimSuffix(d.whole, "}")
	checkReply(t, &reply{status: 200, body: d.answer}, rig.ask(t, d.path, open+`,"top_p":1}`))
	rig.record(t)
	rig.upstreamCalls()
	rig.checkRefusal(t, d, rig.ask(t, d.path, open+`,"seed":1}`), 400, "seed", "allow_params")
	rig.record(t)
}

// TestRequired names the member that an operation lacks.
func TestRequired(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "")
	for path, cases := range map[string]map[string]string{
		"/v1/chat/completions":   {`{"model":"m"}`: "messages", `{"messages":[{}]}`: "model", `{"model":"m","messages":[]}`: "messages"},
		"/v1/completions":        {`{"model":"m"}`: "prompt"},
		"/v1/embeddings":         {`{"model":"m"}`: "input", `{"input":"a"}`: "model"},
		"/v1/moderations":        {`{}`: "input"},
		"/v1/images/generations": {`{"model":"m"}`: "prompt"},
		"/v1/audio/speech":       {`{"model":"m"}`: "input"},
		"/v1/rerank":             {`{"model":"m","query":"q"}`: "documents"},
	} {
		for body, param := range cases {
			t.Run(path+"/"+param, func(t *testing.T) {
				rig.checkRefusal(t, d, rig.ask(t, path, body), 400, param, "'"+param+"'")
				rig.record(t)
			})
		}
	}
}

// TestPaths answers what is no call in the shape that the caller can read.
func TestPaths(t *testing.T) {
	chat, messages := doors[0], doors[2]
	rig := newRig(t, chat, "", "")
	send := func(t *testing.T, method, path string, headers ...string) *reply {
		c := dial(t, rig.Addr)
		fmt.Fprintf(c.conn, "%s %s HTTP/1.1\r\nHost: test\r\nX-Request-Id: %s\r\n%s\r\n", method, path, requestID, strings.Join(append(headers, ""), "\r\n"))
		res, err := http.ReadResponse(c.br, &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		_, _ = b.ReadFrom(res.Body)
		return &reply{status: res.StatusCode, header: res.Header, body: b.String()}
	}
	t.Run("unknown, openai", func(t *testing.T) {
		rig.checkRefusal(t, chat, send(t, "POST", "/v1/nothing"), 404, "", "POST /v1/nothing")
	})
	t.Run("unknown, anthropic", func(t *testing.T) {
		rig.checkRefusal(t, messages, send(t, "GET", "/v1/messages/nothing"), 404, "", "/v1/messages/nothing")
	})
	t.Run("unknown, anthropic by header", func(t *testing.T) {
		rig.checkRefusal(t, messages, send(t, "GET", "/v1/nothing", "anthropic-version: 2023-06-01"), 404, "", "/v1/nothing")
	})
	t.Run("method", func(t *testing.T) {
		got := send(t, "GET", "/v1/chat/completions")
		rig.checkRefusal(t, chat, got, 405, "", "use POST")
		if got.header.Get("Allow") != "POST" {
			t.Errorf("Allow %q", got.header.Get("Allow"))
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		if got := send(t, "HEAD", "/"); got.status != 200 || got.body != "" {
			t.Errorf("status %d, body %q", got.status, got.body)
		}
	})
	if n := len(rig.Records.All()); n != 0 {
		t.Errorf("%d records", n)
	}
}

// TestStrangers serves private addresses only while no key is configured.
func TestStrangers(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRigWith(t, "servers {\ntrusted_proxies static 127.0.0.1/32\n}", d, "", "ai_gateway")
			rig.answers(whole(200, d.answer))
			for _, addr := range []string{"203.0.113.7", "2001:db8::1", "100.64.0.1"} {
				rig.checkRefusal(t, d, rig.ask(t, d.pathOf(d.whole), d.whole, "X-Forwarded-For: "+addr), 401, "", "loopback and private")
				rig.checkRecord(t, ledger{Status: 401, Error: "authentication", Source: gateway.SourceNone})
			}
			checkReply(t, &reply{status: 200, body: d.answer}, rig.ask(t, d.pathOf(d.whole), d.whole, "X-Forwarded-For: 10.0.0.7"))
			rig.checkRecord(t, complete(d))
		})
	}
}
