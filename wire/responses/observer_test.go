package responses_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/responses"
)

func one(t testing.TB, data string) *sse.Event {
	t.Helper()
	ev := new(sse.Event)
	if err := sse.NewReader(strings.NewReader("data: "+data+"\n\n"), sse.MaxEvent).Next(ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestClasses(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       wire.Class
		text       string
	}{
		{"created", `{"type":"response.created","response":{"id":"r","status":"in_progress"}}`, 0, ""},
		{"in progress", `{"type":"response.in_progress","response":{}}`, 0, ""},
		{"queued", `{"type":"response.queued","response":{}}`, 0, ""},
		{"an item", `{"type":"response.output_item.added","item":{"type":"message"}}`, 0, ""},
		{"a part", `{"type":"response.content_part.added","part":{}}`, 0, ""},
		{"text", `{"type":"response.output_text.delta","delta":"a\u00e9"}`, wire.Content, "aé"},
		{"arguments", `{"type":"response.function_call_arguments.delta","delta":"{"}`, wire.Content, "{"},
		{"a refusal", `{"type":"response.refusal.delta","delta":"no"}`, wire.Content, "no"},
		{"an event of tomorrow", `{"type":"response.hologram.delta","delta":{"x":1}}`, wire.Content, ""},
		{"completed", `{"type":"response.completed","response":{"status":"completed"}}`, wire.Terminal, ""},
		{"incomplete", `{"type":"response.incomplete","response":{"status":"incomplete"}}`, wire.Terminal, ""},
		{"failed", `{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}`, wire.Failed | wire.Terminal, ""},
		{"failed without a word", `{"type":"response.failed","response":{}}`, wire.Failed | wire.Terminal, ""},
		{"an error", `{"type":"error","code":"server_error","message":"m"}`, wire.Failed, ""},
		{"an error inside", `{"type":"error","error":{"code":"server_error","message":"m"}}`, wire.Failed, ""},
		{"an end of others", `[DONE]`, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			got, err := responses.Door{}.Observer().Event(one(t, tt.data), &seen)
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
	for _, data := range []string{`{"type":`, `x`, `[]`} {
		if _, err := (responses.Door{}).Observer().Event(one(t, data), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: error %v", data, err)
		}
		if err := (responses.Door{}).Observer().Answer([]byte(data), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("answer %s: error %v", data, err)
		}
	}
}

func TestSeen(t *testing.T) {
	const usage = `"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":17}`
	used := wire.Usage{Input: 10, Output: 7, CacheRead: 4, CacheWrite: 2, Reasoning: 3}
	for _, tt := range []struct {
		name string
		data []string
		want wire.Seen
	}{
		{"completed", []string{
			`{"type":"response.created","sequence_number":0,"response":{"id":"r","model":"m","status":"in_progress","usage":null}}`,
			`{"type":"response.completed","sequence_number":5,"response":{"id":"r","model":"m","status":"completed",` + usage + `}}`,
		}, wire.Seen{ID: "r", Model: "m", Finish: "completed", Usage: used, Reported: true, Sequence: 5}},
		{"incomplete", []string{
			`{"type":"response.incomplete","sequence_number":5,"response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},` + usage + `}}`,
		}, wire.Seen{Finish: "max_output_tokens", Usage: used, Reported: true, Sequence: 5}},
		{"the reason before the status", []string{
			`{"response":{"incomplete_details":{"reason":"content_filter"},"status":"incomplete"},"type":"response.incomplete"}`,
		}, wire.Seen{Finish: "content_filter"}},
		{"failed", []string{
			`{"type":"response.failed","sequence_number":5,"response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"usage":null}}`,
		}, wire.Seen{Finish: "failed", Sequence: 5, Failure: &wire.Failure{Kind: wire.KindRateLimit, Message: "slow"}}},
		{"too long, in other words", []string{
			`{"type":"error","sequence_number":5,"error":{"code":null,"message":"Your input exceeds the context window of this model"}}`,
		}, wire.Seen{Sequence: 5, Failure: &wire.Failure{Kind: wire.KindContextLength, Message: "Your input exceeds the context window of this model"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen wire.Seen
			observer := responses.Door{}.Observer()
			for _, data := range tt.data {
				if _, err := observer.Event(one(t, data), &seen); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, seen, cmpopts.IgnoreFields(wire.Seen{}, "Text")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Seen
	}{
		{"a response", `{"id":"r","object":"response","status":"completed","error":null,"model":"m","usage":{"input_tokens":1,"output_tokens":2}}`, wire.Seen{ID: "r", Model: "m", Finish: "completed", Reported: true, Usage: wire.Usage{Input: 1, Output: 2}}},
		{"queued", `{"id":"r","status":"queued","usage":null}`, wire.Seen{ID: "r", Finish: "queued"}},
		{"a count", `{"object":"response.input_tokens","input_tokens":12}`, wire.Seen{Reported: true, Usage: wire.Usage{Input: 12}}},
		{"searches", `{"status":"completed","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"open_page"}},{"type":"web_search_call"},{"type":"file_search_call"},{"type":"message","content":[]}],"usage":{"input_tokens":1,"output_tokens":2}}`, wire.Seen{Finish: "completed", Reported: true, Usage: wire.Usage{Input: 1, Output: 2}, Details: wire.Details{WebSearches: 2}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen wire.Seen
			if err := (responses.Door{}).Observer().Answer([]byte(tt.body), &seen); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, seen, cmpopts.IgnoreFields(wire.Seen{}, "Text")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnswerText holds that the generated text of a whole answer is there to be counted,
// for servers that report no usage.
func TestAnswerText(t *testing.T) {
	const body = `{"id":"r","status":"completed","output":[{"type":"reasoning","id":"a","summary":[{"type":"summary_text","text":"s"}],"content":[{"type":"reasoning_text","text":"t"}]},{"type":"message","id":"b","role":"assistant","content":[{"type":"output_text","text":"x\u00e9","annotations":[]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"custom_tool_call","name":"g","input":"in"},{"type":"web_search_call","status":"completed"}],"usage":null}`
	text := ""
	seen := wire.Seen{Text: func(b []byte) { text += string(b) + "|" }}
	if err := (responses.Door{}).Observer().Answer([]byte(body), &seen); err != nil || seen.Reported {
		t.Fatal(err, seen.Reported)
	}
	if want := "s|t|xé|no|f|{}|g|in|"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
}

// TestErrorEvent checks that what ends a broken response continues its
// numbers and is what SDKs know as its end.
func TestErrorEvent(t *testing.T) {
	for name, tt := range map[string]struct {
		seen wire.Seen
		want string
	}{
		"before anything": {wire.Seen{Sequence: -1}, `{"type":"response.failed","sequence_number":0,"response":{"id":"resp_req-1",`},
		"in the middle":   {wire.Seen{Sequence: 7, ID: "r", Model: "m"}, `{"type":"response.failed","sequence_number":8,"response":{"id":"r",`},
	} {
		t.Run(name, func(t *testing.T) {
			raw := string(responses.Door{}.AppendErrorEvent(nil, &wire.Failure{Kind: wire.KindUpstream, Message: "gone", RequestID: "req-1"}, &tt.seen))
			if !strings.HasPrefix(raw, "event: response.failed\ndata: "+tt.want) {
				t.Errorf("event %s", raw)
			}
			_, data, _ := strings.Cut(strings.TrimSpace(raw), "data: ")
			var seen wire.Seen
			if class, err := (responses.Door{}).Observer().Event(one(t, data), &seen); err != nil || class != wire.Failed|wire.Terminal || seen.Failure.Message != "gone" {
				t.Errorf("class %06b, %+v, %v", class, seen.Failure, err)
			}
		})
	}
}

func TestEventDoesNotAllocate(t *testing.T) {
	observer := responses.Door{}.Observer()
	seen := &wire.Seen{Text: func([]byte) {}}
	ev := one(t, `{"type":"response.output_text.delta","sequence_number":3,"item_id":"m","output_index":0,"content_index":0,"delta":" w\u00e9ir","obfuscation":"x"}`)
	read := func() {
		if _, err := observer.Event(ev, seen); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if got := testing.AllocsPerRun(100, read); got != 0 {
		t.Errorf("%v allocations per event", got)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"type":"response.failed","response":{"error":{}}}`))
	f.Add([]byte(`{"type":"response.completed","response":{"usage":{"input_tokens":1}}}`))
	f.Add([]byte(`{"type":"error"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		seen := wire.Seen{Text: func([]byte) {}}
		observer := responses.Door{}.Observer()
		class, _ := observer.Event(&sse.Event{Data: data, HasData: true}, &seen)
		if class.Has(wire.Failed) && seen.Failure == nil {
			t.Errorf("an error event without a failure: %q", data)
		}
		_ = observer.Answer(data, &seen)
	})
}

// TestFailureKinds files what an upstream says of its failure in the stream.
func TestFailureKinds(t *testing.T) {
	for _, tt := range []struct {
		code, message string
		want          wire.Kind
	}{
		{"context_length_exceeded", "m", wire.KindContextLength},
		{"invalid_prompt", "Your input exceeds the context window of this model.", wire.KindContextLength},
		{"invalid_prompt", "m", wire.KindInvalid},
		{"content_policy_violation", "m", wire.KindPolicy},
		{"insufficient_quota", "m", wire.KindBudget},
		{"server_error", "m", wire.KindUpstream},
	} {
		var seen wire.Seen
		_, err := responses.Door{}.Observer().Event(one(t, `{"type":"error","error":{"code":"`+tt.code+`","message":"`+tt.message+`"}}`), &seen)
		if err != nil || seen.Failure == nil || seen.Failure.Kind != tt.want {
			t.Errorf("%s, %s: %+v, %v, want %s", tt.code, tt.message, seen.Failure, err, tt.want)
		}
	}
}
