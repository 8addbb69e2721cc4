package openai_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/wiretest"
)

// maxSeed keeps inlined images out of the corpus.
const maxSeed = 16 << 10

func FuzzDecodeRequest(f *testing.F) {
	for _, x := range fixtures(f, "chat", "completions", "embeddings") {
		if len(x.request) < maxSeed {
			f.Add(x.request)
		}
	}
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.summary","summary":"s","index":0,"format":"openai-responses-v1"},{"type":"reasoning.encrypted","data":"d","id":"rs","index":0,"format":"openai-responses-v1"}],"content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"r"}],"tool_calls":[{"id":"c","type":"custom","custom":{"name":"n","input":"x"}}]},{"role":"tool","tool_call_id":"c","content":[{"type":"image_url","image_url":"data:image/png;base64,AA=="}]}],"tools":[{"type":"custom","custom":{"name":"n","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"d"}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"custom","custom":{"name":"n"}}]}},"thinking":{"type":"enabled","budget_tokens":9},"user":"u","safety_identifier":"s"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) || !utf8.Valid(body) {
			return
		}
		_, _ = openai.CompletionsCodec{}.DecodeRequest(body)
		_, _ = openai.EmbedCodec{}.DecodeEmbedRequest(body)
		codec := openai.Codec{}
		first, err := codec.DecodeRequest(body)
		if err != nil {
			return
		}
		encoded, err := codec.EncodeRequest(nil, first, wire.NewLoss(first))
		if err != nil {
			return
		}
		if !json.Valid(encoded) {
			t.Fatalf("not JSON: %s", encoded)
		}
		second, err := codec.DecodeRequest(encoded)
		if err != nil {
			t.Fatalf("%v in %s", err, encoded)
		}
		if diff := cmp.Diff(first, second, sameRequest); diff != "" {
			t.Errorf("%s\n%s", diff, encoded)
		}
		other := *first
		other.Dialect = wire.Anthropic
		if encoded, err = (openai.Codec{Details: true, Reasoning: true}).EncodeRequest(nil, &other, wire.NewLoss(&other)); err == nil && !json.Valid(encoded) {
			t.Fatalf("not JSON: %s", encoded)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	for _, x := range fixtures(f, "chat", "completions", "embeddings") {
		if !x.stream && len(x.body) < maxSeed {
			f.Add(x.body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reply := &wire.Reply{ID: "r"}
		if res, err := (openai.EmbedCodec{}).DecodeEmbedResponse(body); err == nil {
			for _, packed := range []bool{false, true} {
				if out := (openai.EmbedCodec{}).EncodeEmbedResponse(nil, res, &wire.EmbedRequest{Base64: packed}); !json.Valid(out) {
					t.Fatalf("not JSON: %s", out)
				}
			}
		}
		res, err := openai.Codec{}.DecodeResponse(body)
		if err != nil {
			return
		}
		for _, codec := range []wire.Codec{openai.Codec{}, openai.CompletionsCodec{}} {
			if out := codec.EncodeResponse(nil, res, reply); !json.Valid(out) {
				t.Fatalf("not JSON: %s", out)
			}
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	for _, x := range fixtures(f, "chat", "completions") {
		if x.stream && len(x.body) < maxSeed {
			f.Add(x.body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		codec := openai.Codec{}
		var events []wire.Event
		first, events, err := wiretest.Collect(codec.StreamDecoder(), body, 0)
		if _, broken := wiretest.Gather(events); broken != nil {
			t.Fatal(broken)
		}
		if err != nil || first.Failure != nil {
			return
		}
		reply := &wire.Reply{ID: "r1", Created: 1, Model: "m", Request: &wire.Request{IncludeUsage: true}}
		encoder, legacy := codec.StreamEncoder(reply), openai.CompletionsCodec{}.StreamEncoder(reply)
		var out, old []byte
		for i := range events {
			out, old = encoder.Encode(out, &events[i]), legacy.Encode(old, &events[i])
		}
		if _, _, err := wiretest.Collect(codec.StreamDecoder(), old, 0); err != nil {
			t.Fatalf("%v in %s", err, old)
		}
		second, _, err := wiretest.Collect(codec.StreamDecoder(), out, 0)
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if !utf8.Valid(body) { // it is read as U+FFFD once more
			return
		}
		if diff := cmp.Diff(heard(first), heard(second), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s\n%s", diff, out)
		}
	})
}

// heard is what a stream says: text, calls and usage.
func heard(res *wire.Response) any {
	type said struct {
		Text, Thought, Refusal string
		Calls                  []wire.Call
	}
	all := map[int]*said{0: {}} // a stream without choices still opens one
	for _, c := range res.Choices {
		s := &said{}
		all[c.Index] = s
		for _, b := range c.Blocks {
			switch b.Type {
			case wire.TextBlock:
				s.Text += b.Text
			case wire.ThinkingBlock:
				s.Thought += b.Text
			case wire.RefusalBlock:
				s.Refusal += b.Text
			case wire.CallBlock:
				call := *b.Call
				call.ID = ""
				if call.Arguments == "" && !call.Custom {
					call.Arguments = "{}"
				}
				s.Calls = append(s.Calls, call)
			}
		}
	}
	return []any{all, res.Usage.Usage}
}
