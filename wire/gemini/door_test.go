package gemini_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
)

func one(t testing.TB, text string) *sse.Event {
	t.Helper()
	ev := new(sse.Event)
	if err := sse.NewReader(strings.NewReader(text), sse.MaxEvent).Next(ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

func frame(data string) string { return "data: " + data + "\r\n\r\n" }

func parts(list string) string {
	return frame(`{"candidates":[{"content":{"parts":[` + list + `],"role":"model"},"index":0}]}`)
}

func TestClasses(t *testing.T) {
	for _, tt := range []struct {
		name, event string
		want        wire.Class
		text        string
	}{
		{"a heartbeat", frame(`{"candidates":[]}`), 0, ""},
		{"usage alone", frame(`{"usageMetadata":{"promptTokenCount":1}}`), 0, ""},
		{"no parts", frame(`{"candidates":[{"content":{"role":"model"},"index":0}]}`), 0, ""},
		{"an empty text", parts(`{"text":""}`), 0, ""},
		{"text", parts(`{"text":"a\u00e9"}`), wire.Content, "aé"},
		{"a thought", parts(`{"thought":true,"text":"hm"}`), wire.Content, "hm"},
		{"a call", parts(`{"functionCall":{"name":"f","args":{"a":1}}}`), wire.Content, `f{"a":1}`},
		{"a call without arguments", parts(`{"functionCall":{"name":"f","args":{}}}`), wire.Content, "f"},
		{"a piece of a call", parts(`{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"x"}]}}`), wire.Content, "x"},
		{"an image", parts(`{"inlineData":{"mimeType":"image/png","data":"AA=="}}`), wire.Content, ""},
		{"code", parts(`{"executableCode":{"code":"1+1"}}`), wire.Content, "1+1"},
		{"a signature", parts(`{"text":"","thoughtSignature":"AA=="}`), wire.Content, ""},
		{"a part of tomorrow", parts(`{"hologram":1}`), wire.Content, ""},
		{"the reason", frame(`{"candidates":[{"finishReason":"STOP","index":0}]}`), wire.Finishing, ""},
		{"the reason as a number", frame(`{"candidates":[{"finishReason":2}]}`), wire.Finishing, ""},
		{"no reason yet", frame(`{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}`), 0, ""},
		{"a blocked prompt", frame(`{"promptFeedback":{"blockReason":"SAFETY"}}`), wire.Finishing, ""},
		{"feedback without a block", frame(`{"promptFeedback":{"safetyRatings":[]}}`), 0, ""},
		{"an error", frame(`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`), wire.Failed, ""},
		{"an error in an array", frame(`[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]`), wire.Failed, ""},
		{"a comment", ": hi\n\n", 0, ""},
		{"a shape of tomorrow", frame(`{"surprise":1}`), wire.Content, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			got, err := gemini.Door{}.Observer().Event(one(t, tt.event), &seen)
			if err != nil || got != tt.want || text != tt.text {
				t.Errorf("class %06b, want %06b; text %q, want %q; error %v", got, tt.want, text, tt.text, err)
			}
			if got.Has(wire.Failed) && seen.Failure == nil {
				t.Error("no failure")
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	for _, data := range []string{`{"candidates":`, `x`, `"a"`} {
		if _, err := (gemini.Door{}).Observer().Event(one(t, frame(data)), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: error %v", data, err)
		}
		if err := (gemini.Door{}).Observer().Answer([]byte(data), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("answer %s: error %v", data, err)
		}
		if _, err := (gemini.Codec{}).DecodeResponse([]byte(data)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("decoding %s: error %v", data, err)
		}
		if err := (gemini.Codec{}).StreamDecoder().Decode(one(t, frame(data)), func(*wire.Event) {}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("decoding event %s: error %v", data, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Seen
		text       string
	}{
		{
			"a generation",
			`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"toolUsePromptTokenCount":3,"candidatesTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":20},"modelVersion":"m","responseId":"r"}`,
			wire.Seen{ID: "r", Model: "m", Finish: "STOP", Reported: true, Usage: wire.Usage{Input: 13, Output: 7, CacheRead: 4, Reasoning: 2}, Details: wire.Details{ToolInput: 3}},
			"a",
		},
		{
			"a stream as an array", `[{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":1}},{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":1}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}]`,
			wire.Seen{Finish: "STOP", Reported: true, Usage: wire.Usage{Input: 1, Output: 2}},
			"ab",
		},
		{"a count", `{"totalTokens":9,"promptTokensDetails":[]}`, wire.Seen{Reported: true, Usage: wire.Usage{Input: 9}}, ""},
		{"embeddings", `{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":3}}`, wire.Seen{Reported: true, Usage: wire.Usage{Input: 3}}, ""},
		{"no counts", `{"usageMetadata":{"trafficType":"ON_DEMAND"}}`, wire.Seen{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			if err := (gemini.Door{}).Observer().Answer([]byte(tt.body), &seen); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, seen, cmpopts.IgnoreFields(wire.Seen{}, "Text")); diff != "" || text != tt.text {
				t.Errorf("text %q: %s", text, diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Failure
	}{
		{"overloaded", `{"code":503,"message":"m","status":"UNAVAILABLE"}`, wire.Failure{Kind: wire.KindOverloaded}},
		{"the status counts more than the code", `{"code":500,"message":"m","status":"UNAVAILABLE"}`, wire.Failure{Kind: wire.KindOverloaded}},
		{"a code alone", `{"code":504,"message":"m"}`, wire.Failure{Kind: wire.KindTimeout}},
		{
			"a minute's quota", `{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProject"}]},{"retryDelay":"34.5s"}]}`,
			wire.Failure{Kind: wire.KindRateLimit, RetryAfter: 34500 * time.Millisecond},
		},
		{"a day's quota", `{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}`, wire.Failure{Kind: wire.KindBudget}},
		{"a bad key under 400", `{"code":400,"message":"m","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}`, wire.Failure{Kind: wire.KindAuthentication}},
		{"a long prompt", `{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (5).","status":"INVALID_ARGUMENT"}`, wire.Failure{Kind: wire.KindContextLength}},
		{"just words", `"m"`, wire.Failure{Kind: wire.KindUpstream}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen wire.Seen
			if err := (gemini.Door{}).Observer().Answer([]byte(`{"error":`+tt.body+`}`), &seen); err != nil || seen.Failure == nil {
				t.Fatal(err, seen)
			}
			if seen.Failure.Message == "" {
				t.Error("no message")
			}
			if diff := cmp.Diff(&tt.want, seen.Failure, cmpopts.IgnoreFields(wire.Failure{}, "Message")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOwnEvents(t *testing.T) {
	door := gemini.Door{Op: wire.GeminiGenerate}
	seen := wire.Seen{ID: "r", Model: "m"}
	ev := one(t, string(door.AppendErrorEvent(nil, &wire.Failure{Kind: wire.KindOverloaded, Message: "busy\n"}, &seen)))
	if class, err := door.Observer().Event(ev, &seen); err != nil || class != wire.Failed || seen.Failure.Kind != wire.KindOverloaded {
		t.Errorf("error event %q: class %06b, %+v, %v", ev.Raw, class, seen.Failure, err)
	}
	for name, raw := range map[string][]byte{"heartbeat": door.AppendHeartbeat(nil), "metadata": door.AppendMetadata(nil, []byte(`{"a":1}`), &seen)} {
		ev := one(t, string(raw))
		if class, err := door.Observer().Event(ev, &seen); err != nil || class != 0 || ev.Name != nil || !ev.Clean {
			t.Errorf("%s %q: class %06b, %v", name, raw, class, err)
		}
		if !bytes.HasSuffix(raw, []byte("\r\n\r\n")) {
			t.Errorf("%s %q", name, raw)
		}
	}
	if got := string(door.AppendMetadata(nil, []byte(`{"a":1}`), &seen)); got != frame(`{"candidates":[],"modelVersion":"m","responseId":"r","aiMetadata":{"a":1}}`) {
		t.Errorf("metadata %q", got)
	}
}

func TestEventDoesNotAllocate(t *testing.T) {
	observer := gemini.Door{}.Observer()
	seen := &wire.Seen{Text: func([]byte) {}}
	for _, text := range []string{
		parts(`{"text":" weir"}`),
		parts(`{"functionCall":{"name":"f","args":{"a":1}}}`),
		frame(`{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":46,"candidatesTokenCount":22,"totalTokenCount":135,"promptTokensDetails":[{"modality":"TEXT","tokenCount":46}]},"modelVersion":"m","responseId":"r"}`),
	} {
		ev := one(t, text)
		read := func() {
			if _, err := observer.Event(ev, seen); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if got := testing.AllocsPerRun(100, read); got != 0 {
			t.Errorf("%v allocations for %s", got, text)
		}
	}
}

// TestBlocked is a refusal of the prompt only where nothing was generated.
func TestBlocked(t *testing.T) {
	const feedback, candidate = `{"promptFeedback":{"blockReason":"OTHER"}}`, `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"SAFETY"}]}`
	for name, tt := range map[string]struct {
		events []string
		want   bool
	}{
		"a blocked prompt":           {[]string{feedback, `{"usageMetadata":{"promptTokenCount":1}}`}, true},
		"feedback without a block":   {[]string{`{"promptFeedback":{"safetyRatings":[]}}`}, false},
		"an answer that was cut off": {[]string{candidate}, false},
		"a block beside an answer":   {[]string{`{"promptFeedback":{"blockReason":"OTHER"},"candidates":[{"finishReason":"STOP"}]}`}, false},
		"a block before an answer":   {[]string{feedback, candidate}, false},
		"a block behind an answer":   {[]string{candidate, feedback}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var seen wire.Seen
			observer := gemini.Door{}.Observer()
			for _, event := range tt.events {
				if _, err := observer.Event(one(t, frame(event)), &seen); err != nil {
					t.Fatal(err)
				}
			}
			if seen.Blocked != tt.want {
				t.Errorf("blocked %v", seen.Blocked)
			}
		})
	}
}
