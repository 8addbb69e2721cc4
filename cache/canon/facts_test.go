package canon

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
)

func factsOf(t *testing.T, a ask) Facts {
	t.Helper()
	_, facts, err := Of(a.op, []byte(a.body), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func TestFacts(t *testing.T) {
	for _, tt := range []struct {
		name string
		ask  ask
		want Facts
	}{
		{"plain", chat(`{"messages":[{"role":"user","content":"a"}]}`), Facts{LastUser: "a", UserTurns: 1, Choices: 1}},
		{"two texts", chat(`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`), Facts{LastUser: "a\nb", UserTurns: 1, Choices: 1}},
		{"turns", messages(`{"max_tokens":5,"temperature":0.50,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`), Facts{LastUser: "c", UserTurns: 2, Choices: 1, HasTemperature: true, Temperature: 0.5}},
		{"prefill", messages(`{"max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`), Facts{UserTurns: 1, Choices: 1}},
		{"results", messages(`{"max_tokens":5,"tools":[{"name":"f","input_schema":{}}],"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"}]}]}`), Facts{UserTurns: 1, Choices: 1, Tools: true}},
		{"a picture", chat(`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x/y"}}]}]}`), Facts{UserTurns: 1, Choices: 1, Media: true}},
		{"a picture in a result", messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"image","source":{"type":"url","url":"u"}}]}]}]}`), Facts{Choices: 1, Media: true}},
		{"functions", chat(`{"messages":[{"role":"user","content":"a"}],"functions":[{"name":"f"}]}`), Facts{LastUser: "a", UserTurns: 1, Choices: 1, Tools: true}},
		{"n", chat(`{"messages":[{"role":"user","content":"a"}],"n":3,"seed":1}`), Facts{LastUser: "a", UserTurns: 1, Choices: 3, HasSeed: true}},
		{"candidates", generate(`{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"candidateCount":2,"temperature":0}}`), Facts{LastUser: "a", UserTurns: 1, Choices: 2, HasTemperature: true}},
		{"audio", chat(`{"messages":[{"role":"user","content":"a"}],"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}}`), Facts{LastUser: "a", UserTurns: 1, Choices: 1, OtherOutput: true}},
		{"a picture asked for", generate(`{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}`), Facts{LastUser: "a", UserTurns: 1, Choices: 1, OtherOutput: true}},
		{"too hot for a float", chat(`{"messages":[{"role":"user","content":"a"}],"temperature":1e999}`), Facts{LastUser: "a", UserTurns: 1, Choices: 1, HasTemperature: true, Temperature: math.Inf(1)}},
		{"a completion", complete(`{"prompt":"a","temperature":2,"seed":7}`), Facts{Choices: 1, HasTemperature: true, Temperature: 2, HasSeed: true}},
		{"prompts", complete(`{"prompt":["a","b"],"n":2,"best_of":3}`), Facts{Choices: 6}},
		{"tokens", complete(`{"prompt":[1,2,3]}`), Facts{Choices: 1}},
		{"prompts of tokens", complete(`{"prompt":[[1,2],[3]]}`), Facts{Choices: 2}},
		{"more than anybody counts", complete(`{"prompt":["a","b"],"n":9223372036854775807}`), Facts{Choices: 2 * math.MaxInt32}},
		{"embeddings", embed(`{"input":["a","b"]}`), Facts{Choices: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := factsOf(t, tt.ask)
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Facts{}, "Partition")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStateful has a row for every member by which an answer depends on, or
// changes, what the vendor keeps.
func TestStateful(t *testing.T) {
	oneChat := func(member string) ask { return chat(`{"messages":[{"role":"user","content":"a"}],` + member + `}`) }
	part := func(part string) ask { return chat(`{"messages":[{"role":"user","content":[` + part + `]}]}`) }
	oneResponse := func(member string) ask { return responses(`{"input":"a",` + member + `}`) }
	item := func(item string) ask { return responses(`{"input":[{"role":"user","content":"a"},` + item + `]}`) }
	oneMessage := func(member string) ask {
		return messages(`{"max_tokens":5,"messages":[{"role":"user","content":"a"}],` + member + `}`)
	}
	oneGemini := func(member string) ask { return generate(`{"contents":[{"parts":[{"text":"a"}]}],` + member + `}`) }
	for _, tt := range []struct {
		want string
		ask  ask
	}{
		{"", oneChat(`"store":false`)},
		{"store", oneChat(`"store":true`)},
		{"web_search_options", oneChat(`"web_search_options":{}`)},
		{"search_parameters", oneChat(`"search_parameters":{"mode":"auto"}`)},
		{"data_sources", oneChat(`"data_sources":[{"type":"azure_search"}]`)},
		{"enable_search", oneChat(`"enable_search":true`)},
		{"", oneChat(`"enable_search":false`)},
		{"plugins", oneChat(`"plugins":[{"id":"web"}]`)},
		{"deferred", oneChat(`"deferred":true`)},
		{"tools[web_search]", oneChat(`"tools":[{"type":"web_search"}]`)},
		{"extra_body", chat(`{"messages":[{"role":"user","content":"a"}],"extra_body":[{"container":"c"}]}`)},
		{"file_id", part(`{"type":"file","file":{"file_id":"f"}}`)},
		{"", part(`{"type":"file","file":{"filename":"x.pdf","file_data":"AAAA"}}`)},
		{"vendor_block", part(`{"type":"mystery","x":[{"file_id":"f"}]}`)},
		{"messages[0].context", chat(`{"messages":[{"role":"user","content":"a","context":{"deep":[{"file_id":"f"}]}}]}`)},
		{"messages[0].content[0].container", part(`{"type":"text","text":"a","container":"c"}`)},
		{"messages[1].audio", chat(`{"messages":[{"role":"user","content":"a"},{"role":"assistant","audio":{"id":"audio_1"}},{"role":"user","content":"b"}]}`)},

		{"", oneResponse(`"store":false,"background":false,"previous_response_id":null`)},
		{"store", oneResponse(`"store":true`)},
		{"previous_response_id", oneResponse(`"previous_response_id":"r"`)},
		{"conversation", oneResponse(`"conversation":{"id":"c"}`)},
		{"prompt", oneResponse(`"prompt":{"id":"p"}`)},
		{"background", oneResponse(`"background":true`)},
		{"tools[file_search]", oneResponse(`"tools":[{"type":"file_search","vector_store_ids":["v"]}]`)},
		{"tools[mcp]", oneResponse(`"tools":[{"type":"mcp","server_url":"https://x"}]`)},
		{"item_reference", item(`{"type":"item_reference","id":"i"}`)},
		{"reasoning", item(`{"type":"reasoning","id":"rs_1","summary":[]}`)},
		{"", item(`{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"e"}`)},
		{"file_id", item(`{"role":"user","content":[{"type":"input_image","file_id":"f"}]}`)},
		{"vendor_block", item(`{"type":"code_interpreter_call","container_id":"c"}`)},

		{"", oneMessage(`"service_tier":"auto"`)},
		{"thread", oneMessage(`"thread":{"id":"t"}`)},
		{"container", oneMessage(`"container":"c"`)},
		{"mcp_servers", oneMessage(`"mcp_servers":[{"type":"url","url":"u","name":"n"}]`)},
		{"tools[web_search]", oneMessage(`"tools":[{"type":"web_search_20250305","name":"web_search"}]`)},
		{"file_id", messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]}`)},
		{"vendor_block", messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"container_upload","file_id":"f"}]}]}`)},

		{"", oneGemini(`"store":false`)},
		{"store", oneGemini(`"store":true`)},
		{"cachedContent", oneGemini(`"cachedContent":"c"`)},
		{"cached_content", oneGemini(`"cached_content":"c"`)},
		{"tools[googleSearch]", oneGemini(`"tools":[{"googleSearch":{}}]`)},
		{"file_id", generate(`{"contents":[{"parts":[{"fileData":{"mimeType":"image/png","fileUri":"gs://b/o"}}]}]}`)},
		{"", generate(`{"contents":[{"parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://x/y"}}]}]}`)},

		{"store", complete(`{"prompt":"a","store":true}`)},
		{"search_parameters", complete(`{"prompt":"a","search_parameters":{}}`)},

		// What a tool is told is no reference of the request.
		{"", chat(`{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"file_id":{}}}}}]}`)},
	} {
		t.Run(tt.want, func(t *testing.T) {
			if got := factsOf(t, tt.ask).Stateful; got != tt.want {
				t.Errorf("stateful by %q, want %q: %s", got, tt.want, tt.ask.body)
			}
		})
	}
}

