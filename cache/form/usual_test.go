package form

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

const usualAnswer = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"service_tier":"default","system_fingerprint":null}`

// TestUsual holds which answers take the short way, and that the long one says the
// same of them.
func TestUsual(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		short          bool
	}{
		{"the usual", "", "", true},
		{"white space", `{"id"`, " \r\n{ \"id\"", true},
		{"escapes", "hi", `\u0068\"}`, true},
		{"null", `"created":1`, `"created":1,"error":null`, true},
		{"sources", `"annotations":[]`, `"annotations":[{"type":"url_citation","url":"u"}]`, true},

		{"an error", `"created":1`, `"error":{"message":"no"}`, false},
		{"an error of the choice", `"index":0`, `"error":{"message":"no"}`, false},
		{"nothing said", `"hi"`, `""`, false},
		{"no text", `"hi"`, `null`, false},
		{"parts", `"hi"`, `[{"type":"text","text":"hi"}]`, false},
		{"a refusal", `"refusal":null`, `"refusal":"no"`, false},
		{"a call", `"refusal":null`, `"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]`, false},
		{"an old call", `"refusal":null`, `"function_call":{"name":"f","arguments":"{}"}`, false},
		{"an escaped call", `"refusal":null`, `"tool\u005fcalls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]`, false},
		{"audio", `"refusal":null`, `"audio":{"id":"a","data":""}`, false},
		{"thoughts", `"refusal":null`, `"reasoning_content":"hm"`, false},
		{"another end", `"stop"`, `"length"`, false},
		{"another word for it", `"stop"`, `"eos"`, false},
		{"the vendor's own word", `"logprobs":null`, `"native_finish_reason":"refusal"`, false},
		{"a word that stopped it", `"logprobs":null`, `"stop_reason":"x"`, false},
		{"an old completion", `"logprobs":null`, `"text":"x"`, false},
		{"two reasons", `"logprobs":null`, `"finish_reason":"length"`, false},
		{"two texts", `"refusal":null`, `"content":"x"`, false},
		{"two messages", `"logprobs":null`, `"message":{}`, false},
		{"two lists", `"created":1`, `"choices":[]`, false},
		{"two choices", `"finish_reason":"stop"}`, `"finish_reason":"stop"},{"index":1,"message":{"content":"x"},"finish_reason":"stop"}`, false},
	} {
		body := []byte(strings.Replace(usualAnswer, tt.old, tt.new, 1))
		f, read := cache.Form{Operation: wire.Chat, Body: body}, new(wire.Seen)
		if err := doors.Of(wire.Chat).Observer().Answer(body, read); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got, ok := usual(f, read)
		if ok != tt.short {
			t.Errorf("%s: taken %t", tt.name, ok)
		}
		if want, err := Check(f, nil); ok && (err != nil || got != want) {
			t.Errorf("%s: %+v, %+v by the long way: %v", tt.name, got, want, err)
		}
	}
	// What nobody has read, or another kind of answer, takes the long way.
	read := &wire.Seen{Finish: "stop"}
	for name, try := range map[string]func() (Facts, bool){
		"unread": func() (Facts, bool) { return usual(cache.Form{Operation: wire.Chat, Body: []byte(usualAnswer)}, nil) },
		"a stream": func() (Facts, bool) {
			return usual(cache.Form{Operation: wire.Chat, Stream: true, Body: []byte(usualAnswer)}, read)
		},
		"another kind": func() (Facts, bool) {
			return usual(cache.Form{Operation: wire.Completions, Body: []byte(usualAnswer)}, read)
		},
		"nothing": func() (Facts, bool) { return usual(cache.Form{Operation: wire.Chat}, read) },
	} {
		if _, ok := try(); ok {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestUsualAllocatesNothing holds that the usual answer is not decoded to be checked.
func TestUsualAllocatesNothing(t *testing.T) {
	f, read := cache.Form{Operation: wire.Chat, Body: []byte(usualAnswer)}, &wire.Seen{Finish: "stop"}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Check(f, read); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
