package form_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
)

// TestRequestDecides converts for requests that their answers repeat, or whose
// words for calls are others.
func TestRequestDecides(t *testing.T) {
	call := &cache.Answer{Model: "m", Form: cache.Form{Operation: wire.Messages}, Canonical: form.Marshal(&wire.Response{
		ID: "msg_1", Choices: []wire.Choice{{Finish: wire.FinishTools, Native: "tool_use", Blocks: []wire.Block{
			{Type: wire.CallBlock, Call: &wire.Call{ID: "c1", Name: "f", Arguments: `{"input":"text"}`}},
		}}},
	})}
	for _, tt := range []struct {
		name string
		op   *wire.Operation
		body string
		path []any
		want any
	}{
		{"tools", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"x"}]}`, []any{"choices", 0, "message", "tool_calls", 0, "type"}, "function"},
		{"functions", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"x"}],"functions":[{"name":"f"}]}`, []any{"choices", 0, "message", "function_call", "name"}, "f"},
		{"custom tools", wire.Chat, `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"custom","custom":{"name":"f"}}]}`, []any{"choices", 0, "message", "tool_calls", 0, "custom", "input"}, "text"},
		{"repeated", wire.Responses, `{"model":"m","input":"x","user":"me","metadata":{"a":"b"},"tools":[{"type":"function","name":"f"}]}`, []any{"tools", 0, "name"}, "f"},
		{"metadata", wire.Responses, `{"model":"m","input":"x","user":"me","metadata":{"a":"b"}}`, []any{"metadata", "a"}, "b"},
		{"user", wire.Responses, `{"model":"m","input":"x","user":"me"}`, []any{"user"}, "me"},
		{"no user", wire.Responses, `{"model":"m","input":"x"}`, []any{"user"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := form.Convert(call, form.Want{Operation: tt.op, Body: []byte(tt.body), ID: "abc"})
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(got.Body, &v); err != nil {
				t.Fatal(err)
			}
			for _, step := range tt.path {
				switch s := step.(type) {
				case string:
					v = v.(map[string]any)[s]
				case int:
					v = v.([]any)[s]
				}
			}
			if diff := cmp.Diff(tt.want, v); diff != "" {
				t.Errorf("%s\n%s", diff, got.Body)
			}
		})
	}
	if got, err := form.Convert(call, form.Want{Operation: wire.Chat, Body: []byte(`{"messages":1}`)}); err == nil {
		t.Errorf("a bad request got %s", got.Body)
	}
	if got, err := form.Convert(&cache.Answer{}, form.Want{Operation: wire.Chat}); err == nil {
		t.Errorf("nothing became %s", got.Body)
	}
}

// TestUsageOfAStreamThatHadNone gives a whole answer the usage that its stream
// was not asked for.
func TestUsageOfAStreamThatHadNone(t *testing.T) {
	a := &cache.Answer{Usage: wire.Usage{Input: 3, Output: 2}, Form: cache.Form{
		Operation: wire.Chat, Stream: true,
		Body: []byte(chatStream(head+`"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}`, "[DONE]")),
	}}
	for _, op := range clients {
		got, err := form.Convert(a, want(op, false))
		if err != nil {
			t.Fatal(err)
		}
		if u := read(t, got).Usage.Usage; u != a.Usage {
			t.Errorf("%s: %+v", op.Name, u)
		}
	}
}

// TestUsageIsAskedFor by what the caller says of the request, wherever it stands
// in it.
func TestUsageIsAskedFor(t *testing.T) {
	a := long(t, wire.Messages, true)
	for _, usage := range []bool{false, true} {
		w := form.Want{Operation: wire.Chat, Stream: true, Usage: usage, Body: []byte(bodies[wire.Chat]), ID: "abc"}
		got, err := form.Convert(a, w)
		if err != nil {
			t.Fatal(err)
		}
		if has := bytes.Contains(got.Body, []byte(`"usage":{`)); has != usage || got.Usage != usage {
			t.Errorf("asked %t: %t, %t", usage, has, got.Usage)
		}
	}
}
