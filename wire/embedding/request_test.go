package embedding

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

func TestRequests(t *testing.T) {
	for _, tt := range []struct {
		name   string
		op     *wire.Operation
		model  string
		body   string
		inputs int
		parts  []string // the bodies of calls with two inputs at most
		params string
	}{
		{"one text", wire.Embeddings, "m", `{"model":"m","input":"a, b"}`, 1, []string{`{"model":"m","input":["a, b"]}`}, `"model":"m",`},
		{
			"texts", wire.Embeddings, "m", "{\"user\":\"u\", \"input\" : [ \"a\" ,\n\"b]\", \"\\\"c\" ],\"dimensions\": 8 }", 3,
			[]string{"{\"user\":\"u\", \"input\" : [\"a\" ,\n\"b]\"],\"dimensions\": 8 }", "{\"user\":\"u\", \"input\" : [\"\\\"c\"],\"dimensions\": 8 }"},
			`"dimensions":8,"user":"u",`,
		},
		{"one list of tokens", wire.Embeddings, "m", `{"input":[1, 2],"x":{ "b" : [1, 2] }}`, 1, []string{`{"input":[[1, 2]],"x":{ "b" : [1, 2] }}`}, `"x":{"b":[1,2]},#`},
		{"lists of tokens", wire.Embeddings, "m", `{"input":[[1,2],[3],[4]]}`, 3, []string{`{"input":[[1,2],[3]]}`, `{"input":[[4]]}`}, `#`},
		{"Gemini's batch", wire.GeminiBatchEmbed, "m", `{"requests":[{"content":{"parts":[]}},{"x":1}]}`, 2, []string{`{"requests":[{"content":{"parts":[]}},{"x":1}]}`}, ``},
		{"Gemini's single", wire.GeminiEmbed, "m", `{"content":{"parts":[]},"taskType":"X"}`, 1, []string{`{"requests":[{"content":{"parts":[]},"taskType":"X","model":"models/m"}]}`}, ``},
		{"Gemini's single, named otherwise", wire.GeminiEmbed, "tunedModels/t", `{"model":"models/alias","content":{}}`, 1, []string{`{"requests":[{"model":"tunedModels/t","content":{}}]}`}, ``},
		{"Cohere", wire.CohereEmbed, "m", `{"model":"m","texts":["a","b"],"input_type":"search_query"}`, 2, []string{`{"model":"m","texts":["a","b"],"input_type":"search_query"}`}, `"input_type":"search_query","model":"m",`},
		{"Cohere on Bedrock", wire.InvokeEmbed, "cohere.embed-english-v3", `{"texts":["a"]}`, 1, []string{`{"texts":["a"]}`}, ``},
		{"Titan", wire.InvokeEmbed, "amazon.titan-embed-text-v2:0", `{"inputText":"a","dimensions":8}`, 1, []string{`{"inputText":"a","dimensions":8}`}, `"dimensions":8,`},
		{"Titan, several", wire.InvokeEmbed, "amazon.titan-embed-text-v2:0", `{"inputText":["a","b"]}`, 2, []string{`{"inputText":"a"}`, `{"inputText":"b"}`}, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ok := Parse(tt.op, tt.model, []byte(tt.body))
			if !ok || r.Inputs != tt.inputs || r.Params() != tt.params {
				t.Fatalf("%v, %+v, params %q", ok, r, r.Params())
			}
			limit := 2
			if r.Max > 0 {
				limit = r.Max
			}
			var parts []string
			frame := r.Frame()
			r.Cut(limit, func(list []byte, n int) {
				parts = append(parts, string(r.Append(nil, list)))
				if framed := string(frame.Append(nil, list)); framed != parts[len(parts)-1] {
					t.Errorf("its frame gives %s", framed)
				}
			})
			if diff := cmp.Diff(tt.parts, parts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestUnreadable holds what goes to the upstream as it is: there is more than
// one way to read it, or nothing to cut.
func TestUnreadable(t *testing.T) {
	for name, body := range map[string]string{
		"no input":           `{"model":"m"}`,
		"an empty list":      `{"input":[]}`,
		"a number":           `{"input":1}`,
		"null":               `{"input":null}`,
		"texts and tokens":   `{"input":["a",[1]]}`,
		"booleans":           `{"input":[true]}`,
		"two inputs":         `{"input":"a","input":"b"}`,
		"two spellings":      `{"input":"a","Input":"b"}`,
		"two of another":     `{"input":"a","user":"x","dimensions":1,"user":"y"}`,
		"two, one escaped":   `{"input":"a","user":"x","\u0075ser":"y"}`,
		"no object":          `["input"]`,
		"no JSON":            `{"input":["a",]}`,
		"something after it": `{"input":"a"}{}`,
	} {
		if r, ok := Parse(wire.Embeddings, "m", []byte(body)); ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, ok := Parse(wire.Chat, "m", []byte(`{"input":"a"}`)); ok {
		t.Error("chat has inputs")
	}
}

// TestParams holds which requests may be asked as one.
func TestParams(t *testing.T) {
	params := func(body string) string {
		r, ok := Parse(wire.Embeddings, "m", []byte(body))
		if !ok {
			t.Fatalf("%s cannot be read", body)
		}
		return r.Params()
	}
	base := params(`{"model":"m","dimensions":8,"user":"u","input":"a"}`)
	for _, same := range []string{`{"input":["b","c"],"user":"u","model":"m","dimensions":8}`, `{ "model": "m", "dimensions" : 8,"\u0075ser":"u" ,"input":"a"}`} {
		if got := params(same); got != base {
			t.Errorf("%s: %s, want %s", same, got, base)
		}
	}
	for _, other := range []string{
		`{"model":"n","dimensions":8,"user":"u","input":"a"}`,
		`{"model":"m","dimensions":9,"user":"u","input":"a"}`,
		`{"model":"m","dimensions":8,"user":"v","input":"a"}`,
		`{"model":"m","dimensions":8,"input":"a"}`,
		`{"model":"m","dimensions":8,"user":"u","encoding_format":"base64","input":"a"}`,
		`{"model":"m","dimensions":8,"user":"u ","input":"a"}`,
		`{"model":"m","dimensions":8,"user":"u","new":1,"input":"a"}`,
		`{"model":"m","dimensions":8,"user":"u","input":[1,2]}`,
	} {
		if got := params(other); got == base {
			t.Errorf("%s: the same as %s", other, base)
		}
	}
}
