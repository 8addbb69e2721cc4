package form_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
)

func TestCheck(t *testing.T) {
	const (
		text   = head + `"choices":[{"index":0,"delta":{"role":"assistant","content":"hi"},"finish_reason":null}]}`
		finish = head + `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
		other  = head + `"choices":[{"index":1,"delta":{"content":"ho"},"finish_reason":null}]}`
		broken = head + `"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`
		novel  = head + `"choices":[{"index":0,"delta":{},"finish_reason":"because"}]}`
		failed = `{"error":{"message":"no"}}`
		called = `{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`
		claude = `{"id":"msg","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"hi"}],"stop_reason":REASON,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`
		gemini = `{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"STOP","index":0}]}`
		begun  = `{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"index":0}]}`
	)
	messages := func(events ...string) string {
		all := ""
		for _, ev := range events {
			name, _, _ := strings.Cut(strings.TrimPrefix(ev, `{"type":"`), `"`)
			all += "event: " + name + "\ndata: " + ev + "\n\n"
		}
		return all
	}
	started, stopped, over := `{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`
	plain := form.Facts{Finish: wire.FinishStop, Choices: 1}
	for _, tt := range []struct {
		name   string
		op     *wire.Operation
		stream bool
		body   string
		want   form.Facts
		bad    string // what the error says; empty: none
	}{
		{name: "stream", op: wire.Chat, stream: true, body: chatStream(text, finish, "[DONE]"), want: plain},
		{name: "stream without its end", op: wire.Chat, stream: true, body: chatStream(text, finish), bad: "end is missing"},
		{name: "stream without a reason", op: wire.Chat, stream: true, body: chatStream(text, "[DONE]"), bad: "why it ended"},
		{name: "one choice without a reason", op: wire.Chat, stream: true, body: chatStream(text, other, finish, "[DONE]"), bad: "a choice has no end"},
		{name: "a reason of tomorrow", op: wire.Chat, stream: true, body: chatStream(text, novel, "[DONE]"), bad: "because"},
		{name: "a broken call", op: wire.Chat, stream: true, body: chatStream(text, broken, "[DONE]"), bad: "a choice has no end"},
		{name: "an error", op: wire.Chat, stream: true, body: chatStream(text, failed, "[DONE]"), bad: "error"},
		{name: "an error behind the reason", op: wire.Chat, stream: true, body: chatStream(text, finish, failed, "[DONE]"), bad: "error"},
		{name: "behind the end", op: wire.Chat, stream: true, body: chatStream(text, finish, "[DONE]", text), bad: "follows"},
		{name: "no blank line", op: wire.Chat, stream: true, body: strings.TrimSuffix(chatStream(text, finish, "[DONE]"), "\n"), bad: "cut off"},
		{name: "no JSON", op: wire.Chat, stream: true, body: chatStream(text, "{", finish, "[DONE]"), bad: "malformed"},
		{name: "empty", op: wire.Chat, stream: true, bad: "cut off"},
		{name: "whole", op: wire.Chat, body: called, want: form.Facts{Finish: wire.FinishTools, Choices: 1, Calls: true}},
		{name: "several", op: wire.Chat, body: `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":1,"message":{"content":"b"},"finish_reason":"length"}]}`, want: form.Facts{Finish: wire.FinishLength, Choices: 2}},
		{name: "refusal", op: wire.Chat, body: `{"choices":[{"index":0,"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}`, want: form.Facts{Finish: wire.FinishPolicy, Choices: 1, Refused: true}},
		{name: "filtered", op: wire.Chat, body: `{"choices":[{"index":0,"message":{"content":""},"finish_reason":"content_filter"}]}`, want: form.Facts{Finish: wire.FinishPolicy, Choices: 1, Refused: true, Empty: true}},
		{name: "nothing said", op: wire.Chat, body: `{"choices":[{"index":0,"message":{"content":""},"finish_reason":"stop"}]}`, want: form.Facts{Finish: wire.FinishStop, Choices: 1, Empty: true}},
		{name: "no reason", op: wire.Chat, body: `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":null}]}`, bad: "why it ended"},
		{name: "an error inside of 200", op: wire.Chat, body: failed, bad: "error"},
		{name: "half", op: wire.Chat, body: called[:len(called)-2], bad: "malformed"},
		{name: "completion", op: wire.Completions, body: `{"choices":[{"index":0,"text":"a","finish_reason":"stop"}]}`, want: plain},
		{name: "message", op: wire.Messages, body: strings.Replace(claude, "REASON", `"end_turn"`, 1), want: plain},
		{name: "message without a reason", op: wire.Messages, body: strings.Replace(claude, "REASON", "null", 1), bad: "why it ended"},
		{name: "message of tomorrow", op: wire.Messages, body: strings.Replace(claude, "REASON", `"bored"`, 1), bad: "bored"},
		{name: "paused", op: wire.Messages, body: strings.Replace(claude, "REASON", `"pause_turn"`, 1), want: form.Facts{Finish: wire.FinishPause, Choices: 1}},
		{name: "messages", op: wire.Messages, stream: true, body: messages(started, stopped, over), want: form.Facts{Finish: wire.FinishStop, Choices: 1, Empty: true}},
		{name: "messages without their end", op: wire.Messages, stream: true, body: messages(started, stopped), bad: "end is missing"},
		{name: "messages without a reason", op: wire.Messages, stream: true, body: messages(started, over), bad: "why it ended"},
		{name: "messages with an error", op: wire.Messages, stream: true, body: messages(started, `{"type":"error","error":{"type":"overloaded_error","message":"x"}}`), bad: "error"},
		{name: "response", op: wire.Responses, body: response(``), want: plain},
		{name: "response under way", op: wire.Responses, body: strings.Replace(response(``), "completed", "in_progress", 1), bad: "why it ended"},
		{name: "response failed", op: wire.Responses, body: strings.Replace(response(``), "completed", "failed", 1), bad: "error"},
		{name: "response incomplete", op: wire.Responses, body: strings.Replace(response(`,"incomplete_details":{"reason":"max_output_tokens"}`), "completed", "incomplete", 1), want: form.Facts{Finish: wire.FinishLength, Choices: 1}},
		{name: "gemini", op: wire.GeminiGenerate, body: gemini, want: plain},
		{name: "gemini's stream", op: wire.GeminiGenerate, stream: true, body: "data: " + begun + "\r\n\r\ndata: " + gemini + "\r\n\r\n", want: plain},
		{name: "gemini's stream without a reason", op: wire.GeminiGenerate, stream: true, body: "data: " + begun + "\r\n\r\n", bad: "unexpected EOF"},
		{name: "gemini blocks", op: wire.GeminiGenerate, body: `{"promptFeedback":{"blockReason":"SAFETY"}}`, want: form.Facts{Finish: wire.FinishPolicy, Choices: 1, Refused: true, Empty: true}},
		{name: "vectors", op: wire.Embeddings, body: two, want: form.Facts{Finish: wire.FinishStop, Choices: 2}},
		{name: "vectors of two sizes", op: wire.Embeddings, body: strings.Replace(two, "[2]", "[2,3]", 1), bad: "differ"},
		{name: "no vectors", op: wire.GeminiBatchEmbed, body: `{"embeddings":[]}`, bad: "empty"},
		{name: "no operation", bad: "operation"},
		{name: "of an upstream", op: wire.Moderations, body: `{}`, bad: "no conversation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := form.Check(cache.Form{Operation: tt.op, Stream: tt.stream, Body: []byte(tt.body)}, nil)
			if tt.bad != "" {
				if !errors.Is(err, form.ErrIncomplete) || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("%v, %+v", err, got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCheckCutShort cuts every recorded stream behind each of its events: only
// the whole is complete.
func TestCheckCutShort(t *testing.T) {
	n := 0
	for _, rec := range complete(t) {
		if !isClient(rec.Op) || !rec.Stream || rec.Op == wire.GeminiGenerate {
			continue
		}
		body := string(rec.Answer)
		for at := 0; ; {
			next := strings.Index(body[at:], "\n\n")
			if next < 0 || at+next+2 >= len(body) {
				break
			}
			at += next + 2
			f := cache.Form{Operation: rec.Op, Stream: true, Body: []byte(body[:at])}
			if _, err := form.Check(f, nil); err == nil && strings.Contains(body[at:], "data") && !strings.Contains(body[at:], "[DONE]") {
				t.Errorf("%s: complete before %s", rec.Name, body[at:])
			}
			if n++; at > 8<<10 {
				break
			}
		}
	}
	if n < 500 {
		t.Errorf("only %d pieces", n)
	}
}
