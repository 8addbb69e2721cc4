package anthropic_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
)

func event(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

func one(t testing.TB, text string) *sse.Event {
	t.Helper()
	ev := new(sse.Event)
	if err := sse.NewReader(strings.NewReader(text), sse.MaxEvent).Next(ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestClasses(t *testing.T) {
	start := func(block string) string {
		return event("content_block_start", `{"type":"content_block_start","index":0,"content_block":`+block+`}`)
	}
	delta := func(d string) string {
		return event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":`+d+`}`)
	}
	for _, tt := range []struct {
		name, event string
		want        wire.Class
		text        string
	}{
		{"the start", event("message_start", `{"type":"message_start","message":{"id":"msg_1","content":[],"usage":{"input_tokens":1}}}`), 0, ""},
		{"a ping", event("ping", `{"type":"ping"}`), 0, ""},
		{"an empty text block", start(`{"type":"text","text":""}`), 0, ""},
		{"an empty thinking block", start(`{"type":"thinking","thinking":"","signature":""}`), 0, ""},
		{"a text block with text", start(`{"type":"text","text":"a"}`), wire.Content, "a"},
		{"a tool", start(`{"type":"tool_use","id":"t","name":"f","input":{}}`), wire.Content, "f"},
		{"a server tool", start(`{"type":"server_tool_use","id":"t","name":"f","input":{"a":1}}`), wire.Content, `f{"a":1}`},
		{"redacted thinking", start(`{"type":"redacted_thinking","data":"xx"}`), wire.Content, ""},
		{"a result", start(`{"type":"web_search_tool_result","content":[]}`), wire.Content, ""},
		{"text", delta(`{"type":"text_delta","text":"a\u00e9"}`), wire.Content, "aé"},
		{"empty text", delta(`{"type":"text_delta","text":""}`), 0, ""},
		{"arguments", delta(`{"type":"input_json_delta","partial_json":"{\"a\""}`), wire.Content, `{"a"`},
		{"thinking", delta(`{"type":"thinking_delta","thinking":"hm"}`), wire.Content, "hm"},
		{"a signature", delta(`{"type":"signature_delta","signature":"xx"}`), wire.Content, ""},
		{"a citation", delta(`{"type":"citations_delta","citation":{}}`), wire.Content, ""},
		{"the end of a block", event("content_block_stop", `{"type":"content_block_stop","index":0}`), 0, ""},
		{"the reason", event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`), wire.Finishing, ""},
		{"usage alone", event("message_delta", `{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":5}}`), 0, ""},
		{"the end", event("message_stop", `{"type":"message_stop"}`), wire.Terminal, ""},
		{"an error", event("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`), wire.Failed, ""},
		{"openrouter's end", event("data", "[DONE]"), 0, ""},
		{"an event of tomorrow", event("surprise", `{"type":"surprise"}`), wire.Content, ""},
		{"a shape of tomorrow", event("surprise", `{}`), wire.Content, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			got, err := anthropic.Door{}.Observer().Event(one(t, tt.event), &seen)
			if err != nil || got != tt.want || text != tt.text {
				t.Errorf("class %06b, want %06b; text %q, want %q; error %v", got, tt.want, text, tt.text, err)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	for _, data := range []string{`{"type":`, `x`, `[]`} {
		if _, err := (anthropic.Door{}).Observer().Event(one(t, event("ping", data)), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: error %v", data, err)
		}
		if err := (anthropic.Door{}).Observer().Answer([]byte(data), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("answer %s: error %v", data, err)
		}
	}
}

// TestCumulativeUsage checks that a later report overrides what it names and
// leaves the rest, and that Input has what the cache was read and written for.
func TestCumulativeUsage(t *testing.T) {
	start := event("message_start", `{"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":1}}}`)
	delta := func(usage string) string {
		return event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":`+usage+`}`)
	}
	for _, tt := range []struct {
		name, text string
		want       wire.Usage
		finish     string
	}{
		{"cut after the start", start, wire.Usage{Input: 60, Output: 1, CacheRead: 30, CacheWrite: 20}, ""},
		{"output is cumulative", start + delta(`{"output_tokens":5}`) + delta(`{"output_tokens":9}`), wire.Usage{Input: 60, Output: 9, CacheRead: 30, CacheWrite: 20}, "end_turn"},
		{"input corrected", start + delta(`{"input_tokens":12,"cache_read_input_tokens":0,"output_tokens":9}`), wire.Usage{Input: 32, Output: 9, CacheWrite: 20}, "end_turn"},
		{"null overrides nothing", start + delta(`{"input_tokens":null,"cache_read_input_tokens":null,"output_tokens":9}`), wire.Usage{Input: 60, Output: 9, CacheRead: 30, CacheWrite: 20}, "end_turn"},
		{"thinking", start + delta(`{"output_tokens":9,"output_tokens_details":{"thinking_tokens":4}}`), wire.Usage{Input: 60, Output: 9, CacheRead: 30, CacheWrite: 20, Reasoning: 4}, "end_turn"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			observer := anthropic.Door{}.Observer()
			reader := sse.NewReader(strings.NewReader(tt.text), sse.MaxEvent)
			var seen wire.Seen
			var ev sse.Event
			for reader.Next(&ev) == nil {
				if _, err := observer.Event(&ev, &seen); err != nil {
					t.Fatal(err)
				}
			}
			want := wire.Seen{Usage: tt.want, Reported: true, Finish: tt.finish, ID: "msg_1", Model: "claude"}
			if diff := cmp.Diff(want, seen, cmpopts.IgnoreFields(wire.Seen{}, "Text")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Seen
		text       string
	}{
		{
			"a message", `{"id":"msg_1","type":"message","model":"claude","content":[{"type":"text","text":"a"},{"type":"tool_use","name":"f","input":{"b":1}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":5}}`,
			wire.Seen{ID: "msg_1", Model: "claude", Finish: "tool_use", Reported: true, Usage: wire.Usage{Input: 7, Output: 5, CacheRead: 4}},
			`af{"b":1}`,
		},
		{"a count", `{"input_tokens":9}`, wire.Seen{Reported: true, Usage: wire.Usage{Input: 9}}, ""},
		{"too long", `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}`, wire.Seen{Failure: &wire.Failure{Kind: wire.KindContextLength, Message: "prompt is too long: 9 tokens > 8 maximum"}}, ""},
		{"an error", `{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`, wire.Seen{Failure: &wire.Failure{Kind: wire.KindRateLimit, Message: "slow"}}, ""},
		{"a prompt that is too long", `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}`, wire.Seen{Failure: &wire.Failure{Kind: wire.KindContextLength, Message: "prompt is too long: 9 > 8"}}, ""},
		{"no money", `{"type":"error","error":{"type":"billing_error","message":"pay"}}`, wire.Seen{Failure: &wire.Failure{Kind: wire.KindBudget, Message: "pay"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			if err := (anthropic.Door{}).Observer().Answer([]byte(tt.body), &seen); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, seen, cmpopts.IgnoreFields(wire.Seen{}, "Text")); diff != "" || text != tt.text {
				t.Errorf("text %q: %s", text, diff)
			}
		})
	}
}

func TestOwnEvents(t *testing.T) {
	door := anthropic.Door{}
	var seen wire.Seen
	ev := one(t, string(door.AppendErrorEvent(nil, &wire.Failure{Kind: wire.KindOverloaded, Message: "busy", RequestID: "r"}, &seen)))
	if class, err := door.Observer().Event(ev, &seen); err != nil || class != wire.Failed || string(ev.Name) != "error" || seen.Failure.Kind != wire.KindOverloaded {
		t.Errorf("error event %q: class %06b, %+v, %v", ev.Raw, class, seen.Failure, err)
	}
	for name, raw := range map[string][]byte{"heartbeat": door.AppendHeartbeat(nil), "metadata": door.AppendMetadata(nil, []byte(`{"a":1}`), &seen)} {
		ev := one(t, string(raw))
		if class, err := door.Observer().Event(ev, &seen); err != nil || class != 0 || string(ev.Name) != "ping" || !ev.Clean {
			t.Errorf("%s %q: class %06b, %v", name, raw, class, err)
		}
		if name == "metadata" && !bytes.Contains(raw, []byte(`"ai_metadata":{"a":1}`)) {
			t.Errorf("metadata %q", raw)
		}
	}
}

func TestEventDoesNotAllocate(t *testing.T) {
	observer := anthropic.Door{}.Observer()
	seen := &wire.Seen{Text: func([]byte) {}}
	for _, text := range []string{
		event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" weir"}}`),
		event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}`),
		event("ping", `{"type":"ping"}`),
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

func FuzzEvent(f *testing.F) {
	f.Add("ping", []byte(`{"type":"ping"}`))
	f.Add("error", []byte(`{"type":"error"}`))
	f.Add("", []byte(`{"type":"message_delta","usage":{"output_tokens":1e3}}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		seen := wire.Seen{Text: func([]byte) {}}
		observer := anthropic.Door{}.Observer()
		class, _ := observer.Event(&sse.Event{Name: []byte(name), Data: data, HasData: true}, &seen)
		if class.Has(wire.Failed) && seen.Failure == nil {
			t.Errorf("an error event without a failure: %q", data)
		}
		_ = observer.Answer(data, &seen)
	})
}