// TestPartition has the last text of a conversation changed, and all else.
func TestPartition(t *testing.T) {
	of := func(system, first, last string) Facts {
		return factsOf(t, chat(`{"messages":[{"role":"system","content":"`+system+`"},{"role":"user","content":"`+first+`"},{"role":"assistant","content":"b"},{"role":"user","content":`+last+`}]}`))
	}
	base := of("s", "a", `"c"`)
	if of("s", "a", `"d"`).Partition != base.Partition {
		t.Error("the last text is part of the partition")
	}
	for name, f := range map[string]Facts{
		"the system prompt": of("t", "a", `"c"`), "a text before": of("s", "b", `"c"`), "the blocks": of("s", "a", `[{"type":"text","text":"c"},{"type":"text","text":"d"}]`),
		"no text alone": of("s", "a", `[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"u"}}]`), "nothing": of("s", "a", `""`),
	} {
		if f.Partition == base.Partition {
			t.Errorf("%s is not part of the partition", name)
		}
	}
	if digestOf(t, chat(`{"messages":[{"role":"user","content":"c"}]}`), Options{}) == base.Partition {
		t.Error("a partition is a digest")
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		ask  ask
		want error
	}{
		{"a member twice", chat(`{"messages":[{"role":"user","content":"a"}],"temperature":0,"temperature":1}`), ErrAmbiguous},
		{"one escaped", chat(`{"messages":[{"role":"user","content":"a"}],"seed":0,"se\u0065d":1}`), ErrAmbiguous},
		{"one unknown", chat(`{"messages":[{"role":"user","content":"a"}],"x":0,"x":0}`), ErrAmbiguous},
		{"in a message", chat(`{"messages":[{"role":"user","content":"a","content":"b"}]}`), ErrAmbiguous},
		{"in a part", chat(`{"messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}`), ErrAmbiguous},
		{"in a url", chat(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"a","url":"b"}}]}]}`), ErrAmbiguous},
		{"in a block", messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}`), ErrAmbiguous},
		{"in a source", messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"a","url":"b"}}]}]}`), ErrAmbiguous},
		{"in a result", messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"a","text":"b"}]}]}]}`), ErrAmbiguous},
		{"in messages", messages(`{"max_tokens":5,"max_tokens":6,"messages":[{"role":"user","content":"a"}]}`), ErrAmbiguous},
		{"in an item", responses(`{"input":[{"role":"user","content":"a","content":"b"}]}`), ErrAmbiguous},
		{"in a format", responses(`{"input":"a","text":{"verbosity":"low","verbosity":"high"}}`), ErrAmbiguous},
		{"in a prompt", complete(`{"prompt":"a","prompt":"b"}`), ErrAmbiguous},
		{"in embeddings", embed(`{"input":"a","input":"b"}`), ErrAmbiguous},
		{"in embeddings of tokens", embed(`{"input":[1],"input":[2]}`), ErrAmbiguous},
		{"half a character", chat(`{"messages":[{"role":"user","content":"\ud800"}]}`), ErrAmbiguous},
		{"the other half", chat(`{"messages":[{"role":"user","content":"\udc00\ud800x"}]}`), ErrAmbiguous},
		{"two first halves", chat(`{"messages":[{"role":"user","content":"\ud800\ud800"}]}`), ErrAmbiguous},
		{"no Unicode", chat("{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"), ErrAmbiguous},
		{"an operation without answers to keep", ask{wire.Speech, `{"model":"m","input":"a"}`}, ErrOperation},
		{"an upstream's operation", ask{wire.Converse, `{"messages":[]}`}, ErrOperation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := Of(tt.ask.op, []byte(tt.ask.body), Options{}); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	for _, a := range []ask{chat(`{`), chat(`[]`), chat(``), chat(`{"messages":7}`), complete(`7`), generate(`{"contents":7}`)} {
		var f *wire.Failure
		if _, _, err := Of(a.op, []byte(a.body), Options{}); a.op != wire.Completions && !errors.As(err, &f) {
			t.Errorf("%v for %s", err, a.body)
		}
	}
	// A whole pair and an escaped backslash are fine.
	digestOf(t, chat(`{"messages":[{"role":"user","content":"\ud83d\ude00 \\ud800"}]}`), Options{})
}
