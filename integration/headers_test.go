package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestRequestID takes a client's id when it is short and safe to log, and
// mints one when it is not.
func TestRequestID(t *testing.T) {
	for _, d := range doors {
		rig := newRig(t, d, "", "")
		rig.answers(whole(200, d.answer))
		for _, tt := range []struct {
			name, id string
			taken    bool
		}{
			{"plain", "abc-123_X.y:z", true},
			{"longest", strings.Repeat("x", 128), true},
			{"too long", strings.Repeat("x", 129), false},
			{"space", "a b", false},
			{"quote", `a"b`, false},
			{"not ASCII", "ä", false},
			{"empty", "", false},
		} {
			t.Run(d.name+"/"+tt.name, func(t *testing.T) {
				req, err := http.NewRequest(http.MethodPost, rig.URL+d.pathOf(d.whole), strings.NewReader(d.whole))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("X-Request-Id", tt.id)
				res, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				http.DefaultClient.CloseIdleConnections()
				id := res.Header.Get("X-Request-Id")
				if (id == tt.id) != tt.taken || id == "" {
					t.Errorf("id %q", id)
				}
				want := ""
				if d.name == "messages" {
					want = id
				}
				if got := res.Header.Get("Request-Id"); got != want {
					t.Errorf("request-id %q, want %q", got, want)
				}
				if record := rig.record(t); record.RequestID != id {
					t.Errorf("record has the id %q, the client %q", record.RequestID, id)
				}
			})
		}
	}
}

// secretive are headers of clients that no upstream may see.
var secretive = []string{
	"Authorization: Bearer sk-client-secret", "X-Api-Key: sk-client-secret", "Api-Key: sk-client-secret", "X-Goog-Api-Key: sk-client-secret",
	"Cookie: session=sk-client-secret", "Proxy-Authorization: Basic sk-client-secret", "X-Forwarded-For: 10.9.9.9", "X-Forwarded-Host: inside.example",
	"Forwarded: for=10.9.9.9", "Via: 1.1 inside", "Idempotency-Key: k1", "X-Idempotency-Key: k1", "Referer: http://inside.example/",
	"User-Agent: client/1", "Accept-Encoding: br", "X-Stainless-Os: Linux", "X-AI-Metadata: on", "Te: trailers", "Connection: x-hop", "X-Hop: 1",
	"Anthropic-Version: 2023-06-01", "Anthropic-Beta: tools-2024-04-04,other", "Openai-Organization: org-1", "Openai-Beta: assistants=v2", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}

// TestRequestHeaders sends upstreams what their protocol names and nothing
// else; their own credentials, not the client's.
func TestRequestHeaders(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig := newRig(t, d, "", "")
			rig.answers(events(d.stream(1)))
			rig.ask(t, d.path, d.body, secretive...)
			rig.record(t)
			want := http.Header{
				"Accept":          {"text/event-stream"},
				"Accept-Encoding": {"identity"},
				"Content-Type":    {"application/json"},
				"User-Agent":      {"Weir (+https://github.com/weirproxy/weir)"},
			}
			if d.provider == "anthropic" {
				want["X-Api-Key"] = []string{"sk-upstream-secret"}
				want["Anthropic-Version"] = []string{"2023-06-01"}
				want["Anthropic-Beta"] = []string{"tools-2024-04-04,other"}
			} else if d.provider == "gemini" {
				want["X-Goog-Api-Key"] = []string{"sk-upstream-secret"}
			} else {
				want["Authorization"] = []string{"Bearer sk-upstream-secret"}
				want["Openai-Organization"] = []string{"org-1"}
				want["Openai-Beta"] = []string{"assistants=v2"}
			}
			got := rig.upstreamCalls()[0].Header
			got.Del("Content-Length")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("upstream header (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("compatible", func(t *testing.T) {
		d := *doors[0]
		d.provider = "vllm"
		rig := newRig(t, &d, "", "")
		rig.answers(events(d.stream(1)))
		rig.ask(t, d.path, d.body, secretive...)
		rig.record(t)
		for name := range rig.upstreamCalls()[0].Header {
			if strings.HasPrefix(name, "Openai-") || strings.HasPrefix(name, "Anthropic-") {
				t.Errorf("the upstream saw %s, which is another vendor's", name)
			}
		}
	})
}

