package form

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest/recorded"
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
		"without its end": func() (Facts, bool) {
			return usual(cache.Form{Operation: wire.Chat, Body: []byte(strings.Replace(usualAnswer, `"stop"`, "null", 1))}, read)
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

const usualEvents = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x"}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}

data: [DONE]

`

// TestUsualStream is TestUsual for streams.
func TestUsualStream(t *testing.T) {
	const end = "\n\ndata: [DONE]"
	call := `"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]`
	for _, tt := range []struct {
		name, old, new string
		short          bool
	}{
		{"the usual", "", "", true},
		{"other line ends", "\n\n", "\r\n\r\n", true},
		{"no space", "data: ", "data:", true},
		{"escapes", "hi", `\u0068\"}`, true},

		{"nothing said", `"hi"`, `""`, false},
		{"a call", `{"content":"hi"}`, `{` + call + `}`, false},
		{"a call besides", `{"content":"hi"}`, `{"content":"hi",` + call + `}`, false},
		{"a refusal", `{"content":"hi"}`, `{"refusal":"no"}`, false},
		{"thoughts", `{"content":"hi"}`, `{"content":"hi","reasoning_content":"hm"}`, false},
		{"two texts", `{"content":"hi"}`, `{"content":"hi","content":"ho"}`, false},
		{"parts", `"hi"`, `[{"type":"text","text":"hi"}]`, false},
		{"two choices", `"finish_reason":null}]}`, `"finish_reason":null},{"index":1,"delta":{"content":"ho"},"finish_reason":"stop"}]}`, false},
		{"another choice", `"choices":[{"index":0,"delta":{"content":"hi"}`, `"choices":[{"index":1,"delta":{"content":"hi"}`, false},
		{"another role", `"assistant"`, `"user"`, false},
		{"an end in between", `{"content":"hi"},"finish_reason":null`, `{"content":"hi"},"finish_reason":"stop"`, false},
		{"another end", `"finish_reason":"stop"`, `"finish_reason":"length"`, false},
		{"no end", `"finish_reason":"stop"`, `"finish_reason":null`, false},
		{"an error", `"choices":[]`, `"error":{"message":"no"},"choices":[]`, false},
		{"an error alone", end, "\n\ndata: {\"error\":{\"message\":\"no\"}}" + end, false},
		{"a name", end, "\n\nevent: error\ndata: {}" + end, false},
		{"a comment", end, "\n\n: ping" + end, false},
		{"two lines", `"model":"m",`, `"model":"m",` + "\ndata: ", false},
		{"more behind it", end + "\n\n", end + "\n\ndata: {}\n\n", false},
		{"no terminator", end, "", false},
		{"cut off", end + "\n\n", end + "\n", false},
		{"half an event", `"usage":{"prompt_tokens":1,"completion_tokens":1}}`, `"usage":{"prompt_tokens":1`, false},
		{"two objects", `"completion_tokens":1}}`, `"completion_tokens":1}} {}`, false},
	} {
		body := strings.ReplaceAll(usualEvents, tt.old, tt.new)
		if tt.old == "" {
			body = usualEvents
		}
		f := cache.Form{Operation: wire.Chat, Stream: true, Body: []byte(body)}
		got, ok := usual(f, &wire.Seen{Finish: "stop"})
		if ok != tt.short {
			t.Errorf("%s: taken %t", tt.name, ok)
		}
		if want, err := Check(f, nil); ok && (err != nil || got != want) {
			t.Errorf("%s: %+v, %+v by the long way: %v", tt.name, got, want, err)
		}
	}
}

// TestUsualRecorded holds that the long way says the same of all that was recorded,
// and of each of its streams cut short.
func TestUsualRecorded(t *testing.T) {
	taken := map[bool]int{}
	for _, rec := range recorded.All(t, filepath.Join("..", "..", "integration", "testdata", "fixtures")) {
		f := cache.Form{Operation: rec.Op, Stream: rec.Stream, Body: rec.Answer}
		check := func(f cache.Form) {
			got, ok := usual(f, &wire.Seen{Finish: "stop"})
			if !ok {
				return
			}
			taken[f.Stream]++
			if want, err := Check(f, nil); err != nil || got != want {
				t.Errorf("%s: %+v, %+v by the long way: %v", rec.Name, got, want, err)
			}
		}
		if check(f); !rec.Stream {
			continue
		}
		for stream := (frames{body: rec.Answer}); ; {
			at, ok := stream.next()
			if !ok || at.End == len(rec.Answer) {
				break
			}
			cut := f
			cut.Body = rec.Answer[:at.End]
			check(cut)
		}
	}
	if taken[false] < 10 || taken[true] < 4 {
		t.Errorf("%v are taken", taken)
	}
}

// TestUsualAllocatesNothing holds that the usual answer is not decoded to be checked.
func TestUsualAllocatesNothing(t *testing.T) {
	read := &wire.Seen{Finish: "stop"}
	for _, f := range []cache.Form{
		{Operation: wire.Chat, Body: []byte(usualAnswer)},
		{Operation: wire.Chat, Stream: true, Body: []byte(usualEvents)},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := Check(f, read); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("stream %t: %v allocations", f.Stream, n)
		}
	}
}
