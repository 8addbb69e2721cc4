package form_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

const (
	floats = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.25]}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}`
	packed = `{"object":"list","data":[{"object" : "embedding","index":0,"embedding" : "AAAAPwAAoL8="}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}`
	two    = `{"object":"list","data":[{"object":"embedding","index":1,"embedding":[2]},{"object":"embedding","index":0,"embedding":[1]}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}`
	single = `{"embedding":{"values":[0.5,-1.25]}}`
	batch  = `{"embeddings":[{"values":[0.5,-1.25]}]}`
)

func TestEmbeddings(t *testing.T) {
	const asFloats, asPacked = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.25]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`,
		`{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAoL8="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`
	for _, tt := range []struct {
		name     string
		op       *wire.Operation
		kept     string
		wanted   *wire.Operation
		body     string
		want     string
		fails    bool
		verySame bool
	}{
		{name: "the same", op: wire.Embeddings, kept: floats, wanted: wire.Embeddings, body: `{"input":"x"}`, want: floats, verySame: true},
		{name: "the same, packed", op: wire.Embeddings, kept: packed, wanted: wire.Embeddings, body: `{"input":"x","encoding_format":"base64"}`, want: packed, verySame: true},
		{name: "said to be floats", op: wire.Embeddings, kept: floats, wanted: wire.Embeddings, body: `{"input":"encoding_format base64","encoding_format":"float"}`, want: floats, verySame: true},
		{name: "pack", op: wire.Embeddings, kept: floats, wanted: wire.Embeddings, body: `{"input":[1,2],"encoding\u005fformat":"base64"}`, want: `{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAoL8="}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}`},
		{name: "unpack", op: wire.Embeddings, kept: packed, wanted: wire.Embeddings, body: `{"input":[1,2]}`, want: floats},
		{name: "to one", op: wire.Embeddings, kept: packed, wanted: wire.GeminiEmbed, want: `{"embedding":{"values":[0.5,-1.25]},"usageMetadata":{"promptTokenCount":4}}`},
		{name: "to a list", op: wire.Embeddings, kept: two, wanted: wire.GeminiBatchEmbed, want: `{"embeddings":[{"values":[1]},{"values":[2]}],"usageMetadata":{"promptTokenCount":4}}`},
		{name: "two to one", op: wire.Embeddings, kept: two, wanted: wire.GeminiEmbed, fails: true},
		{name: "one of Gemini's", op: wire.GeminiEmbed, kept: single, wanted: wire.GeminiEmbed, want: single, verySame: true},
		{name: "one to a list", op: wire.GeminiEmbed, kept: single, wanted: wire.GeminiBatchEmbed, want: `{"embeddings":[{"values":[0.5,-1.25]}],"usageMetadata":{"promptTokenCount":3}}`},
		{name: "a list to one", op: wire.GeminiBatchEmbed, kept: batch, wanted: wire.GeminiEmbed, want: `{"embedding":{"values":[0.5,-1.25]},"usageMetadata":{"promptTokenCount":3}}`},
		{name: "from Gemini", op: wire.GeminiBatchEmbed, kept: batch, wanted: wire.Embeddings, body: `{"encoding_format":"float"}`, want: asFloats},
		{name: "from Gemini, packed", op: wire.GeminiEmbed, kept: single, wanted: wire.Embeddings, body: `{"encoding_format":"base64"}`, want: asPacked},
		{name: "to chat", op: wire.Embeddings, kept: floats, wanted: wire.Chat, fails: true},
		{name: "of chat", op: wire.Chat, kept: floats, wanted: wire.Embeddings, fails: true},
		{name: "no vectors", op: wire.Embeddings, kept: `{"data":[]}`, wanted: wire.GeminiBatchEmbed, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &cache.Answer{Model: "m", Usage: wire.Usage{Input: 3}, Form: cache.Form{Operation: tt.op, Body: []byte(tt.kept)}}
			got, err := form.Convert(a, form.Want{Operation: tt.wanted, Body: []byte(tt.body)})
			if tt.fails {
				if !errors.Is(err, form.ErrLoses) {
					t.Fatalf("%v, %s", err, got.Body)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Body) != tt.want || got.Operation != tt.wanted {
				t.Errorf("%s\nnot\n%s", got.Body, tt.want)
			}
			if same := &got.Body[0] == &a.Form.Body[0]; same != tt.verySame {
				t.Errorf("the very same bytes: %t", same)
			}
		})
	}
}

// TestRecordedEmbeddings turns recorded vectors over and back: they are the
// same numbers.
func TestRecordedEmbeddings(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "integration", "testdata", "fixtures", "*", "embeddings-*.meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var meta struct {
			Status   int
			Provider string
			Response struct {
				File string `json:"body_file"`
			}
		}
		if err := json.Unmarshal(raw, &meta); err != nil {
			t.Fatal(err)
		}
		if meta.Status != 200 {
			continue
		}
		body, err := os.ReadFile(filepath.Join(filepath.Dir(path), filepath.Base(meta.Response.File)))
		if err != nil {
			t.Fatal(err)
		}
		f := cache.Form{Operation: wire.Embeddings, Body: body}
		if meta.Provider == "gemini" {
			f.Operation = wire.GeminiBatchEmbed
		}
		first, err := doors.Embedder(f.Operation).DecodeEmbedResponse(body)
		if err != nil { // base64 of other numbers
			if _, err := form.Check(f, nil); !errors.Is(err, form.ErrIncomplete) {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		facts, err := form.Check(f, nil)
		if err != nil || facts.Choices != len(first.Vectors) {
			t.Fatalf("%s: %d vectors, %v", path, facts.Choices, err)
		}
		n++
		for _, want := range []form.Want{
			{Operation: wire.GeminiBatchEmbed},
			{Operation: wire.Embeddings, Body: []byte(`{"encoding_format":"base64"}`)},
			{Operation: wire.Embeddings},
		} {
			if f, err = form.Convert(&cache.Answer{Form: f}, want); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			got, err := doors.Embedder(f.Operation).DecodeEmbedResponse(f.Body)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if diff := cmp.Diff(first.Vectors, got.Vectors); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d recordings", n)
	}
}
