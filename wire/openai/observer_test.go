package openai_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
)

// one reads the first event of text.
func one(t testing.TB, text string) *sse.Event {
	t.Helper()
	ev := new(sse.Event)
	if err := sse.NewReader(strings.NewReader(text), sse.MaxEvent).Next(ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

func delta(members string) string {
	return `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{` + members + `},"finish_reason":null}]}` + "\n\n"
}

func TestClasses(t *testing.T) {
	for _, tt := range []struct {
		name, event string
		want        wire.Class
		text        string
	}{
		{"a comment", ": hi\n\n", 0, ""},
		{"the role", delta(`"role":"assistant"`), 0, ""},
		{"the role with empty content", delta(`"role":"assistant","content":"","refusal":null`), 0, ""},
		{"padding", delta(`"role":"assistant","obfuscation":"x"`), 0, ""},
		{"null members", delta(`"content":null,"tool_calls":null,"function_call":null,"reasoning":null`), 0, ""},
		{"empty members", delta(`"content":"","reasoning_details":[],"extra":{}`), 0, ""},
		{"content", delta(`"content":"a\n\u00e9"`), wire.Content, "a\né"},
		{"a refusal", delta(`"refusal":"no"`), wire.Content, "no"},
		{"reasoning_content", delta(`"reasoning_content":"hm"`), wire.Content, "hm"},
		{"reasoning", delta(`"reasoning":"hm","channel":"analysis"`), wire.Content, "hm"},
		{"mistral's parts", delta(`"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}]`), wire.Content, "hma"},
		{"a tool call", delta(`"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]`), wire.Content, "f{}"},
		{"a function call", delta(`"function_call":{"name":"f","arguments":"{"}`), wire.Content, "f{"},
		{"audio", delta(`"audio":{"data":"AAAA"}`), wire.Content, ""},
		{"a member of tomorrow", delta(`"hologram":[1]`), wire.Content, ""},
		{"legacy text", `data: {"choices":[{"text":"a","index":0,"finish_reason":null}]}` + "\n\n", wire.Content, "a"},
		{"an empty legacy text", `data: {"choices":[{"text":"","index":0,"finish_reason":null}]}` + "\n\n", 0, ""},
		{"the end of a choice", `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n", wire.Finishing, ""},
		{"content with the end", `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}` + "\n\n", wire.Content | wire.Finishing, "a"},
		{"usage alone", `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}` + "\n\n", wire.UsageOnly, ""},
		{"usage without choices", `data: {"usage":{"prompt_tokens":1,"completion_tokens":1}}` + "\n\n", wire.UsageOnly, ""},
		{"usage with the end", `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}` + "\n\n", wire.Finishing, ""},
		{"usage that is null", `data: {"choices":[],"usage":null}` + "\n\n", 0, ""},
		{"azure's first", `data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}` + "\n\n", 0, ""},
		{"the end", "data: [DONE]\n\n", wire.Terminal, ""},
		{"a padded end", "data:  [DONE] \n\n", wire.Terminal, ""},
		{"an error", `data: {"error":{"message":"oops"}}` + "\n\n", wire.Failed, ""},
		{"an error that is none", `data: {"error":null,"choices":[{"delta":{"content":"a"}}]}` + "\n\n", wire.Content | wire.Flawed, "a"},
		{"groq's error", "event: error\n" + `data: {"error":{"message":"oops","status_code":400}}` + "\n\n", wire.Failed, ""},
		{"an error of a choice", `data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"oops"}}]}` + "\n\n", wire.Failed | wire.Finishing, ""},
		{"an error of a choice that is none", `data: {"choices":[{"index":0,"delta":{"content":"a"},"error":null}]}` + "\n\n", wire.Content, "a"},
		{"a partial image", "event: image_generation.partial_image\n" + `data: {"type":"image_generation.partial_image","b64_json":"AAAA"}` + "\n\n", wire.Content, ""},
		{"a whole image", "event: image_generation.completed\n" + `data: {"type":"image_generation.completed","b64_json":"AAAA"}` + "\n\n", wire.Content | wire.Terminal, ""},
		{"the text of speech", `data: {"type":"transcript.text.delta","delta":"a"}` + "\n\n", wire.Content, "a"},
		{"the end of speech", `data: {"type":"transcript.text.done","text":"a","usage":{"input_tokens":1,"output_tokens":1}}` + "\n\n", wire.Content | wire.Terminal, ""},
		{"a shape of tomorrow", `data: {"surprise":true}` + "\n\n", wire.Content, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			got, err := openai.Door{Op: wire.Chat}.Observer().Event(one(t, tt.event), &seen)
			if err != nil || got != tt.want || text != tt.text {
				t.Errorf("class %06b, want %06b; text %q, want %q; error %v", got, tt.want, text, tt.text, err)
			}
		})
	}
}

func TestMalformedEvents(t *testing.T) {
	for _, data := range []string{`{"id":`, `nonsense`, `[]`, `"text"`, `{} {}`, `{"choices":[}`, `null`} {
		_, err := openai.Door{Op: wire.Chat}.Observer().Event(one(t, "data: "+data+"\n\n"), &wire.Seen{})
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: error %v", data, err)
		}
	}
	for _, body := range []string{"", "<html>", "[]", `{"a":1`} {
		if err := (openai.Door{Op: wire.Chat}).Observer().Answer([]byte(body), &wire.Seen{}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: error %v", body, err)
		}
	}
}

// report is an answer with a usage object.
func report(usage string) string { return `{"usage":` + usage + `}` }

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       *wire.Usage // nil: none was reported
	}{
		{"chat", report(`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}`), &wire.Usage{Input: 10, Output: 5, CacheRead: 4, Reasoning: 3}},
		{"images", report(`{"input_tokens":10,"output_tokens":5,"total_tokens":15,"input_tokens_details":{"text_tokens":10}}`), &wire.Usage{Input: 10, Output: 5}},
		{"deepseek", report(`{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}`), &wire.Usage{Input: 10, Output: 5, CacheRead: 4}},
		{"moonshot", report(`{"prompt_tokens":10,"completion_tokens":5,"cached_tokens":4}`), &wire.Usage{Input: 10, Output: 5, CacheRead: 4}},
		{"written to the cache", report(`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2}}`), &wire.Usage{Input: 10, Output: 5, CacheRead: 4, CacheWrite: 2}},
		{"xai leaves reasoning out", report(`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}`), &wire.Usage{Input: 10, Output: 12, Reasoning: 7}},
		{"voyage", report(`{"total_tokens":12}`), &wire.Usage{Input: 12}},
		{"total before the parts", report(`{"total_tokens":12,"prompt_tokens":12}`), &wire.Usage{Input: 12}},
		{"input tokens", `{"object":"response.input_tokens","input_tokens":7}`, &wire.Usage{Input: 7}},
		{"whole numbers in other spellings", report(`{"prompt_tokens":1e1,"completion_tokens":5.0}`), &wire.Usage{Input: 10, Output: 5}},
		{"null", report(`null`), nil},
		{"empty", report(`{}`), nil},
		{"null members", report(`{"prompt_tokens":null,"completion_tokens":null}`), nil},
		{"seconds", report(`{"type":"duration","seconds":3}`), nil},
		{"none", `{"id":"c"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen wire.Seen
			if err := (openai.Door{Op: wire.Chat}).Observer().Answer([]byte(tt.body), &seen); err != nil {
				t.Fatal(err)
			}
			var want wire.Usage
			if tt.want != nil {
				want = *tt.want
			}
			if seen.Reported != (tt.want != nil) || seen.Usage != want {
				t.Errorf("reported %v, %+v, want %+v", seen.Reported, seen.Usage, tt.want)
			}
		})
	}
}

