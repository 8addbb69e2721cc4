package responses_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
)

// requestTable are bodies and the part of the canonical request that each is
// about.
var requestTable = []struct {
	name, body string
	want       wire.Request
}{
	{"a string", `{"model":"m","input":"hi"}`, wire.Request{Model: "m", Messages: []wire.Message{{Blocks: []wire.Block{{Text: "hi"}}}}}},
	{"instructions and system messages", `{"instructions":"a","input":[{"role":"developer","content":"b"},{"type":"message","role":"system","content":[{"type":"input_text","text":"c"}]},{"role":"user","content":"hi"},{"role":"developer","content":"d"}]}`, wire.Request{
		System: []wire.Block{{Text: "a"}, {Text: "b"}, {Text: "c"}},
		Messages: []wire.Message{
			{Blocks: []wire.Block{{Text: "hi"}}},
			{Role: wire.RoleSystem, Blocks: []wire.Block{{Text: "d"}}},
		},
	}},
	{"parts", `{"prompt_cache_options":{"ttl":"12h"},"input":[{"role":"user","content":[{"type":"input_text","text":"t","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},{"type":"input_image","image_url":"https://x/y.png"},{"type":"input_image","file_id":"file-1"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"},{"type":"input_file","file_url":"https://x/a.pdf"},{"type":"input_audio","input_audio":{"data":"CCCC","format":"mp3"}}]}]}`, wire.Request{
		CacheOptions: `{"ttl":"12h"}`,
		Messages: []wire.Message{{Blocks: []wire.Block{
			{Text: "t", Cache: &wire.CacheMark{TTL: "1h"}},
			{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/png", Data: "AAAA", Detail: "low"}},
			{Type: wire.ImageBlock, Media: &wire.Media{URL: "https://x/y.png"}},
			{Type: wire.ImageBlock, Media: &wire.Media{FileID: "file-1"}},
			{Type: wire.DocumentBlock, Media: &wire.Media{MIME: "application/pdf", Data: "BBBB", Name: "a.pdf"}},
			{Type: wire.DocumentBlock, Media: &wire.Media{URL: "https://x/a.pdf"}},
			{Type: wire.AudioBlock, Media: &wire.Media{MIME: "audio/mpeg", Data: "CCCC"}},
		}}},
	}},
	{"a turn with calls", `{"input":[{"role":"user","content":"q"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"enc"},{"role":"assistant","content":[{"type":"output_text","text":"t","annotations":[{"type":"url_citation","start_index":1,"end_index":2,"title":"T","url":"u"}]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"},{"type":"custom_tool_call","call_id":"c2","name":"g","input":"x"},{"type":"function_call_output","call_id":"c1","output":"r"},{"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_image","image_url":"u"}]},{"role":"user","content":"and"}]}`, wire.Request{
		Messages: []wire.Message{
			{Blocks: []wire.Block{{Text: "q"}}},
			{Role: wire.RoleAssistant, Blocks: []wire.Block{
				{Type: wire.ThinkingBlock, Text: "a\n\nb", Signature: "enc", Vendor: wire.VendorOpenAI, ID: "rs_1"},
				{Text: "t", Citations: []wire.Citation{{URL: "u", Title: "T", Start: 1, End: 2}}},
				{Type: wire.RefusalBlock, Text: "no"},
				{Type: wire.CallBlock, Call: &wire.Call{ID: "c1", Name: "f", Arguments: `{"a":1}`}},
				{Type: wire.CallBlock, Call: &wire.Call{ID: "c2", Name: "g", Arguments: "x", Custom: true}},
			}},
			{Blocks: []wire.Block{
				{Type: wire.ResultBlock, Result: &wire.Result{CallID: "c1", Name: "f", Content: []wire.Block{{Text: "r"}}}},
				{Type: wire.ResultBlock, Result: &wire.Result{CallID: "c2", Name: "g", Custom: true, Content: []wire.Block{{Type: wire.ImageBlock, Media: &wire.Media{URL: "u"}}}}},
				{Text: "and"},
			}},
		},
	}},
	{"reasoning without words", `{"input":[{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"e"}]}`, wire.Request{
		Messages: []wire.Message{{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.ThinkingBlock, Signature: "e", Vendor: wire.VendorOpenAI, ID: "rs"}}}},
	}},
	{"raw reasoning", `{"input":[{"type":"reasoning","id":"rs","summary":[],"content":[{"type":"reasoning_text","text":"x"}]}]}`, wire.Request{
		Messages: []wire.Message{{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.ThinkingBlock, Text: "x", ID: "rs"}}}},
	}},
	{"items of the vendor's tools", `{"input":[{"type":"web_search_call","id":"ws","status":"completed"},{"type":"computer_call_output","call_id":"c"}]}`, wire.Request{
		Messages: []wire.Message{
			{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"web_search_call","id":"ws","status":"completed"}`}}},
			{Blocks: []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"computer_call_output","call_id":"c"}`}}},
		},
	}},
	{"state", `{"previous_response_id":"resp_1","conversation":"conv","background":true,"prompt":{"id":"p"},"input":[{"type":"item_reference","id":"msg_1"}]}`, wire.Request{
		State: []wire.Extra{
			{Name: "previous_response_id", Raw: `"resp_1"`},
			{Name: "conversation", Raw: `"conv"`},
			{Name: "background", Raw: "true"},
			{Name: "prompt", Raw: `{"id":"p"}`},
			{Name: "item_reference", Raw: `{"type":"item_reference","id":"msg_1"}`},
		},
		Messages: []wire.Message{{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"item_reference","id":"msg_1"}`}}}},
	}},
	{"no state", `{"previous_response_id":null,"background":false,"input":"a"}`, wire.Request{Messages: []wire.Message{{Blocks: []wire.Block{{Text: "a"}}}}}},
	{"parameters", `{"input":"a","stream":true,"max_output_tokens":20,"temperature":0.50,"top_p":1,"top_logprobs":3,"parallel_tool_calls":false,"store":true,"metadata":{"b":"1","a":"2"},"safety_identifier":"me","service_tier":"flex","prompt_cache_key":"k","reasoning":{"effort":"high","summary":"auto","mode":"pro"},"text":{"format":{"type":"json_schema","name":"n","schema":{"z":1,"a":2},"strict":true},"verbosity":"low"},"include":["reasoning.encrypted_content","message.output_text.logprobs","file_search_call.results"],"truncation":"auto","max_tool_calls":4}`, wire.Request{
		Stream: true, MaxTokens: 20, Temperature: "0.50", TopP: "1", LogProbs: true, TopLogProbs: "3", ParallelTools: wire.No, Store: wire.Yes,
		Metadata: `{"b":"1","a":"2"}`, User: "me", ServiceTier: "flex", CacheKey: "k", Verbosity: "low",
		Reasoning: wire.Reasoning{Effort: "high", Show: "auto", Encrypted: true},
		Format:    wire.Format{Kind: "json_schema", Name: "n", Schema: `{"z":1,"a":2}`, Strict: wire.Yes},
		Messages:  []wire.Message{{Blocks: []wire.Block{{Text: "a"}}}},
		Extra: []wire.Extra{
			{Name: "include", Raw: `["file_search_call.results"]`},
			{Name: "max_tool_calls", Raw: "4"},
			{Name: "reasoning.mode", Raw: `"pro"`},
			{Name: "truncation", Raw: `"auto"`},
		},
	}},
	{"tools", `{"input":"a","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"}},{"type":"function","name":"g","parameters":null,"strict":false,"defer_loading":true},{"type":"custom","name":"h","format":{"type":"grammar","syntax":"lark","definition":"s"}},{"type":"web_search"},{"type":"local_shell"}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"custom","name":"h"},{"type":"web_search"}]}}`, wire.Request{
		Tools: []wire.Tool{
			{Name: "f", Description: "d", Schema: `{"type":"object"}`, Strict: wire.Yes},
			{Name: "g", Strict: wire.No},
			{Name: "h", Custom: true, Grammar: `{"type":"grammar","syntax":"lark","definition":"s"}`},
			{Name: "web_search", Raw: `{"type":"web_search"}`, Vendor: wire.VendorOpenAI},
			{Name: "local_shell", Raw: `{"type":"local_shell"}`, Vendor: wire.VendorOpenAI},
		},
		ToolChoice: wire.ToolChoice{Mode: "required", Allowed: []string{"f", "h", "web_search"}},
		Extra:      []wire.Extra{{Name: "tools[g].defer_loading", Raw: "true"}},
		Messages:   []wire.Message{{Blocks: []wire.Block{{Text: "a"}}}},
	}},
	{"a named tool", `{"input":"a","tool_choice":{"type":"function","name":"f"}}`, wire.Request{ToolChoice: wire.ToolChoice{Mode: "named", Name: "f"}, Messages: []wire.Message{{Blocks: []wire.Block{{Text: "a"}}}}}},
	{"a choice of a server's tool", `{"input":"a","tool_choice":{"type":"mcp","server_label":"s"}}`, wire.Request{Extra: []wire.Extra{{Name: "tool_choice", Raw: `{"type":"mcp","server_label":"s"}`}}, Messages: []wire.Message{{Blocks: []wire.Block{{Text: "a"}}}}}},
}

func TestDecodeRequest(t *testing.T) {
	for _, tt := range requestTable {
		t.Run(tt.name, func(t *testing.T) {
			got := decodeRequest(t, tt.body)
			tt.want.IncludeUsage, tt.want.Dialect = true, wire.OpenAI
			if diff := cmp.Diff(&tt.want, got, sameRequest, cmpopts.IgnoreFields(wire.Request{}, "Spelling")); diff != "" {
				t.Error(diff)
			}
			body, _ := encodeRequest(t, got)
			if diff := cmp.Diff(got, decodeRequest(t, body), sameRequest); diff != "" {
				t.Errorf("encoded and decoded: %s\n%s", diff, body)
			}
		})
	}
}

func TestWrongRequests(t *testing.T) {
	for _, tt := range []struct{ name, body, param string }{
		{"no object", `[]`, ""},
		{"no input", `{"model":"m"}`, "input"},
		{"input", `{"input":1}`, "input"},
		{"an item", `{"input":[1]}`, "input[0]"},
		{"a role", `{"input":[{"role":"user","content":"a"},{"role":"bot","content":"b"}]}`, "input[1].role"},
		{"content", `{"input":[{"role":"user","content":1}]}`, "input[0].content"},
		{"a part", `{"input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"hologram"}]}]}`, "input[0].content[1].type"},
		{"a text", `{"input":[{"role":"user","content":[{"type":"input_text"}]}]}`, "input[0].content[0].text"},
		{"an image", `{"input":[{"role":"user","content":[{"type":"input_image"}]}]}`, "input[0].content[0]"},
		{"a call", `{"input":[{"type":"function_call","name":"f","arguments":"{}"}]}`, "input[0].call_id"},
		{"an output", `{"input":[{"type":"function_call_output","call_id":"c","output":{}}]}`, "input[0].output"},
		{"a picture in the system", `{"input":[{"role":"system","content":[{"type":"input_image","image_url":"u"}]}]}`, "input[0].content[0]"},
		{"a tool", `{"input":"a","tools":[{"type":"function"}]}`, "tools[0].name"},
		{"a choice", `{"input":"a","tool_choice":"f"}`, "tool_choice"},
		{"the cap", `{"input":"a","max_output_tokens":0}`, "max_output_tokens"},
		{"a number", `{"input":"a","temperature":"hot"}`, "temperature"},
		{"twice", `{"input":"a","text":{},"text":{}}`, "text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := codec.DecodeRequest([]byte(tt.body))
			if err == nil {
				t.Fatal("no error")
			}
			if f := failureOf(t, err); f.Kind != wire.KindInvalid || f.Param != tt.param || f.Message == "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestSignaturesComeBack checks that what other vendors signed, and a client
// of this dialect held in reasoning items, is theirs again.
func TestSignaturesComeBack(t *testing.T) {
	res := &wire.Response{ID: "r", Choices: []wire.Choice{{Finish: wire.FinishTools, Blocks: []wire.Block{
		{Type: wire.ThinkingBlock, Text: "hm", Signature: "s1", Vendor: wire.VendorAnthropic},
		{Type: wire.RedactedBlock, Signature: "s2", Vendor: wire.VendorAnthropic},
		{Type: wire.ThinkingBlock, Text: "", Signature: "s3", Vendor: wire.VendorOpenAI, ID: "rs_9"},
		{Text: "text", Signature: "s4", Vendor: wire.VendorGemini},
		{Type: wire.CallBlock, Call: &wire.Call{ID: "c1", Name: "f", Arguments: "{}"}, Signature: "s5", Vendor: wire.VendorGemini},
		{Type: wire.CallBlock, Call: &wire.Call{ID: "c2", Name: "f", Arguments: "{}"}},
	}}}}
	answer := codec.EncodeResponse(nil, res, &wire.Reply{ID: "x"})
	decoded, err := codec.DecodeResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(res.Choices[0].Blocks, decoded.Choices[0].Blocks); diff != "" {
		t.Error(diff)
	}
	output := string(answer[strings.Index(string(answer), `"output":[`)+len(`"output":`):])
	output = output[:strings.Index(output, `,"usage"`)]
	req := decodeRequest(t, `{"input":`+output+`}`)
	if diff := cmp.Diff(res.Choices[0].Blocks, req.Messages[0].Blocks); diff != "" {
		t.Error(diff)
	}

	t.Run("directly before the call", func(t *testing.T) {
		req := decodeRequest(t, `{"input":[{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"`+wire.Seal(wire.VendorGemini, "", "s")+`"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}`)
		want := []wire.Block{{Type: wire.CallBlock, Call: &wire.Call{ID: "c", Name: "f", Arguments: "{}"}, Signature: "s", Vendor: wire.VendorGemini}}
		if diff := cmp.Diff(want, req.Messages[0].Blocks); diff != "" {
			t.Error(diff)
		}
	})
}
