package doors_test

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// reports are usages as the dialects report them: IN and OUT are totals, or parts of
// one, and PART is a detail.
var reports = []struct {
	name  string
	op    *wire.Operation
	whole string
	event string
}{
	{
		"chat", wire.Chat,
		`{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":IN,"completion_tokens":OUT,"prompt_tokens_details":{"cached_tokens":PART}}}`,
		`{"choices":[],"usage":{"prompt_tokens":IN,"completion_tokens":OUT,"prompt_tokens_details":{"cached_tokens":PART}}}`,
	},
	{"embeddings", wire.Embeddings, `{"data":[],"usage":{"prompt_tokens":IN,"total_tokens":OUT}}`, ""},
	{
		"responses", wire.Responses,
		`{"object":"response","status":"completed","output":[],"usage":{"input_tokens":IN,"output_tokens":OUT,"input_tokens_details":{"cached_tokens":PART}}}`,
		`{"type":"response.completed","response":{"object":"response","status":"completed","output":[],"usage":{"input_tokens":IN,"output_tokens":OUT,"input_tokens_details":{"cached_tokens":PART}}}}`,
	},
	{
		"messages", wire.Messages,
		`{"type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":IN,"output_tokens":OUT,"cache_read_input_tokens":1,"output_tokens_details":{"thinking_tokens":PART}}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":IN,"output_tokens":OUT,"cache_read_input_tokens":1,"output_tokens_details":{"thinking_tokens":PART}}}`,
	},
	{
		"messages, cached", wire.Messages,
		`{"type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":OUT,"cache_read_input_tokens":IN}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":5,"output_tokens":OUT,"cache_creation_input_tokens":IN}}`,
	},
	{
		"gemini", wire.GeminiGenerate,
		`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":IN,"candidatesTokenCount":OUT,"thoughtsTokenCount":1,"cachedContentTokenCount":PART}}`,
		`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":IN,"candidatesTokenCount":1,"thoughtsTokenCount":OUT,"cachedContentTokenCount":PART}}`,
	},
	{
		"converse", wire.Converse,
		`{"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"stopReason":"end_turn","usage":{"inputTokens":IN,"outputTokens":OUT,"cacheDetails":[{"ttl":"1h","inputTokens":PART}]}}`,
		`{"usage":{"inputTokens":1,"cacheReadInputTokens":IN,"outputTokens":OUT,"cacheDetails":[{"ttl":"1h","inputTokens":PART}]}}`,
	},
	{
		"cohere", wire.CohereChat,
		`{"message":{"content":[{"type":"text","text":"a"}]},"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":IN,"output_tokens":OUT},"cached_tokens":PART}}`,
		`{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":IN,"output_tokens":OUT},"cached_tokens":PART}}}`,
	},
}

// TestAbsurdReports takes a report whose totals no count can be for none, also one that
// follows a good one, and a detail that is none for nothing.
func TestAbsurdReports(t *testing.T) {
	t.Parallel()
	for _, tt := range reports {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, number := range []string{"-1", "-500", "-9223372036854775808", "1099511627777", "9223372036854775807", "99999999999999999999", "1e30"} {
				for _, member := range []string{"IN", "OUT", "PART"} {
					if tt.op == wire.Embeddings && member != "IN" {
						continue // its total says nothing that the prompt has not said
					}
					fill := func(text string) string {
						text = strings.Replace(text, member, number, 1)
						return strings.NewReplacer("IN", "7", "OUT", "7", "PART", "3").Replace(text)
					}
					check := func(how string, seen *wire.Seen) {
						t.Helper()
						u, d := seen.Usage, seen.Details
						switch {
						case seen.Reported != (member == "PART"):
							t.Errorf("%s: %s of %s: reported %v: %+v", how, member, number, seen.Reported, u)
						case min(u.Input, u.Output, u.CacheRead, u.CacheWrite, u.Reasoning, d.CacheWrite1h) < 0:
							t.Errorf("%s: %s of %s: %+v %+v", how, member, number, u, d)
						case u.Input+u.Output > 100 || max(u.CacheRead, u.Reasoning, d.CacheWrite1h) > 100:
							t.Errorf("%s: %s of %s: %+v %+v", how, member, number, u, d)
						}
					}
					var seen wire.Seen
					if err := doors.Of(tt.op).Observer().Answer([]byte(fill(tt.whole)), &seen); err != nil {
						t.Fatal(err)
					}
					check("whole", &seen)
					if tt.event == "" {
						continue
					}
					observer := doors.Of(tt.op).Observer()
					good := strings.NewReplacer("IN", "7", "OUT", "7", "PART", "3").Replace(tt.event)
					for i, text := range []string{good, fill(tt.event), good} {
						prefix := ""
						if tt.op == wire.Converse {
							prefix = "event: metadata\n"
						}
						if _, err := observer.Event(event(t, prefix+"data: "+text+"\n\n"), &seen); err != nil {
							t.Fatal(err)
						}
						if i == 1 {
							check("event", &seen)
						} else if !seen.Reported {
							t.Errorf("event: a good report is none: %s", text)
						}
					}
					codec := doors.Upstream(tt.op, doors.Options{})
					if codec == nil {
						continue
					}
					res, err := codec.DecodeResponse([]byte(fill(tt.whole)))
					if err != nil {
						t.Fatal(err)
					}
					check("decoded", &wire.Seen{Usage: res.Usage.Usage, Reported: res.Usage.Reported, Details: res.Usage.Details})
				}
			}
		})
	}
}
