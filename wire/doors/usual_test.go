package doors_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// usual are streams of events that an observer learns to recognise, with others
// in between that look much like them.
var usual = []struct {
	name   string
	op     *wire.Operation
	events []string
}{
	{"chat", wire.Chat, []string{
		`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null,"obfuscation":"xx"}`,
		`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"b\n\"c\" é"},"finish_reason":null}],"usage":null,"obfuscation":""}`,
		`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":null}],"usage":null,"obfuscation":"y"}`,
		`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"d"},"finish_reason":"stop"}],"usage":null,"obfuscation":"y"}`,
		`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"d"},"finish_reason":"length"}],"usage":null,"obfuscation":"y"}`,
		`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"reasoning":"d"},"finish_reason":null}]}`,
		`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"reasoning":"d"},"finish_reason":null}],"error":{"message":"no"}}`,
		`{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{"}}]}}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":""}}]}}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"c"}},{"index":1,"delta":{"content":"d"}}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],"x_groq":{"usage":{"prompt_tokens":4,"completion_tokens":1}}}`,
		`{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":3}}`,
		`{"type":"transcript.text.delta","delta":"a"}`,
		`{"type":"transcript.text.done","delta":"a"}`,
	}},
	{"messages", wire.Messages, []string{
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b\u00e9"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"signature_delta","signature":"x"}}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"c"}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}`,
	}},
	{"responses", wire.Responses, []string{
		`{"type":"response.output_text.delta","sequence_number":3,"item_id":"i","delta":"a","logprobs":[],"obfuscation":"x"}`,
		`{"type":"response.output_text.delta","sequence_number":14,"item_id":"i","delta":"b\n","logprobs":[],"obfuscation":""}`,
		`{"type":"response.output_text.delta","item_id":"i","delta":"c","sequence_number":15}`,
		`{"type":"response.output_text.delta","item_id":"i","delta":"","sequence_number":16}`,
		`{"type":"response.output_text.delta","item_id":"i","delta":"d"}`,
		`{"type":"response.output_text.delta","item_id":"i","delta":"e"}`,
		`{"type":"response.output_text.done","sequence_number":18,"item_id":"i","text":"abc"}`,
	}},
}

// TestUsualEvents holds that an event is read alike whichever came before it: each
// pair is shown to one observer, and its second to a fresh one.
func TestUsualEvents(t *testing.T) {
	t.Parallel()
	for _, tc := range usual {
		for _, name := range []string{"", "event: error\n"} {
			t.Run(tc.name+name, func(t *testing.T) {
				t.Parallel()
				for _, first := range tc.events {
					for _, second := range tc.events {
						used, fresh := doors.Of(tc.op).Observer(), doors.Of(tc.op).Observer()
						seen := wire.Seen{Sequence: -1}
						if _, err := used.Event(event(t, "data: "+first+"\n\n"), &seen); err != nil {
							t.Fatal(err)
						}
						want, got := seen, seen
						var wantText, gotText string
						want.Text = func(b []byte) { wantText += string(b) }
						got.Text = func(b []byte) { gotText += string(b) }
						for range 2 {
							ev := event(t, name+"data: "+second+"\n\n")
							class, err := used.Event(ev, &got)
							if err != nil {
								t.Fatal(err)
							}
							if wantClass, err := fresh.Event(ev, &want); err != nil || class != wantClass || gotText != wantText {
								t.Errorf("%s\nbehind %s\nis class %b with text %q, alone %b with %q (%v)", second, first, class, gotText, wantClass, wantText, err)
							}
							if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(wire.Seen{}, "Text"), cmpopts.IgnoreUnexported(wire.Failure{})); diff != "" {
								t.Errorf("%s\nbehind %s: %s", second, first, diff)
							}
							fresh = doors.Of(tc.op).Observer()
						}
					}
				}
			})
		}
	}
}

func event(t *testing.T, text string) *sse.Event {
	t.Helper()
	ev := new(sse.Event)
	if err := sse.NewReader(strings.NewReader(text), 0).Next(ev); err != nil {
		t.Fatal(err)
	}
	return ev
}
