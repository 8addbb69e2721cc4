package wire_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

// facts are what an envelope says.
type facts struct {
	Model           string
	Stream, Include bool
	Cap             int64
	CapParam        string
	CapInvalid      bool
	Choices         int64
	Temperature     float64
	HasTemperature  bool
}

func factsOf(e *wire.Envelope) facts {
	return facts{e.Model, e.Stream, e.IncludeUsage, e.OutputCap, e.CapParam, e.CapInvalid, e.Choices, e.Temperature, e.HasTemperature}
}

const hello = `"messages":[{"role":"user","content":"hi"}]`

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   *wire.Operation
		body string
		want facts
	}{
		{"plain", wire.Chat, `{"model":"m",` + hello + `}`, facts{Model: "m", Choices: 1}},
		{
			"everything", wire.Chat, `{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":7,"n":3,"temperature":0.5,` + hello + `}`,
			facts{Model: "m", Stream: true, Include: true, Cap: 7, CapParam: "max_tokens", Choices: 3, Temperature: 0.5, HasTemperature: true},
		},
		{"escapes", wire.Chat, `{"model":"caf\u00e9\/x",` + hello + `}`, facts{Model: "café/x", Choices: 1}},
		{"the best of several", wire.Completions, `{"model":"m","prompt":"p","n":2,"best_of":5}`, facts{Model: "m", Choices: 5}},
		{"several prompts", wire.Completions, `{"model":"m","prompt":["p","q",[1,2]],"n":2}`, facts{Model: "m", Choices: 6}},
		{"a prompt of tokens", wire.Completions, `{"model":"m","prompt":[1,2,3]}`, facts{Model: "m", Choices: 1}},
		{"more than there are", wire.Completions, `{"model":"m","prompt":["p","q"],"n":9223372036854775807}`, facts{Model: "m", Choices: math.MaxInt64}},
		{"nulls", wire.Chat, `{"model":"m","stream":null,"stream_options":null,"max_tokens":null,"n":null,"temperature":null,` + hello + `}`, facts{Model: "m", Choices: 1}},
		{"null inside", wire.Chat, `{"model":"m","stream":true,"stream_options":{"include_usage":null},` + hello + `}`, facts{Model: "m", Stream: true, Choices: 1}},
		{"what never streams", wire.Embeddings, `{"model":"m","input":"x","stream":true}`, facts{Model: "m", Choices: 1}},
		{"the larger cap counts", wire.Chat, `{"model":"m","max_tokens":7,"max_completion_tokens":9,` + hello + `}`, facts{Model: "m", Cap: 9, CapParam: "max_completion_tokens", Choices: 1}},
		{"a cap that is none", wire.Chat, `{"model":"m","max_tokens":"7",` + hello + `}`, facts{Model: "m", CapParam: "max_tokens", CapInvalid: true, Choices: 1}},
		{"a negative cap", wire.Chat, `{"model":"m","max_tokens":-1,` + hello + `}`, facts{Model: "m", CapParam: "max_tokens", CapInvalid: true, Choices: 1}},
		{"a default model", wire.Moderations, `{"input":"x"}`, facts{Model: "omni-moderation-latest", Choices: 1}},
		{"a stored prompt", wire.Responses, `{"prompt":{"id":"pmpt_1"}}`, facts{Model: "gpt-prompt-template", Choices: 1}},
		{"keys of others below", wire.Chat, `{"model":"m","metadata":{"model":"x","Model":"y","stream":1},` + hello + `}`, facts{Model: "m", Choices: 1}},
		{"gemini", wire.GeminiGenerate, `{"contents":[{}],"generationConfig":{"maxOutputTokens":7,"candidateCount":2,"temperature":0.5}}`, facts{Cap: 7, CapParam: wire.GeminiCap, Choices: 2, Temperature: 0.5, HasTemperature: true}},
		{"gemini, the other spelling", wire.GeminiGenerate, `{"contents":[{}],"generation_config":{"max_output_tokens":7,"candidate_count":2}}`, facts{Cap: 7, CapParam: wire.GeminiCap, Choices: 2}},
		{"white space", wire.Chat, " \n{\t\"model\" : \"m\" , " + hello + "}\r\n", facts{Model: "m", Choices: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e wire.Envelope
			if err := e.Decode(tt.op, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, factsOf(&e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name        string
		op          *wire.Operation
		body        string
		param, says string
	}{
		{"twice", wire.Chat, `{"model":"a","model":"b",` + hello + `}`, "model", "more than once"},
		{"another case", wire.Chat, `{"model":"a","Model":"b",` + hello + `}`, "model", "'Model'"},
		{"another case alone", wire.Chat, `{"model":"a","STREAM":true,` + hello + `}`, "stream", "'STREAM'"},
		{"escaped twice", wire.Chat, `{"model":"a","mod\u0065l":"b",` + hello + `}`, "model", "more than once"},
		{"another case, escaped", wire.Chat, `{"model":"a","\u004dax_tokens":5,` + hello + `}`, "max_tokens", "spelling"},
		{"a cap twice", wire.Chat, `{"model":"a","max_tokens":1,"max_tokens":1000000,` + hello + `}`, "max_tokens", "more than once"},
		{"an option twice", wire.Chat, `{"model":"a","stream":true,"stream_options":{"include_usage":true,"include_usage":false},` + hello + `}`, "include_usage", "more than once"},
		{"messages twice", wire.Messages, `{"model":"a",` + hello + `,` + hello + `}`, "messages", "more than once"},
		{"a kelvin sign", wire.Chat, `{"model":"a","max_to\u212aens":5,` + hello + `}`, "max_tokens", "spelling"},
		{"both spellings", wire.GeminiGenerate, `{"contents":[{}],"generationConfig":{},"generation_config":{"maxOutputTokens":1}}`, "generationConfig", "write it once"},
		{"both spellings below", wire.GeminiGenerate, `{"contents":[{}],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":1000000}}`, "maxOutputTokens", "write it once"},

		{"nothing", wire.Chat, ``, "", "not a valid JSON"},
		{"empty object", wire.Chat, `{}`, "model", "missing required parameter"},
		{"no messages", wire.Chat, `{"model":"m"}`, "messages", "missing required parameter"},
		{"null messages", wire.Chat, `{"model":"m","messages":null}`, "messages", "missing required parameter"},
		{"empty messages", wire.Chat, `{"model":"m","messages":[]}`, "messages", "empty"},
		{"messages that are none", wire.Chat, `{"model":"m","messages":"hi"}`, "messages", "array"},
		{"no input", wire.Embeddings, `{"model":"m"}`, "input", "missing required parameter"},
		{"no model of a response", wire.Responses, `{"input":"hi"}`, "model", "missing required parameter"},
		{"no documents", wire.Rerank, `{"model":"m","query":"q"}`, "documents", "missing required parameter"},
		{"a model that is a number", wire.Chat, `{"model":1,` + hello + `}`, "model", "string"},
		{"an empty model", wire.Chat, `{"model":"",` + hello + `}`, "model", "empty"},
		{"a long model", wire.Chat, `{"model":"` + strings.Repeat("m", 257) + `",` + hello + `}`, "model", "256"},
		{"a model with a line break", wire.Chat, `{"model":"a\nb",` + hello + `}`, "model", "control characters"},
		{"a stream that is a string", wire.Chat, `{"model":"m","stream":"true",` + hello + `}`, "stream", "true or false"},
		{"options that are none", wire.Chat, `{"model":"m","stream_options":true,` + hello + `}`, "stream_options", "object"},
		{"an option that is a string", wire.Chat, `{"model":"m","stream_options":{"include_usage":"yes"},` + hello + `}`, "stream_options.include_usage", "true or false"},
		{"an array", wire.Chat, `[]`, "", "valid JSON object"},
		{"cut", wire.Chat, `{"model":"m",` + hello, "", "valid JSON object"},
		{"two values", wire.Chat, `{"model":"m",` + hello + `}{}`, "", "valid JSON object"},
		{"deep", wire.Chat, `{"model":"m",` + hello + `,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "", "limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e wire.Envelope
			var f *wire.Failure
			if err := e.Decode(tt.op, []byte(tt.body)); !errors.As(err, &f) {
				t.Fatalf("error %v", err)
			}
			if f.Kind != wire.KindInvalid || f.Param != tt.param || !strings.Contains(f.Message, tt.says) {
				t.Errorf("kind %s, param %q, message %q", f.Kind, f.Param, f.Message)
			}
		})
	}
}

func joined(pieces [][]byte) string { return string(bytes.Join(pieces, nil)) }

func TestApply(t *testing.T) {
	const odd = `{ "z" : 1.0e+2,"caf\u00e9":"\ud83d\ude00","a":-0,"model" : "m" ,` + hello + `,"x":{"model":"inner","n":[1,1]} }`
	for _, tt := range []struct {
		name, body string
		rw         wire.Rewrite
		want       string
	}{
		{"nothing to do", odd, wire.Rewrite{}, odd},
		{"the same model", odd, wire.Rewrite{Model: "m"}, odd},
		{"a model", odd, wire.Rewrite{Model: "other/one"}, strings.Replace(odd, `"m" `, `"other/one" `, 1)},
		{"a model to be escaped", odd, wire.Rewrite{Model: `a"b\`}, strings.Replace(odd, `"m" `, `"a\"b\\" `, 1)},
		{"usage of no stream", odd, wire.Rewrite{AskUsage: true}, odd},
		{"usage", `{"model":"m","stream":true,` + hello + `}`, wire.Rewrite{AskUsage: true}, `{"model":"m","stream":true,` + hello + `,"stream_options":{"include_usage":true}}`},
		{"usage that is asked for", `{"model":"m","stream":true,"stream_options":{"include_usage": true},` + hello + `}`, wire.Rewrite{AskUsage: true}, `{"model":"m","stream":true,"stream_options":{"include_usage": true},` + hello + `}`},
		{"usage that is declined", `{"model":"m","stream":true,"stream_options":{"x":1,"include_usage":false},` + hello + `}`, wire.Rewrite{AskUsage: true}, `{"model":"m","stream":true,"stream_options":{"x":1,"include_usage":true},` + hello + `}`},
		{"usage beside another option", `{"model":"m","stream":true,"stream_options":{"x":1},` + hello + `}`, wire.Rewrite{AskUsage: true}, `{"model":"m","stream":true,"stream_options":{"x":1,"include_usage":true},` + hello + `}`},
		{"usage in empty options", `{"model":"m","stream":true,"stream_options":{},` + hello + `}`, wire.Rewrite{AskUsage: true}, `{"model":"m","stream":true,"stream_options":{"include_usage":true},` + hello + `}`},
		{"usage in null options", `{"model":"m","stream":true,"stream_options":null,` + hello + `}`, wire.Rewrite{AskUsage: true}, `{"model":"m","stream":true,"stream_options":{"include_usage":true},` + hello + `}`},
		{"a cap", `{"model":"m",` + hello + `}`, wire.Rewrite{CapParam: "max_tokens", Cap: 9}, `{"model":"m",` + hello + `,"max_tokens":9}`},
		{"a cap in place of null", `{"max_tokens":null,"model":"m",` + hello + `}`, wire.Rewrite{CapParam: "max_tokens", Cap: 9}, `{"max_tokens":9,"model":"m",` + hello + `}`},
		{"the client's cap", `{"max_completion_tokens":5,"model":"m",` + hello + `}`, wire.Rewrite{CapParam: "max_tokens", Cap: 9}, `{"max_completion_tokens":5,"model":"m",` + hello + `}`},
		{"the cap that the upstream knows", `{"max_completion_tokens": 5,"model":"m",` + hello + `}`, wire.Rewrite{Model: "n", OnlyCap: "max_tokens"}, `{"max_tokens": 5,"model":"n",` + hello + `}`},
		{"the reverse", `{"model":"m",` + hello + `,"max_tokens":"5"}`, wire.Rewrite{OnlyCap: "max_completion_tokens"}, `{"model":"m",` + hello + `,"max_completion_tokens":"5"}`},
		{"which is there already", `{"max_tokens":5,"model":"m",` + hello + `}`, wire.Rewrite{OnlyCap: "max_tokens"}, `{"max_tokens":5,"model":"m",` + hello + `}`},
		{"or is null", `{"max_tokens":null,"max_completion_tokens":5,"stream":true,"stream_options":null,"model":"m",` + hello + `}`, wire.Rewrite{Model: "n", AskUsage: true, OnlyCap: "max_tokens"}, `{"max_tokens":5,"stream":true,"stream_options":{"include_usage":true},"model":"n",` + hello + `}`},
		{"two caps", `{"max_tokens":5,"max_completion_tokens":9,"model":"m",` + hello + `}`, wire.Rewrite{OnlyCap: "max_tokens"}, `{"max_tokens":5,"max_completion_tokens":9,"model":"m",` + hello + `}`},
		{"no cap", `{"max_completion_tokens":null,"model":"m",` + hello + `}`, wire.Rewrite{OnlyCap: "max_tokens"}, `{"max_completion_tokens":null,"model":"m",` + hello + `}`},
		{"the cap of another operation", `{"max_output_tokens":5,"model":"m",` + hello + `}`, wire.Rewrite{CapParam: "max_tokens", Cap: 9}, `{"max_output_tokens":5,"model":"m",` + hello + `,"max_tokens":9}`},
		{"all at once", `{"stream":true,` + hello + `,"model":"m"}`, wire.Rewrite{Model: "n", AskUsage: true, CapParam: "max_completion_tokens", Cap: 9}, `{"stream":true,` + hello + `,"model":"n","stream_options":{"include_usage":true},"max_completion_tokens":9}`},
		{"edits out of order", `{"max_tokens":null,"stream_options":null,"stream":true,` + hello + `,"model":"m"}`, wire.Rewrite{Model: "n", AskUsage: true, CapParam: "max_tokens", Cap: 9}, `{"max_tokens":9,"stream_options":{"include_usage":true},"stream":true,` + hello + `,"model":"n"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e wire.Envelope
			if err := e.Decode(wire.Chat, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, joined(e.Apply(nil, tt.rw))); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, tt := range map[string]struct {
		op         *wire.Operation
		body, want string
	}{
		"no model":   {wire.Moderations, `{"input":"x"}`, `{"input":"x","model":"n"}`},
		"null model": {wire.Moderations, `{"model":null,"input":"x"}`, `{"model":"n","input":"x"}`},

		// Gemini's bodies may repeat what the path says.
		"gemini":                 {wire.GeminiGenerate, `{"contents":[{"model":"x"}]}`, `{"contents":[{"model":"x"}]}`},
		"gemini, the same":       {wire.GeminiGenerate, `{"model" : "models\/n","contents":[]}`, `{"model" : "models\/n","contents":[]}`},
		"gemini, the same, bare": {wire.GeminiEmbed, `{"model":"n","content":{}}`, `{"model":"n","content":{}}`},
		"gemini, another":        {wire.GeminiEmbed, `{"content":{}, "model":"models/x"}`, `{"content":{}, "model":"models/n"}`},
		"gemini, null":           {wire.GeminiEmbed, `{"content":{},"model":null}`, `{"content":{},"model":"models/n"}`},
		"gemini, no string":      {wire.GeminiEmbed, `{"content":{},"model":["models/n"]}`, `{"content":{},"model":"models/n"}`},
		"gemini, a batch": {
			wire.GeminiBatchEmbed, `{"requests":[{"model":"models/x","content":{}},{"content":{"model":"x"}},{"content":{}, "model":"models/n"},{"mod\u0065l":"tunedModels/n"},7],"model":"x"}`,
			`{"requests":[{"model":"models/n","content":{}},{"content":{"model":"x"}},{"content":{}, "model":"models/n"},{"mod\u0065l":"models/n"},7],"model":"models/n"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var e wire.Envelope
			if err := e.Decode(tt.op, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			if got := joined(e.Apply(nil, wire.Rewrite{Model: "n"})); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestBatchNamesModelsOnce refuses a batch in which a request names two models.
func TestBatchNamesModelsOnce(t *testing.T) {
	for _, element := range []string{`{"model":"a","model":"b"}`, `{"model":"a","Model":"b"}`, `{"MODEL":"b"}`, `{"mod\u0065l":"a","model":"b"}`} {
		var e wire.Envelope
		var f *wire.Failure
		if err := e.Decode(wire.GeminiBatchEmbed, []byte(`{"requests":[{"model":"a"},`+element+`]}`)); !errors.As(err, &f) || f.Param != "model" {
			t.Errorf("%s: %v", element, err)
		}
	}
}

func TestParams(t *testing.T) {
	var e wire.Envelope
	if err := e.Decode(wire.Chat, []byte(`{"model":"m",`+hello+`,"t\u006fp_p":1,"x":{"y":2}}`)); err != nil {
		t.Fatal(err)
	}
	var got []string
	e.Params(func(name string) bool {
		got = append(got, name)
		return true
	})
	if diff := cmp.Diff([]string{"model", "messages", "top_p", "x"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestChoicesThatAreNone names the member that an upstream might take for a number.
func TestChoicesThatAreNone(t *testing.T) {
	for _, tt := range []struct {
		op   *wire.Operation
		body string
		want string
	}{
		{wire.Chat, `{"model":"m","messages":[{}],"n":"3"}`, "n"},
		{wire.Chat, `{"model":"m","messages":[{}],"n":1.5}`, "n"},
		{wire.Chat, `{"model":"m","messages":[{}],"n":[3]}`, "n"},
		{wire.Chat, `{"model":"m","messages":[{}],"n":99999999999999999999}`, "n"},
		{wire.Chat, `{"model":"m","messages":[{}],"n":null}`, ""},
		{wire.Chat, `{"model":"m","messages":[{}],"n":2.0,"best_of":"4"}`, ""},
		{wire.Completions, `{"model":"m","prompt":"p","best_of":"4"}`, "best_of"},
		{wire.GeminiGenerate, `{"contents":[{}],"generationConfig":{"candidateCount":"3"}}`, "generationConfig.candidateCount"},
	} {
		var e wire.Envelope
		if err := e.Decode(tt.op, []byte(tt.body)); err != nil || e.ChoicesInvalid != tt.want || e.Choices < 1 {
			t.Errorf("%s: %v, %q, %d choices", tt.body, err, e.ChoicesInvalid, e.Choices)
		}
	}
}