// TestAnswerHeaders passes on of an upstream's header what clients may see.
func TestAnswerHeaders(t *testing.T) {
	for _, d := range doors {
		rig := newRig(t, d, "", "")
		for _, streamed := range []bool{false, true} {
			name, body := d.name+"/whole", d.whole
			if streamed {
				name, body = d.name+"/stream", d.body
			}
			t.Run(name, func(t *testing.T) {
				rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
					h := w.Header()
					for _, header := range []string{"Set-Cookie", "Server", "Openai-Organization", "Anthropic-Organization-Id", "X-Ratelimit-Remaining-Tokens", "Anthropic-Ratelimit-Tokens-Remaining", "Cf-Ray", "Via", "Strict-Transport-Security", "Access-Control-Allow-Origin", "X-Ai-Cost-Usd"} {
						h.Set(header, "upstream-secret")
					}
					h.Set("X-Request-Id", "up-1")
					if streamed {
						events(d.stream(1))(w, r)
						return
					}
					whole(200, d.answer)(w, r)
				})
				got := rig.ask(t, d.pathOf(body), body)
				for name, values := range got.header {
					if strings.Contains(strings.Join(values, " "), "upstream-secret") {
						t.Errorf("the client saw %s", name)
					}
				}
				want := map[string]string{
					"X-Request-Id": requestID, "X-Upstream-Request-Id": "up-1", "X-Ai-Provider": "up", "X-Ai-Model": d.model, "X-Ai-Attempts": "1",
				}
				if !streamed {
					want["X-Ai-Input-Tokens"], want["X-Ai-Output-Tokens"], want["Cache-Control"] = "21", "7", "no-store"
				}
				for name, v := range want {
					if got := got.header.Get(name); got != v {
						t.Errorf("%s %q, want %q", name, got, v)
					}
				}
				timing := got.header.Get("Server-Timing")
				for _, phase := range []string{"auth;dur=", "route;dur=", "upstream;dur=", "total;dur="} {
					if !strings.Contains(timing, phase) {
						t.Errorf("Server-Timing %q lacks %s", timing, phase)
					}
				}
				if record := rig.checkRecord(t, complete(d)); record.UpstreamID != "up-1" || record.BytesOut != int64(len(got.body)) {
					t.Errorf("upstream id %q, %d bytes of %d", record.UpstreamID, record.BytesOut, len(got.body))
				}
			})
		}
	}
}

// TestKeyInTranslatedError does so for clients of every dialect.
func TestKeyInTranslatedError(t *testing.T) {
	r := newTranslation(t, "", "")
	for _, client := range doors {
		for _, up := range upstreams() {
			for _, status := range []int{400, 401, 500} {
				t.Run(fmt.Sprintf("%s/%s/%d", client.name, up.name, status), func(t *testing.T) {
					tracker(t).Reset(up.name + "-p")
					said := up.errorBody
					if said == "" {
						said = `{"message":"it broke"}`
					}
					r.answers(whole(status, strings.Replace(said, "it broke", "it broke at sk-upstream-secret", 1)))
					path, body := client.to(up, client.whole)
					got := r.ask(t, path, body)
					r.record(t)
					if !strings.Contains(got.body, "it broke at ") || strings.Contains(got.body, "sk-upstream-secret") {
						t.Errorf("%d %s", got.status, got.body)
					}
				})
			}
		}
	}
}

// TestKeyInError hides the account's key where an upstream quotes it.
func TestKeyInError(t *testing.T) {
	d := doors[0]
	rig := newRig(t, d, "", "heartbeat 20ms")
	for name, answer := range map[string]answerer{
		"status":  whole(401, `{"error":{"message":"bad key sk-upstream-secret","type":"x"}}`),
		"escaped": whole(400, `{"error":{"message":"bad key sk\u002dupstream\u002dsecret","type":"x"}}`),
		"encoded": whole(400, `{"error":{"message":"bad key in QmVhcmVyIHNrLXVwc3RyZWFtLXNlY3JldA==","type":"x"}}`),
		"in band": whole(200, `{"error":{"message":"bad key sk-upstream-secret","type":"x"}}`),
		"event":   events(`data: {"error":{"message":"bad key sk-upstream-secret","type":"x"}}` + "\n\n"),
		"late":    events(d.prelude + d.words(1) + `data: {"error":{"message":"bad key sk-upstream-secret","type":"x"}}` + "\n\n"),
	} {
		for _, body := range []string{d.whole, d.body} {
			t.Run(name, func(t *testing.T) {
				rig.answers(answer)
				got := rig.ask(t, d.path, body)
				rig.record(t)
				if !strings.Contains(got.body, "bad key") && name != "late" || strings.Contains(got.body, "secret") || strings.Contains(got.body, "LXVwc3RyZWFtLXNl") {
					t.Errorf("body %s", got.body)
				}
			})
		}
	}
}
