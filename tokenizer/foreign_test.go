package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var formats = map[string]string{".json": "huggingface", ".model": "sentencepiece", ".tiktoken": "tiktoken"}

// TestForeign compares tokenizers loaded from files with the reference
// implementations; internal/gen/foreign.py makes the files and the vectors.
// WEIR_FOREIGN names another directory of the same kind.
func TestForeign(t *testing.T) {
	for _, dir := range []string{"testdata/foreign", os.Getenv("WEIR_FOREIGN")} {
		goldens, err := filepath.Glob(filepath.Join(dir, "*.golden.json"))
		if dir == "" || err != nil {
			continue
		}
		if len(goldens) == 0 {
			t.Errorf("%s holds no vectors", dir)
		}
		for _, golden := range goldens {
			path := strings.TrimSuffix(golden, ".golden.json")
			t.Run(filepath.Base(path), func(t *testing.T) { compareForeign(t, path, golden) })
		}
	}
}

func compareForeign(t *testing.T, path, golden string) {
	e, err := LoadFile(formats[filepath.Ext(path)], path)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(raw, &pairs); err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for _, pair := range pairs {
		var text string
		var want []int
		if err := json.Unmarshal(pair[0], &text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(pair[1], &want); err != nil {
			t.Fatal(err)
		}
		got := e.Encode(nil, text)
		s := e.NewStream()
		for i := 0; i < len(text); i += 3 {
			s.Add([]byte(text[i:min(i+3, len(text))]))
		}
		if !slices.Equal(got, want) || e.CountString(text) != len(want) || s.Count() != len(want) {
			t.Errorf("%.80q: %v, counted %d, streamed %d, want %v", text, got[:min(len(got), 30)], e.CountString(text), s.Count(), want[:min(len(want), 30)])
			if wrong++; wrong == 8 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d texts", len(pairs))
}

func TestLoadFileRefuses(t *testing.T) {
	tests := []struct{ name, format, content, want string }{
		{"format", "magic", "", `format "magic"`},
		{"not json", "huggingface", "{", "unexpected end"},
		{"word piece", "huggingface", `{"model":{"type":"WordPiece"}}`, "WordPiece"},
		{"pattern", "huggingface", `{"model":{"type":"BPE"},"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"x"}}}`, `"x" is not known`},
		{"normalizer", "huggingface", `{"model":{"type":"BPE"},"normalizer":{"type":"Lowercase"}}`, "Lowercase"},
		{"no bytes", "tiktoken", "YQ== 0\n", "is no token"},
		{"not base64", "tiktoken", "?? 0\n", "line 1"},
		{"not a model", "sentencepiece", "\xff\xff", "not a SentencePiece model"},
		{"empty", "sentencepiece", "", "not a SentencePiece model"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadFile(test.format, path); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestManySplits loads a file in which every token can be cut everywhere: the
// number of pairs grows with the square of its length.
func TestManySplits(t *testing.T) {
	var lines strings.Builder
	for c := range 256 {
		fmt.Fprintf(&lines, "%s %d\n", base64.StdEncoding.EncodeToString([]byte{byte(c)}), c)
	}
	for n := 2; n <= 250; n++ {
		fmt.Fprintf(&lines, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", n))), 254+n)
	}
	f, err := readTiktoken([]byte(lines.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.count(strings.Repeat("a", 250), false); got != 1 {
		t.Errorf("%d tokens, want 1", got)
	}
}

func FuzzSentencePiece(f *testing.F) {
	for _, name := range []string{"bpe-unk.model", "unigram.model"} {
		raw, err := os.ReadFile("testdata/foreign/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:2000], "some text")
	}
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		m, err := readSentencePiece(raw)
		if err != nil {
			return
		}
		m.encode(nil, validString(text))
	})
}

func FuzzHuggingFace(f *testing.F) {
	raw, err := os.ReadFile("testdata/foreign/nfc.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[:3000], "some text")
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]},"pre_tokenizer":{"type":"ByteLevel"}}`), "aa")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		m, err := readHuggingFace(raw)
		if err != nil {
			return
		}
		m.encode(nil, validString(text))
	})
}
