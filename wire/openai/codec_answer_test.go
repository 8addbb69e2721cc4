package openai_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/wiretest"
)

// aReply stands for the exchange of the tests below.
func aReply(spelling map[string]string) *wire.Reply {
	return &wire.Reply{ID: "r", Created: 9, Model: "m", Request: &wire.Request{IncludeUsage: true, Spelling: spelling}}
}

const noUsage = `"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`

func TestEncodeAnswer(t *testing.T) {
	old := map[string]string{"tools": "functions"}
	for _, tt := range []struct {
		name     string
		spelling map[string]string
		choice   wire.Choice
		want     string // after "index":0
	}{
		{"text", nil, wire.Choice{Blocks: []wire.Block{{Text: "a"}, {Text: "b"}}, Finish: wire.FinishStop, Native: "end_turn"}, `"message":{"role":"assistant","content":"ab","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop","native_finish_reason":"end_turn"`},
		{"calls", nil, wire.Choice{Blocks: []wire.Block{call("", "f", ""), call("x", "g", `{"b":1,"a":2}`)}, Finish: wire.FinishTools}, `"message":{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[{"id":"call_r_0","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"x","type":"function","function":{"name":"g","arguments":"{\"b\":1,\"a\":2}"}}]},"logprobs":null,"finish_reason":"tool_calls"`},
		{"a function of old", old, wire.Choice{Blocks: []wire.Block{call("x", "g", "{}")}, Finish: wire.FinishTools}, `"message":{"role":"assistant","content":null,"refusal":null,"annotations":[],"function_call":{"name":"g","arguments":"{}"}},"logprobs":null,"finish_reason":"function_call"`},
		{"a refusal", nil, wire.Choice{Blocks: []wire.Block{{Type: wire.RefusalBlock, Text: "no"}}, Finish: wire.FinishPolicy}, `"message":{"role":"assistant","content":null,"refusal":"no","annotations":[]},"logprobs":null,"finish_reason":"stop"`},
		{"a filter that explains", nil, wire.Choice{Finish: wire.FinishPolicy, Native: "SAFETY", Explanation: "why"}, `"message":{"role":"assistant","content":null,"refusal":"why","annotations":[]},"logprobs":null,"finish_reason":"content_filter","native_finish_reason":"SAFETY"`},
		{"the window", nil, wire.Choice{Blocks: []wire.Block{{Text: "a"}}, Finish: wire.FinishWindow}, `"message":{"role":"assistant","content":"a","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"length"`},
		{"citations", nil, wire.Choice{Blocks: []wire.Block{{Text: "é"}, {Text: "bc", Citations: []wire.Citation{{URL: "u", Title: "t", Start: 0, End: 2}}}}, Finish: wire.FinishStop}, `"message":{"role":"assistant","content":"ébc","refusal":null,"annotations":[{"type":"url_citation","url_citation":{"start_index":1,"end_index":3,"url":"u","title":"t"}}]},"logprobs":null,"finish_reason":"stop"`},
		{
			"thinking", nil,
			wire.Choice{Blocks: []wire.Block{{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}, {Type: wire.RedactedBlock, Signature: "r", Vendor: wire.VendorAnthropic}, {Text: "a"}}, Finish: wire.FinishStop},
			`"message":{"role":"assistant","content":"a","refusal":null,"reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"r","format":"anthropic-claude-v1","index":1}],"annotations":[]},"logprobs":null,"finish_reason":"stop"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := openai.Codec{}.EncodeResponse(nil, &wire.Response{Choices: []wire.Choice{tt.choice}}, aReply(tt.spelling))
			want := `{"id":"chatcmpl-r","object":"chat.completion","created":9,"model":"m","choices":[{"index":0,` + tt.want + `}],` + noUsage + `,"system_fingerprint":null}`
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestThinkingReturns checks that what a client of this dialect is given, and
// sends back as it is, is what the vendor gave.
func TestThinkingReturns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		blocks []wire.Block
	}{
		{"claude's", []wire.Block{{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}}},
		{"claude's without its text", []wire.Block{{Type: wire.ThinkingBlock, Signature: "s", Vendor: wire.VendorAnthropic}}},
		{"claude's redacted", []wire.Block{{Type: wire.RedactedBlock, Signature: "s", Vendor: wire.VendorAnthropic}}},
		{"bedrock's", []wire.Block{{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorBedrock}}},
		{"openai's", []wire.Block{{Type: wire.ThinkingBlock, Text: "t", Signature: "s", ID: "rs_1", Vendor: wire.VendorOpenAI}}},
		{"openai's without a summary", []wire.Block{{Type: wire.ThinkingBlock, Signature: "s", ID: "rs_1", Vendor: wire.VendorOpenAI}}},
		{"gemini's call", []wire.Block{{Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: "f", Arguments: "{}"}, Signature: "s", Vendor: wire.VendorGemini}}},
		{"gemini's text", []wire.Block{{Text: "a", Signature: "s", Vendor: wire.VendorGemini}}},
		{"unsigned", []wire.Block{{Type: wire.ThinkingBlock, Text: "t"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			codec := openai.Codec{}
			body := codec.EncodeResponse(nil, &wire.Response{Choices: []wire.Choice{{Blocks: tt.blocks, Finish: wire.FinishStop}}}, aReply(nil))
			var answer struct {
				Choices []struct{ Message json.RawMessage }
			}
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
			req, err := codec.DecodeRequest([]byte(`{"messages":[` + string(answer.Choices[0].Message) + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.blocks, req.Messages[0].Blocks); diff != "" {
				t.Errorf("%s\n%s", diff, body)
			}
			encoder := codec.StreamEncoder(aReply(nil))
			var stream []byte
			for _, ev := range events(tt.blocks) {
				stream = encoder.Encode(stream, &ev)
			}
			res, _, err := wiretest.Collect(codec.StreamDecoder(), stream, 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.blocks, res.Choices[0].Blocks); diff != "" {
				t.Errorf("streamed: %s\n%s", diff, stream)
			}
		})
	}
}

// events is a stream of blocks.
func events(blocks []wire.Block) []wire.Event {
	list := []wire.Event{{Kind: wire.EventStart, ID: "c", Model: "m", Created: 1}}
	finish := wire.FinishStop
	for i, b := range blocks {
		open := wire.Event{Kind: wire.EventBlock, Index: i, Block: b.Type}
		text := b.Text
		if b.Call != nil {
			open.ID, open.Name, open.Custom = b.Call.ID, b.Call.Name, b.Call.Custom
			text, finish = b.Call.Arguments, wire.FinishTools
		}
		list = append(list, open)
		if text != "" {
			list = append(list, wire.Event{Kind: wire.EventDelta, Index: i, Text: []byte(text)})
		}
		if b.Signature != "" {
			list = append(list, wire.Event{Kind: wire.EventSignature, Index: i, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID})
		}
		list = append(list, wire.Event{Kind: wire.EventBlockEnd, Index: i})
	}
	report := &wire.Report{Usage: wire.Usage{Input: 5, Output: 2, CacheRead: 1, CacheWrite: 3, Reasoning: 1}, Reported: true}
	return append(list, wire.Event{Kind: wire.EventFinish, Finish: finish}, wire.Event{Kind: wire.EventUsage, Usage: report}, wire.Event{Kind: wire.EventEnd})
}

func TestEncodeStream(t *testing.T) {
	const head = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":null,"choices":[`
	piece := func(deltaMembers string) string {
		return head + `{"index":0,"delta":{` + deltaMembers + `},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"
	}
	role := piece(`"role":"assistant","content":"","refusal":null`)
	tail := func(word string) string {
		return head + `{"index":0,"delta":{},"logprobs":null,"finish_reason":"` + word + `"}],"usage":null}` + "\n\n" +
			head + `],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1,"audio_tokens":0,"cache_write_tokens":3},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}` + "\n\ndata: [DONE]\n\n"
	}
	for _, tt := range []struct {
		name     string
		spelling map[string]string
		blocks   []wire.Block
		want     string
	}{
		{"text", nil, []wire.Block{{Text: "a\n"}}, role + piece(`"content":"a\n"`) + tail("stop")},
		{"calls", nil, []wire.Block{{Text: "a"}, call("x", "f", "{}"), call("", "g", "")}, role + piece(`"content":"a"`) +
			piece(`"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}]`) + piece(`"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]`) +
			piece(`"tool_calls":[{"index":1,"id":"call_r_1","type":"function","function":{"name":"g","arguments":""}}]`) + piece(`"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]`) + tail("tool_calls")},
		{"a function of old", map[string]string{"tools": "functions"}, []wire.Block{call("x", "f", "{}")}, role + piece(`"function_call":{"name":"f","arguments":""}`) + piece(`"function_call":{"arguments":"{}"}`) + tail("function_call")},
		{"thinking", nil, []wire.Block{{Type: wire.ThinkingBlock, Text: "t", Signature: "s", Vendor: wire.VendorAnthropic}}, role + piece(`"reasoning_content":"t"`) + piece(`"reasoning_details":[{"type":"reasoning.text","text":"","signature":"s","format":"anthropic-claude-v1","index":0}]`) + tail("stop")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			encoder := openai.Codec{}.StreamEncoder(aReply(tt.spelling))
			var got []byte
			for _, ev := range events(tt.blocks) {
				got = encoder.Encode(got, &ev)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	quiet := openai.Codec{}.StreamEncoder(&wire.Reply{ID: "r", Request: &wire.Request{}})
	var got []byte
	for _, ev := range events([]wire.Block{{Text: "a"}}) {
		got = quiet.Encode(got, &ev)
	}
	if strings.Contains(string(got), "usage") {
		t.Errorf("usage that nobody asked for: %s", got)
	}
}

func TestCompletions(t *testing.T) {
	codec := openai.CompletionsCodec{}
	req, err := codec.DecodeRequest([]byte(`{"model":"m","prompt":["p"],"max_tokens":3,"logprobs":2,"echo":false,"suffix":null,"best_of":1,"stream":true,"stream_options":{"include_usage":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]wire.Message{user(wire.Block{Text: "p"})}, req.Messages); diff != "" || !req.LogProbs || req.TopLogProbs != "2" || req.MaxTokens != 3 {
		t.Errorf("%+v %s", req, diff)
	}
	if got, err := codec.EncodeRequest(nil, req, wire.NewLoss(req)); err != nil || string(got) != `{"model":"m","prompt":"p","stream":true,"stream_options":{"include_usage":true},"max_tokens":3,"logprobs":2}` {
		t.Errorf("%s %v", got, err)
	}
	const logprobs = `{"content":[{"token":"a","logprob":-0.5,"top_logprobs":[{"token":"a","logprob":-0.5}]},{"token":"é","logprob":-1,"top_logprobs":[]}],"refusal":null}`
	got := string(codec.EncodeResponse(nil, &wire.Response{Choices: []wire.Choice{{Blocks: []wire.Block{{Type: wire.ThinkingBlock, Text: "t"}, {Text: "aé"}}, Finish: wire.FinishLength, LogProbs: logprobs}}}, aReply(nil)))
	want := `{"id":"cmpl-r","object":"text_completion","created":9,"model":"m","choices":[{"text":"aé","index":0,"logprobs":{"tokens":["a","é"],"token_logprobs":[-0.5,-1],"top_logprobs":[{"a":-0.5},{}],"text_offset":[0,1]},"finish_reason":"length"}],` + noUsage + `,"system_fingerprint":null}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	encoder := codec.StreamEncoder(&wire.Reply{ID: "r", Request: &wire.Request{}})
	var stream []byte
	for _, ev := range events([]wire.Block{{Type: wire.ThinkingBlock, Text: "t"}, {Text: "a"}}) {
		stream = encoder.Encode(stream, &ev)
	}
	const head = `data: {"id":"c","object":"text_completion","created":1,"model":"m","choices":[`
	if want := head + `{"text":"a","index":0,"logprobs":null,"finish_reason":null}]}` + "\n\n" + head + `{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"; string(stream) != want {
		t.Errorf("%s", stream)
	}
}

func TestEmbeddings(t *testing.T) {
	codec := openai.EmbedCodec{}
	req, err := codec.DecodeEmbedRequest([]byte(`{"model":"m","input":"a","encoding_format":"base64","dimensions":2}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&wire.EmbedRequest{Model: "m", Inputs: []string{"a"}, Single: true, Base64: true, Dimensions: 2}, req); diff != "" {
		t.Error(diff)
	}
	if got, err := codec.EncodeEmbedRequest(nil, req, wire.NewLoss(&wire.Request{})); err != nil || string(got) != `{"model":"m","input":"a","dimensions":2,"encoding_format":"float"}` {
		t.Errorf("%s %v", got, err)
	}
	res := &wire.EmbedResponse{Model: "m", Vectors: [][]float32{{1, -0.25}, {0.1, 1e-9}}, Input: 4}
	floats := codec.EncodeEmbedResponse(nil, res, &wire.EmbedRequest{})
	if want := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-0.25]},{"object":"embedding","index":1,"embedding":[0.1,1e-09]}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}`; string(floats) != want {
		t.Errorf("%s", floats)
	}
	packed := codec.EncodeEmbedResponse(nil, res, req)
	if !strings.Contains(string(packed), `"embedding":"AACAPwAAgL4="`) { // 1.0 and -0.25, little-endian
		t.Errorf("%s", packed)
	}
	for _, body := range [][]byte{floats, packed} {
		got, err := codec.DecodeEmbedResponse(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(res, got); diff != "" {
			t.Error(diff)
		}
	}
	for _, body := range []string{`{"input":[1,2]}`, `{"input":[[1]]}`, `{}`, `{"input":[]}`, `{"input":[{}]}`} {
		var f *wire.Failure
		if _, err := codec.DecodeEmbedRequest([]byte(body)); !errors.As(err, &f) || f.Param != "input" {
			t.Errorf("%s: %v", body, err)
		}
	}
	seen := 0
	for _, f := range fixtures(t, "embeddings") {
		if f.status != 200 || !strings.Contains(string(f.body), `"data"`) {
			continue
		}
		seen++
		got, err := codec.DecodeEmbedResponse(f.body)
		if f.name == "compat/embeddings-dimensions" { // Perplexity packs int8, which must not pass for float32
			if !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%v", err)
			}
			continue
		}
		if err != nil || len(got.Vectors) == 0 || len(got.Vectors[0]) == 0 {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	if seen < 5 {
		t.Errorf("only %d recordings", seen)
	}
}

// TestReport checks the corrections of totals and the details.
func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name, usage string
		want        wire.Report
	}{
		{
			"openai", `{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2,"audio_tokens":1},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":1,"accepted_prediction_tokens":1,"rejected_prediction_tokens":2}}`,
			wire.Report{Usage: wire.Usage{Input: 9, Output: 5, CacheRead: 4, CacheWrite: 2, Reasoning: 3}, Details: wire.Details{InputAudio: 1, OutputAudio: 1, AcceptedPrediction: 1, RejectedPrediction: 2}},
		},
		{"deepseek", `{"prompt_tokens":9,"completion_tokens":5,"prompt_cache_hit_tokens":4}`, wire.Report{Usage: wire.Usage{Input: 9, Output: 5, CacheRead: 4}}},
		{"xai leaves reasoning out", `{"prompt_tokens":9,"completion_tokens":5,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":3}}`, wire.Report{Usage: wire.Usage{Input: 9, Output: 8, Reasoning: 3}}},
		{"azure counts more cache than prompt: as reported", `{"prompt_tokens":29,"completion_tokens":6,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":157}}`, wire.Report{Usage: wire.Usage{Input: 29, Output: 6, CacheRead: 157}}},
		{"openrouter searched", `{"prompt_tokens":9,"completion_tokens":5,"server_tool_use_details":{"web_search_requests":2}}`, wire.Report{Usage: wire.Usage{Input: 9, Output: 5}, Details: wire.Details{WebSearches: 2}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := openai.Codec{}.DecodeResponse([]byte(`{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":` + tt.usage + `}`))
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Reported = true
			if diff := cmp.Diff(tt.want, res.Usage); diff != "" {
				t.Error(diff)
			}
		})
	}
}
