package embedding

import (
	"errors"
	"testing"

	"github.com/weirproxy/weir/wire"
)

// TestAnswers cuts answers and puts them together again.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		op, as  *wire.Operation
		body    string
		inputs  int
		usage   Usage
		second  string // the answer with the second vector alone, and 7 tokens
		doubled string // the answer with all vectors twice, and no usage
	}{
		{
			"OpenAI", wire.Embeddings, wire.Embeddings,
			`{"id":"x","object":"list","data":[{"index":1, "embedding":"AAAA","object":"embedding"},{"embedding":[0.10, 1e-7],"index": 0}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":6,"secret":1},"new":2}`, 2,
			Usage{5, 6},
			`{"object":"list","data":[{"index":0, "embedding":"AAAA","object":"embedding"}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}`,
			`{"object":"list","data":[{"embedding":[0.10, 1e-7],"index": 0},{"index":1, "embedding":"AAAA","object":"embedding"},{"embedding":[0.10, 1e-7],"index": 2},{"index":3, "embedding":"AAAA","object":"embedding"}],"model":"m"}`,
		},
		{
			"a server without numbers", wire.Embeddings, wire.Embeddings, `{"data":[{"embedding":[0]},{"embedding":[1]}],"usage":{"total_tokens":-1}}`, 2, Unreported,
			`{"object":"list","data":[{"embedding":[1]}],"usage":{"prompt_tokens":7,"total_tokens":7}}`,
			`{"object":"list","data":[{"embedding":[0]},{"embedding":[1]},{"embedding":[0]},{"embedding":[1]}]}`,
		},
		{
			"Gemini", wire.GeminiBatchEmbed, wire.GeminiBatchEmbed, `{"embeddings":[{"values":[0.5]},{"values":[1]}],"usageMetadata":{"promptTokenCount":3}}`, 2,
			Usage{3, -1},
			`{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`,
			`{"embeddings":[{"values":[0.5]},{"values":[1]},{"values":[0.5]},{"values":[1]}]}`,
		},
		{
			"Gemini for one", wire.GeminiBatchEmbed, wire.GeminiEmbed, `{"embeddings":[{"values":[0.5]},{"values":[1]}]}`, 2, Unreported,
			`{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`, "",
		},
		{
			"Cohere", wire.CohereEmbed, wire.CohereEmbed, `{"id":"x","embeddings":{"float":[[0.5],[1]],"base64":["a","b"]},"texts":["q","r"],"meta":{"billed_units":{"input_tokens":3}}}`, 2,
			Usage{3, -1},
			`{"embeddings":{"float":[[1]],"base64":["b"]},"meta":{"billed_units":{"input_tokens":7},"tokens":{"input_tokens":7}}}`,
			`{"embeddings":{"float":[[0.5],[1],[0.5],[1]],"base64":["a","b","a","b"]}}`,
		},
		{
			"Cohere on Bedrock", wire.InvokeEmbed, wire.InvokeEmbed, `{"embeddings":[[0.5],[1]],"response_type":"embeddings_floats"}`, 2, Unreported,
			`{"embeddings":[[1]],"inputTextTokenCount":7}`, `{"embeddings":[[0.5],[1],[0.5],[1]]}`,
		},
		{
			"Titan", wire.InvokeEmbed, wire.InvokeEmbed, `{"embedding":[0.5],"inputTextTokenCount":2,"embeddingsByType":{"float":[0.5]}}`, 1,
			Usage{2, -1},
			"", `{"embeddings":[[0.5],[0.5]]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAnswer(tt.op, []byte(tt.body), tt.inputs)
			if err != nil {
				t.Fatal(err)
			}
			if a.Usage != tt.usage {
				t.Errorf("usage %v", a.Usage)
			}
			check := func(want string, usage Usage, pieces ...Piece) {
				t.Helper()
				got, err := Build(nil, tt.as, usage, pieces...)
				if want != "" && (err != nil || string(got) != want) {
					t.Errorf("got  %s\nwant %s: %v", got, want, err)
				}
			}
			if tt.inputs > 1 {
				check(tt.second, Usage{7, 7}, Piece{a, 1, 2})
			}
			check(tt.doubled, Unreported, Piece{a, 0, tt.inputs}, Piece{a, 0, tt.inputs})
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		op   *wire.Operation
		body string
	}{
		"no JSON":              {wire.Embeddings, `{"data":[`},
		"an error":             {wire.Embeddings, `{"error":{"message":"x"}}`},
		"too few":              {wire.Embeddings, `{"data":[{"index":0}]}`},
		"too many":             {wire.Embeddings, `{"data":[{"index":0},{"index":1},{}]}`},
		"two for one":          {wire.Embeddings, `{"data":[{"index":1},{"index":1}]}`},
		"one for none":         {wire.Embeddings, `{"data":[{"index":1},{"index":2}]}`},
		"one below none":       {wire.Embeddings, `{"data":[{"index":1},{"index":-1}]}`},
		"a number that is not": {wire.Embeddings, `{"data":[{"index":"0"},{"index":1}]}`},
		"an object":            {wire.Embeddings, `{"data":{}}`},
		"Cohere, unequal":      {wire.CohereEmbed, `{"embeddings":{"float":[[1],[2]],"int8":[[1]]}}`},
		"Cohere, none":         {wire.CohereEmbed, `{"embeddings":{}}`},
		"Titan for two":        {wire.InvokeEmbed, `{"embedding":[1]}`},
	} {
		if _, err := ParseAnswer(tt.op, []byte(tt.body), 2); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	floats, _ := ParseAnswer(wire.CohereEmbed, []byte(`{"embeddings":{"float":[[1]]}}`), 1)
	ints, _ := ParseAnswer(wire.CohereEmbed, []byte(`{"embeddings":{"int8":[[1]]}}`), 1)
	both, _ := ParseAnswer(wire.CohereEmbed, []byte(`{"embeddings":{"float":[[1]],"int8":[[1]]}}`), 1)
	for _, other := range []*Answer{ints, both} {
		if _, err := Build(nil, wire.CohereEmbed, Unreported, Piece{floats, 0, 1}, Piece{other, 0, 1}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("joining answers of different forms: %v", err)
		}
	}
}
