package canon

import (
	"testing"

	"github.com/weirproxy/weir/wire"
)

// ask is a request of one dialect.
type ask struct {
	op   *wire.Operation
	body string
}

func digestOf(t testing.TB, a ask, o Options) Digest {
	t.Helper()
	d, _, err := Of(a.op, []byte(a.body), o)
	if err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return d
}

func chat(body string) ask      { return ask{wire.Chat, body} }
func responses(body string) ask { return ask{wire.Responses, body} }
func messages(body string) ask  { return ask{wire.Messages, body} }
func generate(body string) ask  { return ask{wire.GeminiGenerate, body} }
func complete(body string) ask  { return ask{wire.Completions, body} }
func embed(body string) ask     { return ask{wire.Embeddings, body} }

// TestSame has requests that mean the same, in and across dialects.
func TestSame(t *testing.T) {
	for _, tt := range []struct {
		name string
		asks []ask
	}{
		{"one question", []ask{
			chat(`{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9}`),
			chat(`{"max_completion_tokens":9.0, "messages":[{"content":[{"text":"h\u0069","type":"text"}],"role":"user"}],"model":"other","stream":true,"stream_options":{"include_usage":true}}`),
			responses(`{"model":"m","input":"hi","max_output_tokens":9,"store":false}`),
			responses(`{"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}],"max_output_tokens":9,"instructions":null}`),
			messages(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`),
			messages(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}],"metadata":{"user_id":"u"}}`),
			generate(`{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":9}}`),
			generate(`{"contents":{"role":"user","parts":{"text":"hi"}},"generation_config":{"max_output_tokens":9,"candidateCount":1}}`),
		}},
		{"a conversation", []ask{
			chat(`{"messages":[{"role":"system","content":"short"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"max_tokens":100,"temperature":1,"top_p":0.5,"stop":["x"]}`),
			chat(`{"messages":[{"role":"developer","content":"short"},{"role":"user","content":"a"},{"role":"assistant","content":"b","refusal":null,"annotations":[],"tool_calls":null},{"role":"user","content":"c"}],"max_tokens":1e2,"temperature":1.0,"top_p":5e-1,"stop":"x","n":1,"response_format":{"type":"text"},"user":"u","safety_identifier":"s","metadata":{"a":"b"},"service_tier":"flex","store":false,"prompt_cache_key":"k","prompt_cache_retention":"24h"}`),
			messages(`{"system":[{"type":"text","text":"short"}],"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"max_tokens":100,"temperature":1,"top_p":0.5,"stop_sequences":["x"],"cache_control":{"type":"ephemeral","ttl":"1h"}}`),
			generate(`{"systemInstruction":{"parts":[{"text":"short"}]},"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},{"role":"user","parts":[{"text":"c"}]}],"generationConfig":{"maxOutputTokens":100,"temperature":"1","topP":0.50,"stopSequences":["x"]},"labels":{"a":"b"}}`),
		}},
		{"a conversation, without stop", []ask{
			chat(`{"messages":[{"role":"system","content":"short"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`),
			responses(`{"instructions":"short","input":[{"role":"user","content":"a"},{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"b","annotations":[],"logprobs":[]}]},{"role":"user","content":"c"}],"metadata":{"a":"b"},"prompt_cache_key":"k"}`),
			responses(`{"input":[{"role":"developer","content":"short"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`),
			generate(`{"system_instruction":{"role":"system","parts":{"text":"short"}},"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},{"role":"user","parts":[{"text":"c"}]}]}`),
		}},
		{"tools", []ask{
			chat(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_x","type":"function","function":{"name":"f","arguments":"{\"b\": 1.0, \"a\": [true]}"}},{"id":"call_y","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"call_x","content":"sunny"},{"role":"tool","tool_call_id":"call_y","content":"rainy"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],"tool_choice":"auto"}`),
			responses(`{"max_output_tokens":5,"input":[{"role":"user","content":"q"},{"type":"function_call","id":"fc_1","call_id":"1","name":"f","arguments":"{\"a\":[true],\"b\":1}"},{"type":"function_call","id":"fc_2","call_id":"2","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":"sunny"},{"type":"function_call_output","call_id":"2","output":"rainy"}],"tools":[{"type":"function","name":"f","description":"d","parameters":{ "type" : "object" }}],"tool_choice":"auto"}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":[true],"b":1}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"},{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"rainy"}]}]}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true}],"tool_choice":{"type":"auto"}}`),
			generate(`{"generationConfig":{"maxOutputTokens":5},"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"b":1,"a":[true]}}},{"functionCall":{"name":"g"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"sunny"}}},{"functionResponse":{"name":"g","response":{"output":"rainy"}}}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}}`),
		}},
		{"a result and a text", []ask{
			chat(`{"max_tokens":5,"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f"}}]},{"role":"tool","tool_call_id":"1","content":"x"},{"role":"user","content":"a"}]}`),
			responses(`{"max_output_tokens":5,"input":[{"type":"function_call","call_id":"1","name":"f","arguments":""},{"type":"function_call_output","call_id":"1","output":"x"},{"role":"user","content":"a"}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"},{"type":"text","text":"a"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"}]},{"role":"user","content":"a"}]}`),
			generate(`{"generationConfig":{"maxOutputTokens":5},"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"x"}}},{"text":"a"}]}]}`),
		}},
		{"a picture", []ask{
			chat(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`),
			responses(`{"max_output_tokens":5,"input":[{"role":"user","content":[{"type":"input_text","text":"what"},{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}`),
			generate(`{"generationConfig":{"maxOutputTokens":5},"contents":[{"parts":[{"text":"what"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}`),
		}},
		{"thinking", []ask{
			chat(`{"max_completion_tokens":5,"messages":[{"role":"user","content":"q"}],"reasoning_effort":"low"}`),
			responses(`{"max_output_tokens":5,"input":"q","reasoning":{"effort":"low"}}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"}],"output_config":{"effort":"low"}}`),
			generate(`{"generationConfig":{"maxOutputTokens":5,"thinkingConfig":{"thinkingLevel":"LOW"}},"contents":[{"parts":[{"text":"q"}]}]}`),
		}},
		{"two turns of one speaker", []ask{
			chat(`{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`),
			chat(`{"messages":[{"role":"user","content":"a"}, {"content":"\u0062","role":"user"}]}`),
		}},
		{"a form", []ask{
			chat(`{"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","a":1},"strict":true}},"logit_bias":{"1":2,"3":4.0}}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"response_format":{"json_schema":{"strict":true,"schema":{ "type":"obj\u0065ct","a":1.0},"name":"n"},"type":"json_schema"},"logit_bias":{"3":4,"1":2}}`),
		}},
		{"completions", []ask{
			complete(`{"model":"m","prompt":"a"}`),
			complete(`{"prompt":["a"],"model":"n","n":1,"best_of":1,"echo":false,"suffix":null,"stream":true,"user":"u","logprobs":null}`),
			complete(`{"prompt":"\u0061","suffix":""}`),
		}},
		{"embeddings", []ask{
			embed(`{"model":"m","input":"a","dimensions":8}`),
			embed(`{"input":["a"],"dimensions":8.0,"encoding_format":"base64","user":"u"}`),
			{wire.GeminiEmbed, `{"model":"models/m","content":{"parts":[{"text":"a"}]},"outputDimensionality":8}`},
			{wire.GeminiBatchEmbed, `{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"output_dimensionality":8}]}`},
		}},
		{"embeddings of tokens", []ask{
			embed(`{"model":"m","input":[1,2]}`),
			embed(`{"input":[[1,2.0]],"encoding_format":"float"}`),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := digestOf(t, tt.asks[0], Options{})
			for i, a := range tt.asks[1:] {
				if digestOf(t, a, Options{}) != want {
					t.Errorf("request %d differs: %s", i+1, a.body)
				}
			}
		})
	}
}

// TestDifferent has requests of which no two mean the same.
func TestDifferent(t *testing.T) {
	user := func(content string) ask { return chat(`{"messages":[{"role":"user","content":` + content + `}]}`) }
	for _, tt := range []struct {
		name string
		asks []ask
	}{
		{"where text stands", []ask{
			user(`"ab"`), user(`[{"type":"text","text":"a"},{"type":"text","text":"b"}]`), user(`[{"type":"text","text":"ab"},{"type":"refusal","refusal":"c"}]`),
			user(`"a\nb"`), user(`"a b"`), user(`"AB"`), user(`"a"`), user(`"b"`), user(`"ba"`),
			user(`[{"type":"text","text":"b"},{"type":"text","text":"a"}]`),
			chat(`{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`),
			chat(`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`),
			chat(`{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]}`),
			chat(`{"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}`),
			chat(`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":"b"}]}`),
			chat(`{"messages":[{"role":"assistant","content":"ab"}]}`),
			chat(`{"messages":[{"role":"user","content":"a"}],"stop":"b"}`),
			chat(`{"messages":[{"role":"user","content":"a"}],"stop":["b",""]}`),
			chat(`{"messages":[{"role":"user","content":"a","name":"b"}]}`),
			chat(`{"messages":[{"role":"user","content":"a"}],"verbosity":"b"}`),
			chat(`{"messages":[{"role":"user","content":"a"}],"reasoning_effort":"b"}`),
		}},
		{"bytes like those between values", []ask{
			chat(`{"messages":[{"role":"user","content":"q"}],"stop":["a","b"]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"stop":["a\u0001b"]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"stop":["a\u0001\u0001b"]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"stop":["a\u0000b"]}`),
		}},
		{"system", []ask{
			chat(`{"messages":[{"role":"system","content":"a"},{"role":"system","content":"b"},{"role":"user","content":"q"}]}`),
			chat(`{"messages":[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":"q"}]}`),
			chat(`{"messages":[{"role":"system","content":"ab"},{"role":"user","content":"q"}]}`),
		}},
		{"numbers", []ask{
			user(`"q"`),
			chat(`{"messages":[{"role":"user","content":"q"}],"temperature":0}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"temperature":1}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"temperature":0.1}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"top_p":1}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"n":2}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"max_tokens":2}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"max_tokens":0}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"max_tokens":2,"max_completion_tokens":2}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"seed":9007199254740993}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"seed":9007199254740992}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"logprobs":true}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"logprobs":true,"top_logprobs":0}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"logit_bias":{"1":1}}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"logit_bias":{"1":-1}}`),
		}},
		{"schemas keep their order", []ask{
			chat(`{"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"properties":{"a":{},"b":{}}}}}}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"properties":{"b":{},"a":{}}}}}}`),
		}},
		{"tools", []ask{
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"g"}},{"type":"function","function":{"name":"f"}}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f","description":"g"}}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f","unknown":"g"}}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"functions":[{"name":"f"}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none"}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"custom","custom":{"name":"f"}}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"tools":[{"type":"f"}]}`),
		}},
		{"which result belongs to which call", []ask{
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"2","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"},{"type":"tool_result","tool_use_id":"2","content":"y"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"2","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"2","content":"x"},{"type":"tool_result","tool_use_id":"1","content":"y"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"2","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x","is_error":true},{"type":"tool_result","tool_use_id":"2","content":"y"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}},{"type":"tool_use","id":"1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"},{"type":"tool_result","tool_use_id":"1","content":"y"}]}]}`),
		}},
		{"what decoders pass over", []ask{
			user(`"q"`),
			user(`[{"type":"text","text":"q","unknown":1}]`),
			chat(`{"messages":[{"role":"user","content":"q","reasoning_content":"think of x"}]}`),
			chat(`{"messages":[{"role":"user","content":"q","annotations":[]}]}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"unknown":null}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"unknown":1}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"Unknown":1}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"metadata.x":1}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"chat_template_kwargs":{"enable_thinking":false}}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"chat_template_kwargs":{"enable_thinking":true}}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"reasoning":{"effort":"low"}}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"reasoning":{"effort":"low"},"reasoning_effort":"low"}`),
			chat(`{"messages":[{"role":"user","content":"q"}],"reasoning":{"effort":"low","max_tokens":0}}`),
		}},
		{"an empty turn", []ask{
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":""},{"role":"user","content":"c"}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"system","content":""},{"role":"user","content":"c"}]}`),
		}},
		{"where a joined turn begins", []ask{
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"text","text":"c"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"user","content":"c"}]}`),
		}},
		{"results among texts", []ask{
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"tool_result","tool_use_id":"1","content":"x"}]}]}`),
			responses(`{"max_output_tokens":5,"input":[{"role":"user","content":"a"},{"type":"function_call_output","call_id":"1","output":"x"},{"role":"user","content":"b"}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"},{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"tool_result","tool_use_id":"1","content":"x"},{"type":"text","text":"b"}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"},{"type":"text","text":"a"}]},{"role":"user","content":"b"}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"},{"type":"text","text":"b"}]}]}`),
		}},
		{"names like paths", []ask{
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"q","x":1}]}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"q"}],"content[0].x":1}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"q"}],"\"content[0].x\"":1}]}`),
		}},
		{"what gemini's decoder passes over", []ask{
			generate(`{"contents":[{"parts":[{"text":"q"}]}]}`),
			generate(`{"contents":[{"role":"function","parts":[{"text":"q"}]}]}`),
			generate(`{"contents":[{"parts":[{"text":"q"}]},{"parts":[{"text":"r"}]}]}`),
			generate(`{"contents":[{"parts":[{"text":"q"},{"text":"r"}]}]}`),
			generate(`{"contents":[{"parts":[{"text":"q"}]}],"safetySettings":[]}`),
			generate(`{"contents":[{"parts":[{"text":"q"}]}],"generationConfig":{"maxOutputTokens":0}}`),
			generate(`{"contents":[{"parts":[{"text":"q"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{},"b":{}}}}}`),
			generate(`{"contents":[{"parts":[{"text":"q"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{},"b":{}},"propertyOrdering":["b","a"]}}}`),
			generate(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":"{\"a\":1}"}}}]}]}`),
			generate(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":"{\"a\": 1}"}}}]}]}`),
			generate(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":{"a":1}}}}]}]}`),
			generate(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":"5"}}}]}]}`),
			generate(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":5}}}]}]}`),
			generate(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"error":"x"}}}]}]}`),
			generate(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":"x"}}}]}]}`),
		}},
		{"thinking", []ask{
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"s"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"t"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`),
			messages(`{"max_tokens":5,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`),
			messages(`{"max_tokens":5,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`),
			messages(`{"max_tokens":5,"thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`),
			messages(`{"max_tokens":5,"thinking":{"type":"disabled"},"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`),
		}},
		{"operations", []ask{
			chat(`{"messages":[{"role":"user","content":"a"}]}`), complete(`{"prompt":"a"}`), embed(`{"input":"a"}`), complete(`{"prompt":[1]}`), embed(`{"input":[1]}`),
		}},
		{"completions", []ask{
			complete(`{"prompt":"ab"}`), complete(`{"prompt":["a","b"]}`), complete(`{"prompt":["b","a"]}`), complete(`{"prompt":[1,2]}`), complete(`{"prompt":[[1],[2]]}`),
			complete(`{"prompt":"ab","n":2}`), complete(`{"prompt":"ab","best_of":2}`), complete(`{"prompt":"ab","echo":true}`), complete(`{"prompt":"a","suffix":"b"}`),
			complete(`{"prompt":"ab","temperature":0}`), complete(`{"prompt":"ab","unknown":1}`), complete(`{"prompt":"ab","logprobs":0}`),
		}},
		{"embeddings", []ask{
			embed(`{"input":"ab"}`), embed(`{"input":["a","b"]}`), embed(`{"input":["b","a"]}`), embed(`{"input":"ab","dimensions":2}`), embed(`{"input":"ab","input_type":"query"}`),
			{wire.GeminiEmbed, `{"content":{"parts":[{"text":"ab"}]},"taskType":"RETRIEVAL_QUERY"}`},
			{wire.GeminiEmbed, `{"content":{"parts":[{"text":"ab"}]},"title":"RETRIEVAL_QUERY"}`},
			{wire.GeminiEmbed, `{"content":{"parts":[{"text":"a\nb"}]}}`},
			{wire.GeminiEmbed, `{"content":{"parts":[{"text":"a"},{"text":"b"}]}}`},
			embed(`{"input":[1,2]}`), embed(`{"input":[[1],[2]]}`), embed(`{"input":[[1],[2]],"dimensions":2}`),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			met := map[Digest]string{}
			for _, a := range tt.asks {
				d := digestOf(t, a, Options{})
				if other, ok := met[d]; ok {
					t.Errorf("the same digest:\n%s\n%s", other, a.body)
				}
				met[d] = a.body
			}
		})
	}
}

func TestIgnoreSeed(t *testing.T) {
	for _, pair := range [][2]ask{
		{chat(`{"messages":[{"role":"user","content":"a"}],"seed":1}`), chat(`{"messages":[{"role":"user","content":"a"}]}`)},
		{complete(`{"prompt":"a","seed":1}`), complete(`{"prompt":"a"}`)},
		{generate(`{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"seed":1}}`), generate(`{"contents":[{"parts":[{"text":"a"}]}]}`)},
	} {
		if digestOf(t, pair[0], Options{}) == digestOf(t, pair[1], Options{}) {
			t.Errorf("the seed says nothing: %s", pair[0].body)
		}
		if digestOf(t, pair[0], Options{IgnoreSeed: true}) != digestOf(t, pair[1], Options{IgnoreSeed: true}) {
			t.Errorf("the seed is not ignored: %s", pair[0].body)
		}
	}
}
