package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type chatAnswer struct {
	Choices []struct {
		Message struct {
			Content   *string
			ToolCalls []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
}

func ask(t *testing.T, s *Simulator, body string) chatAnswer {
	t.Helper()
	raw := read(t, post(t, s, "/v1/chat/completions", body))
	var a chatAnswer
	if err := json.Unmarshal([]byte(raw), &a); err != nil || len(a.Choices) == 0 {
		t.Fatalf("%v in %s", err, raw)
	}
	return a
}

// TestUsageIsExact counts what was sent with the reference tokenizer.
func TestUsageIsExact(t *testing.T) {
	enc, err := encoders()
	if err != nil {
		t.Fatal(err)
	}
	count := func(_ string, text []byte) int { return len(enc["o200k_base"].EncodeOrdinary(string(text))) }
	for _, tt := range []struct {
		name, body string
		finish     string
		tokens     int // 0: whatever the content counts
	}{
		{"default", `{"model":"gpt-4.1",` + hello + `}`, "stop", 64},
		{"capped", `{"model":"gpt-4.1","max_completion_tokens":10,` + hello + `}`, "length", 10},
		{"cap at the length", `{"model":"tokens-10","max_tokens":10,` + hello + `}`, "stop", 10},
		{"length", `{"model":"length+tokens-7",` + hello + `}`, "length", 7},
		{"echo", `{"model":"echo",` + hello + `}`, "stop", 0},
		{"echo capped", `{"model":"echo","max_tokens":3,` + hello + `}`, "length", 0},
		{"echo shortened", `{"model":"echo+tokens-3",` + hello + `}`, "stop", 0},
		{"json", `{"model":"json",` + hello + `}`, "stop", 0},
		{"stop sequence", `{"model":"m","stop":[" river"," old"," there"," and","."],` + hello + `}`, "stop", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, simulate(Config{Count: count}), tt.body)
			content := *a.Choices[0].Message.Content
			if n := count("", []byte(content)); a.Usage.CompletionTokens != n || tt.tokens > 0 && n != tt.tokens {
				t.Errorf("usage %d for %d tokens, want %d", a.Usage.CompletionTokens, n, tt.tokens)
			}
			if tt.name == "echo shortened" {
				tt.finish = "length"
			}
			if a.Choices[0].FinishReason != tt.finish {
				t.Errorf("finish reason %q, want %q", a.Choices[0].FinishReason, tt.finish)
			}
			// The vendor's formula: 3 + (3 + role + text).
			if want := 6 + count("", []byte("user")) + count("", []byte("Hello there, old river")); a.Usage.PromptTokens != want {
				t.Errorf("prompt tokens %d, want %d", a.Usage.PromptTokens, want)
			}
			if a.Usage.TotalTokens != a.Usage.PromptTokens+a.Usage.CompletionTokens {
				t.Errorf("total %d", a.Usage.TotalTokens)
			}
		})
	}
}

func TestEcho(t *testing.T) {
	const text = `One \"two\"\n\u65e5\u672c three`
	a := ask(t, simulate(Config{}), `{"model":"echo","messages":[{"role":"user","content":"first"},{"role":"assistant","content":"x"},{"role":"user","content":[{"type":"text","text":"`+text+`"},{"type":"image_url","image_url":{"url":"data:"}}]}]}`)
	if got := *a.Choices[0].Message.Content; got != "One \"two\"\n日本 three" {
		t.Errorf("echo %q", got)
	}
}

func TestToolChoice(t *testing.T) {
	type calls = []string
	for _, tt := range []struct {
		name, body string
		cfg        Config
		want       calls
	}{
		{"ordinary model", `{"model":"m",` + tools + `,` + hello + `}`, Config{}, nil},
		{"tool", `{"model":"tool",` + tools + `,` + hello + `}`, Config{}, calls{"get_weather", "get_time"}},
		{"tool, one at a time", `{"model":"tool","parallel_tool_calls":false,` + tools + `,` + hello + `}`, Config{}, calls{"get_weather"}},
		{"tool without tools", `{"model":"tool",` + hello + `}`, Config{}, nil},
		{"none", `{"model":"tool","tool_choice":"none",` + tools + `,` + hello + `}`, Config{}, nil},
		{"required", `{"model":"m","tool_choice":"required",` + tools + `,` + hello + `}`, Config{}, calls{"get_weather"}},
		{"named", `{"model":"m","tool_choice":{"type":"function","function":{"name":"get_time"}},` + tools + `,` + hello + `}`, Config{}, calls{"get_time"}},
		{"script", `{"model":"m",` + tools + `,` + hello + `}`, Config{ToolCalls: []ToolCall{{Name: "get_time"}, {Name: "unknown"}, {}}}, calls{"get_time", "get_weather"}},
		{
			"after a result", `{"model":"tool","tool_choice":"required",` + tools + `,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"get_time","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"noon"}]}`,
			Config{},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, simulate(tt.cfg), tt.body)
			var got calls
			for _, c := range a.Choices[0].Message.ToolCalls {
				got = append(got, c.Function.Name)
				if !json.Valid([]byte(c.Function.Arguments)) || !strings.HasPrefix(c.ID, "call_") {
					t.Errorf("call %+v", c)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (a.Choices[0].FinishReason == "tool_calls") != (tt.want != nil) {
				t.Errorf("finish reason %q", a.Choices[0].FinishReason)
			}
		})
	}
}

