package form_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
)

// TestLoses names what a form has no place for: nobody gets half an answer.
func TestLoses(t *testing.T) {
	text := wire.Block{Text: "hi"}
	call := wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: "c", Name: "f", Arguments: "{}"}}
	answer := func(blocks ...wire.Block) *wire.Response {
		return &wire.Response{Choices: []wire.Choice{{Blocks: blocks, Finish: wire.FinishStop, Native: "stop"}}}
	}
	several := answer(text)
	several.Choices = append(several.Choices, wire.Choice{Index: 1, Finish: wire.FinishStop})
	second := answer(text)
	second.Choices[0].Index = 1
	ended := func(f wire.Finish) *wire.Response {
		res := answer(text)
		res.Choices[0].Finish = f
		return res
	}
	probable := answer(call)
	probable.Choices[0].LogProbs = `{"content":[]}`
	failed := &wire.Response{Failure: &wire.Failure{Message: "no"}}
	for _, tt := range []struct {
		name string
		res  *wire.Response
		// carried by these whole and streamed, by no other
		whole, stream []*wire.Operation
	}{
		{"text", answer(text), clients, clients},
		{"call", answer(text, call), without(wire.Completions), without(wire.Completions)},
		{"error", failed, nil, nil},
		{"nothing", &wire.Response{}, nil, nil},
		{"unfinished", ended(wire.FinishNone), nil, nil},
		{"broken", ended(wire.FinishBroken), nil, nil},
		{"paused", ended(wire.FinishPause), []*wire.Operation{wire.Messages}, []*wire.Operation{wire.Messages}},
		{"several", several, without(wire.Responses, wire.Messages), without(wire.Responses, wire.Messages)},
		{"the second of several", second, without(wire.Responses, wire.Messages), without(wire.Responses, wire.Messages)},
		{"image", answer(wire.Block{Type: wire.ImageBlock, Media: &wire.Media{Data: "AA"}}), nil, nil},
		{"audio", answer(text, wire.Block{Type: wire.AudioBlock, Media: &wire.Media{Data: "AA"}}), nil, nil},
		{"result", answer(wire.Block{Type: wire.ResultBlock, Result: &wire.Result{}}), nil, nil},
		{"Anthropic's own", answer(wire.Block{Type: wire.RawBlock, Vendor: wire.VendorAnthropic, Raw: `{"type":"server_tool_use"}`}), []*wire.Operation{wire.Messages}, []*wire.Operation{wire.Messages}},
		{"OpenAI's own", answer(wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"web_search_call"}`}), []*wire.Operation{wire.Responses}, []*wire.Operation{wire.Responses}},
		{"Gemini's own", answer(wire.Block{Type: wire.RawBlock, Vendor: wire.VendorGemini, Raw: `{"executableCode":{}}`}), []*wire.Operation{wire.GeminiGenerate}, []*wire.Operation{wire.GeminiGenerate}},
		{"probabilities of nothing", probable, without(wire.Completions), nil},
		{"a page", answer(wire.Block{Text: "hi", Citations: []wire.Citation{{URL: "https://x"}}}), clients, clients},
		{"a document", answer(wire.Block{Text: "hi", Citations: []wire.Citation{{Title: "x"}}}), without(wire.Messages), without(wire.Messages)},
	} {
		for _, op := range clients {
			for _, stream := range []bool{false, true} {
				t.Run(tt.name+"/"+op.Name, func(t *testing.T) {
					a := &cache.Answer{Form: cache.Form{Operation: wire.Chat, Body: []byte(`{}`)}, Canonical: form.Marshal(tt.res)}
					if op == wire.Chat {
						a.Form.Operation = wire.GeminiGenerate
					}
					carried := tt.whole
					if stream {
						carried = tt.stream
					}
					got, err := form.Convert(a, want(op, stream))
					if has(carried, op) {
						if err != nil {
							t.Error(err)
						}
					} else if !errors.Is(err, form.ErrLoses) {
						t.Errorf("%v: %s", err, got.Body)
					}
				})
			}
		}
	}
}

func has(list []*wire.Operation, op *wire.Operation) bool {
	for _, o := range list {
		if o == op {
			return true
		}
	}
	return false
}

func without(ops ...*wire.Operation) (list []*wire.Operation) {
	for _, op := range clients {
		if !has(ops, op) {
			list = append(list, op)
		}
	}
	return list
}

// TestUnreadable names what readers leave out without a word.
func TestUnreadable(t *testing.T) {
	const chunk = `{"id":"x","choices":[{"index":0,"delta":{"content":"a"MORE},"finish_reason":"stop"}]}`
	for name, f := range map[string]cache.Form{
		"sound in a stream":  {Operation: wire.Chat, Stream: true, Body: []byte(chatStream(replace(chunk, `,"audio":{"data":"AA"}`), "[DONE]"))},
		"an image in one":    {Operation: wire.Chat, Stream: true, Body: []byte(chatStream(replace(chunk, `,"images":[{"type":"image_url"}]`), "[DONE]"))},
		"something new":      {Operation: wire.Chat, Stream: true, Body: []byte(chatStream(replace(chunk, `,"smell":{"of":"roses"}`), "[DONE]"))},
		"something new, too": {Operation: wire.Chat, Body: []byte(`{"choices":[{"index":0,"message":{"content":"a","smell":"roses"},"finish_reason":"stop"}]}`)},
		"a container":        {Operation: wire.Messages, Body: []byte(`{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","container":{"id":"c"}}`)},
		"sources":            {Operation: wire.GeminiGenerate, Body: []byte(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"]}}]}`)},
	} {
		if got, err := form.Convert(&cache.Answer{Form: f}, want(f.Operation, !f.Stream)); !errors.Is(err, form.ErrLoses) {
			t.Errorf("%s: %v, %s", name, err, got.Body)
		}
	}
	f := cache.Form{Operation: wire.Chat, Stream: true, Body: []byte(chatStream(replace(chunk, `,"audio":null,"smell":"","refusal":null`), "[DONE]"))}
	if _, err := form.Convert(&cache.Answer{Form: f}, want(wire.Chat, false)); err != nil {
		t.Error(err)
	}
}

func replace(chunk, more string) string { return strings.Replace(chunk, "MORE", more, 1) }
