package embedding

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

var fuzzed = []*wire.Operation{wire.Embeddings, wire.GeminiBatchEmbed, wire.GeminiEmbed, wire.CohereEmbed, wire.InvokeEmbed}

// answered are the operations in which several inputs can be asked for.
var answered = []*wire.Operation{wire.Embeddings, wire.GeminiBatchEmbed, wire.CohereEmbed, wire.InvokeEmbed}

// FuzzCut cuts foreign requests into parts, which are JSON and hold all inputs
// in order, with all else as it was.
func FuzzCut(f *testing.F) {
	for op := range fuzzed {
		for _, seed := range []string{
			`{"input":["a","b\"],","c"],"model":"m"}`, `{"input":[1,2]}`, "{\"input\" : [ [1] ,\n[2 , 3] ] }", `{"input":"a","x":{"input":[1]}}`,
			`{"requests":[{"a":"]"},{"b":[{}]}]}`, `{"content":{"parts":[]}}`, `{"texts":["\\"],"model":null}`, `{"inputText":["a","b"]}`, `{"inputText":"a"}`,
		} {
			f.Add([]byte(seed), uint8(op), uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, at, limit uint8) {
		op := fuzzed[int(at)%len(fuzzed)]
		r, ok := Parse(op, "m", body)
		if !ok {
			return
		}
		if r.Inputs < 1 || !json.Valid(body) {
			t.Fatalf("%d inputs of %q", r.Inputs, body)
		}
		most := max(1, int(limit))
		if r.Max > 0 {
			most = r.Max
		}
		var inputs int
		var whole []json.RawMessage
		r.Cut(most, func(list []byte, n int) {
			var elements []json.RawMessage
			if err := json.Unmarshal(append(append([]byte{'['}, list...), ']'), &elements); err != nil || len(elements) != n || n < 1 || n > most {
				t.Fatalf("part %q of %q: %d elements, %d inputs: %v", list, body, len(elements), n, err)
			}
			whole = append(whole, elements...)
			inputs += n
			part := r.Append(nil, list)
			again, ok := Parse(r.Operation, "m", part)
			if !ok || again.Inputs != n || again.Params() != r.Params() {
				t.Fatalf("the part %q of %q is read as %+v", part, body, again)
			}
		})
		if inputs != r.Inputs {
			t.Fatalf("%d inputs in the parts of %q", inputs, body)
		}
		var all []json.RawMessage
		if err := json.Unmarshal(append(append([]byte{'['}, r.List()...), ']'), &all); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, whole); diff != "" {
			t.Fatalf("%q: %s", body, diff)
		}
	})
}

// FuzzAnswers cuts foreign answers and joins them: what comes out is JSON, and
// each vector is the one that it was.
func FuzzAnswers(f *testing.F) {
	for op := range answered {
		for _, seed := range []string{
			`{"data":[{"index":1,"embedding":"A"},{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":3},"model":"m"}`, `{"data":[{"index":0},{"index":1}]}`,
			`{"embeddings":[{"values":[1]},{"values":[2]}]}`, `{"embeddings":{"float":[[1],[2]],"a\"b":["x","y"]}}`, `{"embedding":[1],"inputTextTokenCount":1}`, `{"embeddings":[[1],[2]]}`,
			`{"data":[{"index": 0e0 },{ "index":1,"index":5}]}`,
		} {
			f.Add([]byte(seed), uint8(op))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, at uint8) {
		op := answered[int(at)%len(answered)]
		for inputs := 1; inputs <= 2; inputs++ {
			a, err := ParseAnswer(op, body, inputs)
			if err != nil {
				continue
			}
			var parts []Piece
			for i := range inputs {
				one, err := Build(nil, op, a.Usage, Piece{a, i, i + 1})
				if err != nil || !json.Valid(one) {
					t.Fatalf("vector %d of %q: %q, %v", i, body, one, err)
				}
				again, err := ParseAnswer(op, one, 1)
				if err != nil {
					t.Fatalf("%q is read as %v", one, err)
				}
				parts = append(parts, Piece{again, 0, 1})
			}
			direct, err1 := Build(nil, op, Unreported, Piece{a, 0, inputs})
			joined, err2 := Build(nil, op, Unreported, parts...)
			if err1 != nil || err2 != nil || !bytes.Equal(direct, joined) || !json.Valid(direct) {
				t.Fatalf("%q: %q, %v; joined %q, %v", body, direct, err1, joined, err2)
			}
		}
	})
}