func TestToolArguments(t *testing.T) {
	a := ask(t, simulate(Config{ToolCalls: []ToolCall{{Name: "get_weather", Arguments: json.RawMessage(`{"city": "Oslo"}`)}}}), `{"model":"m",`+tools+`,`+hello+`}`)
	if got := a.Choices[0].Message.ToolCalls[0].Function.Arguments; got != `{"city":"Oslo"}` {
		t.Errorf("arguments %s", got)
	}
}

func TestToolLoopOfMessagesEnds(t *testing.T) {
	body := read(t, post(t, simulate(Config{}), "/v1/messages", `{"model":"tool","max_tokens":9,`+claudeTools+`,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"get_time","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"noon"}]}]}]}`))
	if strings.Contains(body, "tool_use") || !strings.Contains(body, `"type":"text"`) {
		t.Errorf("answer %s", body)
	}
}

func TestSample(t *testing.T) {
	for _, tt := range []struct{ name, schema, want string }{
		{"none", ``, `{}`},
		{"no object", `{"type":"string"}`, `{}`},
		{"order of required", `{"type":"object","properties":{"a":{"const":1},"b":{"enum":["x","y"]}},"required":["b","a"]}`, `{"b":"x","a":1}`},
		{"optional is left out", `{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"integer"}},"required":["a"]}`, `{"a":null}`},
		{"bounds", `{"properties":{"a":{"type":"integer","minimum":7},"b":{"type":"number","maximum":-2},"c":{"type":["null","boolean"]}},"required":["a","b","c"]}`, `{"a":7,"b":-2,"c":true}`},
		{"formats", `{"properties":{"a":{"type":"string","format":"date"},"b":{"type":"string","maxLength":0},"c":{"default":[1, 2]}},"required":["a","b","c"]}`, `{"a":"2026-01-02","b":"","c":[1,2]}`},
		{"nested", `{"properties":{"a":{"type":"array","minItems":2,"items":{"$ref":"#/$defs/x"}}},"required":["a"],"$defs":{"x":{"anyOf":[{"type":"boolean"},{"type":"null"}]}}}`, `{"a":[true,true]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(sample(json.RawMessage(tt.schema), 1)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSampleIsBounded: schemas come from clients.
func TestSampleIsBounded(t *testing.T) {
	for _, schema := range []string{
		`{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]}`,
		`{"type":"object","properties":{"a":{"type":"array","minItems":1000000000,"items":{"type":"array","minItems":1000000000,"items":{}}}},"required":["a"]}`,
		`{"$ref":"#"}`,
	} {
		if got := sample(json.RawMessage(schema), 1); !json.Valid(got) || len(got) > 1<<16 {
			t.Errorf("%d bytes, valid %v", len(got), json.Valid(got))
		}
	}
}

func TestStructuredOutput(t *testing.T) {
	const schema = `{"type":"object","properties":{"city":{"type":"string","enum":["Oslo"]}},"required":["city"]}`
	for _, tt := range []struct{ name, path, body string }{
		{"chat", "/v1/chat/completions", `{"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":` + schema + `}},` + hello + `}`},
		{"responses", "/v1/responses", `{"model":"m","text":{"format":{"type":"json_schema","name":"x","schema":` + schema + `}},"input":"Hi"}`},
		{"messages", "/v1/messages", `{"model":"m","max_tokens":20,"output_config":{"format":{"type":"json_schema","schema":` + schema + `}},` + hello + `}`},
	} {
		if body := read(t, post(t, simulate(Config{}), tt.path, tt.body)); !strings.Contains(body, `"{\"city\":\"Oslo\"}"`) {
			t.Errorf("%s: %s", tt.name, body)
		}
	}
}

func TestVector(t *testing.T) {
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	a := vector(1, "How long is the old river?", 1536)
	if n := dot(a, a); math.Abs(n-1) > 1e-9 {
		t.Errorf("length %v", n)
	}
	near, far := dot(a, vector(1, "how long is the river", 1536)), dot(a, vector(1, "compile this program", 1536))
	if near < 0.7 || far > 0.4 {
		t.Errorf("similar texts: %v, others: %v", near, far)
	}
	if diff := cmp.Diff(a, vector(1, "How long is the old river?", 1536)); diff != "" {
		t.Errorf("not deterministic: %s", diff)
	}
}

func TestEmbeddingEncodings(t *testing.T) {
	get := func(format string) (list []json.RawMessage) {
		var got struct {
			Data []struct{ Embedding json.RawMessage }
		}
		body := read(t, post(t, simulate(Config{}), "/v1/embeddings", `{"model":"m","input":[[1,2],[3]],"dimensions":8`+format+`}`))
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		for _, d := range got.Data {
			list = append(list, d.Embedding)
		}
		return list
	}
	floats, encoded := get(""), get(`,"encoding_format":"base64"`)
	if len(floats) != 2 || len(encoded) != 2 {
		t.Fatalf("%d and %d vectors, want 2", len(floats), len(encoded))
	}
	for i := range floats {
		var want []float32
		var text string
		if json.Unmarshal(floats[i], &want) != nil || json.Unmarshal(encoded[i], &text) != nil {
			t.Fatalf("%s, %s", floats[i], encoded[i])
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != 4*len(want) || len(want) != 8 {
			t.Fatalf("%d bytes for %d floats, %v", len(raw), len(want), err)
		}
		for j := range want {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:])); got != want[j] {
				t.Errorf("vector %d, %d: %v, want %v", i, j, got, want[j])
			}
		}
	}
}
