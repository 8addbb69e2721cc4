package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/responses"
)

// TestAppendStream tells whole responses as streams: an item is empty when it is
// added, its pieces make it up, and it is done as it stands in the response.
func TestAppendStream(t *testing.T) {
	body := `{"id":"resp_1","status":"completed","completed_at":5,"output":[
	{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"},{"type":"summary_text","text":"so"}],"encrypted_content":"x"},
	{"id":"rs_2","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"why"}]},
	{"id":"msg_1","type":"message","status":"completed","role":"assistant","phase":"final_answer","content":[
		{"type":"output_text","text":"a \"b\"","annotations":[{"type":"url_citation","url":"u"}],"logprobs":[{"token":"a"}]},
		{"type":"output_text","text":"c","annotations":[],"logprobs":[]},
		{"type":"refusal","refusal":"no"}]},
	{"id":"fc_1","type":"function_call","status":"completed","call_id":"c","name":"f","arguments":"{}"},
	{"id":"ct_1","type":"custom_tool_call","status":"completed","call_id":"d","name":"g","input":"text"},
	{"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search"}}
	],"usage":{"input_tokens":1,"output_tokens":2},"user":"u"}`
	out, err := responses.AppendStream([]byte("before"), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	out, _ = bytes.CutPrefix(out, []byte("before"))
	var got []string
	var last map[string]any
	reader := sse.NewReader(bytes.NewReader(out), 0)
	var ev sse.Event
	for reader.Next(&ev) == nil {
		var m map[string]any
		if err := json.Unmarshal(ev.Data, &m); err != nil {
			t.Fatalf("%v in %s", err, ev.Data)
		}
		line := string(ev.Name)
		for _, member := range []string{"delta", "text", "refusal", "arguments", "input", "logprobs"} {
			if v, ok := m[member]; ok {
				raw, _ := json.Marshal(v)
				line += " " + member + "=" + string(raw)
			}
		}
		if last, _ = m["response"].(map[string]any); last != nil {
			raw, _ := json.Marshal([]any{last["status"], last["completed_at"], last["usage"], last["user"]})
			line += " " + string(raw)
		}
		got = append(got, line)
	}
	want := []string{
		`response.created ["in_progress",null,null,"u"]`,
		`response.in_progress ["in_progress",null,null,"u"]`,
		`response.output_item.added`,
		`response.reasoning_summary_part.added`,
		`response.reasoning_summary_text.delta delta="hm"`,
		`response.reasoning_summary_text.done text="hm"`,
		`response.reasoning_summary_part.done`,
		`response.reasoning_summary_part.added`,
		`response.reasoning_summary_text.delta delta="so"`,
		`response.reasoning_summary_text.done text="so"`,
		`response.reasoning_summary_part.done`,
		`response.output_item.done`,
		`response.output_item.added`,
		`response.content_part.added`,
		`response.reasoning_text.delta delta="why"`,
		`response.reasoning_text.done text="why"`,
		`response.content_part.done`,
		`response.output_item.done`,
		`response.output_item.added`,
		`response.content_part.added`,
		`response.output_text.delta delta="a \"b\"" logprobs=[{"token":"a"}]`,
		`response.output_text.done text="a \"b\"" logprobs=[{"token":"a"}]`,
		`response.output_text.annotation.added`,
		`response.content_part.done`,
		`response.content_part.added`,
		`response.output_text.delta delta="c" logprobs=[]`,
		`response.output_text.done text="c" logprobs=[]`,
		`response.content_part.done`,
		`response.content_part.added`,
		`response.refusal.delta delta="no"`,
		`response.refusal.done refusal="no"`,
		`response.content_part.done`,
		`response.output_item.done`,
		`response.output_item.added`,
		`response.function_call_arguments.delta delta="{}"`,
		`response.function_call_arguments.done arguments="{}"`,
		`response.output_item.done`,
		`response.output_item.added`,
		`response.custom_tool_call_input.delta delta="text"`,
		`response.custom_tool_call_input.done input="text"`,
		`response.output_item.done`,
		`response.output_item.added`,
		`response.output_item.done`,
		`response.completed ["completed",5,{"input_tokens":1,"output_tokens":2},"u"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var whole map[string]any
	if err := json.Unmarshal([]byte(body), &whole); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, last); diff != "" {
		t.Error(diff)
	}
	for _, status := range []string{"failed", "in_progress", "queued", "cancelled", ""} {
		if _, err := responses.AppendStream(nil, []byte(`{"status":"`+status+`","output":[]}`)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", status, err)
		}
	}
}