// stream shows the events of text to an observer.
func stream(t *testing.T, text string) wire.Seen {
	t.Helper()
	observer := openai.Door{Op: wire.Chat}.Observer()
	reader := sse.NewReader(strings.NewReader(text), sse.MaxEvent)
	var seen wire.Seen
	var ev sse.Event
	for reader.Next(&ev) == nil {
		if _, err := observer.Event(&ev, &seen); err != nil {
			t.Fatal(err)
		}
	}
	return seen
}

func TestStreams(t *testing.T) {
	const (
		first = `data: {"id":"c1","created":17,"model":"m-1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":{"prompt_tokens":3,"completion_tokens":1}}` + "\n\n"
		null  = `data: {"id":"c2","created":18,"model":"m-2","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n"
		last  = `data: {"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}` + "\n\n"
		groq  = `data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":4,"completion_tokens":2}}}` + "\n\n"
	)
	for _, tt := range []struct {
		name, text string
		want       wire.Seen
	}{
		{"the last report wins and nothing is summed", first + first + last, wire.Seen{Usage: wire.Usage{Input: 3, Output: 9}, Reported: true, ID: "c1", Model: "m-1", Created: "17"}},
		{"null takes nothing back, the first id stays", first + null, wire.Seen{Usage: wire.Usage{Input: 3, Output: 1}, Reported: true, Finish: "stop", ID: "c1", Model: "m-1", Created: "17"}},
		{"groq's own place", groq, wire.Seen{Usage: wire.Usage{Input: 4, Output: 2}, Reported: true, Finish: "stop", ID: "c1"}},
		{"an error keeps the usage so far", first + `data: {"error":{"message":"oops","code":429}}` + "\n\n", wire.Seen{
			Usage: wire.Usage{Input: 3, Output: 1}, Reported: true, ID: "c1", Model: "m-1", Created: "17",
			Failure: &wire.Failure{Kind: wire.KindRateLimit, Message: "oops"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, stream(t, tt.text), cmpopts.IgnoreFields(wire.Seen{}, "Text")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorsInAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       *wire.Failure
	}{
		{"a number", `{"error":{"message":"m","code":503}}`, &wire.Failure{Kind: wire.KindOverloaded, Message: "m"}},
		{"a word", `{"error":{"message":"m","code":"context_length_exceeded"}}`, &wire.Failure{Kind: wire.KindContextLength, Message: "m"}},
		{"a type", `{"error":{"message":"m","type":"invalid_request_error","code":null}}`, &wire.Failure{Kind: wire.KindInvalid, Message: "m"}},
		{"quota", `{"error":{"message":"m","type":"insufficient_quota"}}`, &wire.Failure{Kind: wire.KindBudget, Message: "m"}},
		{"unknown words", `{"error":{"message":"m","type":"x"}}`, &wire.Failure{Kind: wire.KindUpstream, Message: "m"}},
		{"too long, in other words", `{"error":{"message":"This endpoint's maximum context length is 8 tokens","code":400}}`, &wire.Failure{Kind: wire.KindContextLength, Message: "This endpoint's maximum context length is 8 tokens"}},
		{"text", `{"error":"m\u0021"}`, &wire.Failure{Kind: wire.KindUpstream, Message: "m!"}},
		{"of a choice", `{"choices":[{"finish_reason":"error","error":{"code":429,"message":"m"},"message":{"role":"assistant","content":"a"}}]}`, &wire.Failure{Kind: wire.KindRateLimit, Message: "m"}},
		{"of a choice, null", `{"choices":[{"finish_reason":"stop","error":null,"message":{"role":"assistant","content":"a"}}]}`, nil},
		{"too long, in words alone", `{"error":{"message":"maximum context length is 10 tokens","type":"BadRequestError","code":400}}`, &wire.Failure{Kind: wire.KindContextLength, Message: "maximum context length is 10 tokens"}},
		{"a bad key", `{"error":{"message":"m","type":"invalid_request_error","code":"invalid_api_key"}}`, &wire.Failure{Kind: wire.KindAuthentication, Message: "m"}},
		{"null", `{"error":null}`, nil},
		{"none", `{"id":"c"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen wire.Seen
			if err := (openai.Door{Op: wire.Chat}).Observer().Answer([]byte(tt.body), &seen); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, seen.Failure); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOwnEvents checks that what Weir adds to a stream is what it reads.
func TestOwnEvents(t *testing.T) {
	door := openai.Door{Op: wire.Chat}
	failure := &wire.Failure{Kind: wire.KindTimeout, Message: "too \"slow\"", RequestID: "r"}
	var seen wire.Seen
	if class, err := door.Observer().Event(one(t, string(door.AppendErrorEvent(nil, failure, &seen))), &seen); err != nil || class != wire.Failed || seen.Failure.Message != failure.Message {
		t.Errorf("error event: class %06b, %+v, %v", class, seen.Failure, err)
	}
	if ev := one(t, string(door.AppendHeartbeat(nil))); ev.HasData || !ev.Clean {
		t.Errorf("heartbeat %q", ev.Raw)
	}
	for op, object := range map[*wire.Operation]string{wire.Chat: `"",`, wire.Completions: `"text_completion"`} {
		ev := one(t, string(openai.Door{Op: op}.AppendMetadata(nil, []byte(`{"a":1}`), &wire.Seen{ID: "c", Model: "m", Created: "17"})))
		if !ev.Clean || !bytes.Contains(ev.Data, []byte(`"object":`+object)) || !bytes.Contains(ev.Data, []byte(`"choices":[],"ai_metadata":{"a":1}`)) {
			t.Errorf("metadata %s", ev.Raw)
		}
	}
}

func TestEventDoesNotAllocate(t *testing.T) {
	observer := openai.Door{Op: wire.Chat}.Observer()
	n := 0
	seen := &wire.Seen{Text: func(b []byte) { n += len(b) }}
	for name, text := range map[string]string{
		"plain":   delta(`"content":" weir"`),
		"escaped": delta(`"content":"\n\u00e9\ud83d\ude00"`),
		"a call":  delta(`"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]`),
		"usage":   `data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":1}}}` + "\n\n",
		"end":     "data: [DONE]\n\n",
	} {
		ev := one(t, text)
		read := func() {
			if _, err := observer.Event(ev, seen); err != nil {
				t.Fatal(err)
			}
		}
		read() // the id, the model and the buffer for escapes, once per answer
		if got := testing.AllocsPerRun(100, read); got != 0 {
			t.Errorf("%s: %v allocations per event", name, got)
		}
	}
	if n == 0 {
		t.Error("no text was seen")
	}
}

func BenchmarkEvent(b *testing.B) {
	observer := openai.Door{Op: wire.Chat}.Observer()
	seen := &wire.Seen{Text: func([]byte) {}}
	ev := one(b, delta(`"content":" weir"`))
	b.SetBytes(int64(len(ev.Raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := observer.Event(ev, seen); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"choices":[{"delta":{"content":"a\u00e9"}}],"usage":{"total_tokens":1}}`))
	f.Add([]byte(`{"error":"x","type":"a.done","x_groq":{"usage":{}}}`))
	f.Add([]byte(`[DONE]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		seen := wire.Seen{Text: func([]byte) {}}
		observer := openai.Door{Op: wire.Chat}.Observer()
		class, err := observer.Event(&sse.Event{Data: data, HasData: true}, &seen)
		if class.Has(wire.Failed) && seen.Failure == nil {
			t.Errorf("an error event without a failure: %q", data)
		}
		if err == nil {
			_ = observer.Answer(data, &seen)
		}
	})
}

// TestDetails reads what is charged for apart.
func TestDetails(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Details
	}{
		{"seconds", `{"text":"a","usage":{"type":"duration","seconds":3.2}}`, wire.Details{Milliseconds: 3200}},
		{"duration", `{"task":"transcribe","language":"english","duration":8.470000267028809,"text":"a"}`, wire.Details{Milliseconds: 8471}},
		{"no duration", `{"duration":"8","usage":{"seconds":-1}}`, wire.Details{}},
		{"a tier before the usage", `{"service_tier":"flex","usage":{"prompt_tokens":1,"prompt_tokens_details":{"audio_tokens":1,"image_tokens":2},"completion_tokens_details":{"audio_tokens":3,"image_tokens":4}}}`, wire.Details{InputAudio: 1, InputImage: 2, OutputAudio: 3, OutputImage: 4, ServiceTier: "flex"}},
		{"a tier after it", `{"usage":{"prompt_tokens":1},"service_tier":"priority"}`, wire.Details{ServiceTier: "priority"}},
		{"the usual tier", `{"usage":{"prompt_tokens":1},"service_tier":"default"}`, wire.Details{}},
		{"no tier", `{"usage":{"prompt_tokens":1},"service_tier":null}`, wire.Details{}},
		{"a search", `{"usage":{"prompt_tokens":1,"server_tool_use":{"web_search_requests":2}}}`, wire.Details{WebSearches: 2}},
	} {
		var seen wire.Seen
		if err := (openai.Door{}).Observer().Answer([]byte(tt.body), &seen); err != nil || seen.Details != tt.want {
			t.Errorf("%s: %v, %+v", tt.name, err, seen.Details)
		}
	}
}
