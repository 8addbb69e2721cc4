package static

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// safetensors makes a file of a header and data.
func safetensors(header string, data string) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

const (
	tinyTable     = `{"embeddings":{"dtype":"I8","shape":[3,2],"data_offsets":[0,6]}}`
	tinyTokenizer = `{"added_tokens":[{"id":0,"content":"[UNK]"}],"normalizer":{"type":"BertNormalizer","clean_text":true,"lowercase":true},
		"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","vocab":{"[UNK]":0,"a":1,"##b":2}}}`
)

func TestTiny(t *testing.T) {
	m, err := read(safetensors(tinyTable, "\x7f\x7f\x02\x00\x04\xfe"), []byte(tinyTokenizer), []byte(`{"normalize":false}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][2]float32{"a": {2, 0}, "Ab A": {8. / 3, -2. / 3}, "c": {0, 0}, "[UNK]a": {2, 0}, "b": {0, 0}} {
		got := m.Embed([]float32{9}, text)
		if len(got) != 3 || got[0] != 9 || got[1] != want[0] || got[2] != want[1] {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if m.Dims() != 2 {
		t.Errorf("%d dimensions", m.Dims())
	}
	other, err := read(safetensors(tinyTable, "\x7f\x7f\x02\x00\x04\xff"), []byte(tinyTokenizer), []byte(`{"normalize":false}`))
	if err != nil || other.Identity() == m.Identity() {
		t.Errorf("another model has the same identity (%v)", err)
	}
}

func TestRefused(t *testing.T) {
	table := string(safetensors(tinyTable, "abcdef"))
	replace := func(old, with string) string {
		out := strings.Replace(tinyTokenizer, old, with, 1)
		if out == tinyTokenizer {
			t.Fatalf("%q is not in the tokenizer", old)
		}
		return out
	}
	header := func(h string) string { return string(safetensors(h, "abcdef")) }
	for _, test := range []struct{ name, table, tokenizer, config, want string }{
		{"empty", "", tinyTokenizer, `{}`, "too short"},
		{"header beyond the file", "\xff\xff\x00\x00\x00\x00\x00\x00{}", tinyTokenizer, `{}`, "longer than the file"},
		{"huge header", "\xff\xff\xff\xff\xff\xff\xff\xff{}", tinyTokenizer, `{}`, "longer than the file"},
		{"no JSON", header("{"), tinyTokenizer, `{}`, "reading the header"},
		{"tensor is no object", header(`{"embeddings":1}`), tinyTokenizer, `{}`, "reading the header's embeddings"},
		{"no embeddings", header(`{"__metadata__":{"a":"b"}}`), tinyTokenizer, `{}`, "no tensor embeddings"},
		{"offsets beyond", header(`{"embeddings":{"dtype":"I8","shape":[3,2],"data_offsets":[0,7]}}`), tinyTokenizer, `{}`, "not within the file"},
		{"offsets reversed", header(`{"embeddings":{"dtype":"I8","shape":[3,2],"data_offsets":[6,0]}}`), tinyTokenizer, `{}`, "not within the file"},
		{"too little data", header(`{"embeddings":{"dtype":"F16","shape":[3,2],"data_offsets":[0,6]}}`), tinyTokenizer, `{}`, "are not 6 bytes"},
		{"overflowing shape", header(`{"embeddings":{"dtype":"I8","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`), tinyTokenizer, `{}`, "no table"},
		{"negative shape", header(`{"embeddings":{"dtype":"I8","shape":[-3,-2],"data_offsets":[0,6]}}`), tinyTokenizer, `{}`, "no table"},
		{"three dimensions", header(`{"embeddings":{"dtype":"I8","shape":[1,3,2],"data_offsets":[0,6]}}`), tinyTokenizer, `{}`, "no table"},
		{"unknown type", header(`{"embeddings":{"dtype":"F8_E4M3","shape":[3,2],"data_offsets":[0,6]}}`), tinyTokenizer, `{}`, "not supported"},
		{"whole numbers as embeddings", string(safetensors(`{"embeddings":{"dtype":"I32","shape":[3,1],"data_offsets":[0,12]}}`, strings.Repeat("a", 12))), tinyTokenizer, `{}`, "not expected"},
		{"not finite", string(safetensors(`{"embeddings":{"dtype":"F16","shape":[3,1],"data_offsets":[0,6]}}`, "\x00\x00\x00\x7c\x00\x00")), tinyTokenizer, `{}`, "not finite"},
		{"fewer rows than tokens", header(`{"embeddings":{"dtype":"I8","shape":[2,3],"data_offsets":[0,6]}}`), tinyTokenizer, `{}`, "token 2"},
		{"fewer weights than tokens", string(safetensors(`{"embeddings":{"dtype":"I8","shape":[3,2],"data_offsets":[0,6]},"weights":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}}`, "abcdef")), tinyTokenizer, `{}`, "weights has 2"},
		{"weights of two columns", header(`{"embeddings":{"dtype":"I8","shape":[3,2],"data_offsets":[0,6]},"weights":{"dtype":"I8","shape":[3,2],"data_offsets":[0,6]}}`), tinyTokenizer, `{}`, "weights: 2 columns"},
		{"mapping beyond", string(safetensors(`{"embeddings":{"dtype":"I8","shape":[1,4],"data_offsets":[0,4]},"mapping":{"dtype":"I32","shape":[3],"data_offsets":[0,12]}}`, "\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00")), tinyTokenizer, `{}`, "no row"},
		{"Unigram", table, `{"model":{"type":"Unigram","vocab":[["a",-1]]}}`, `{}`, `"Unigram" is not supported`},
		{"BPE", table, `{"model":{"type":"BPE"}}`, `{}`, `"BPE" is not supported`},
		{"no tokenizer", table, `nonsense`, `{}`, "invalid character"},
		{"other normalizer", table, replace("BertNormalizer", "NFC"), `{}`, "BertNormalizer"},
		{"other pre-tokenizer", table, replace("BertPreTokenizer", "Whitespace"), `{}`, "BertPreTokenizer"},
		{"no unknown token", table, replace(`"unk_token":"[UNK]"`, `"unk_token":"?"`), `{}`, "lacks the unknown token"},
		{"no prefix", table, replace(`"##"`, `""`), `{}`, "prefix"},
		{"flags", table, replace(`"content":"[UNK]"`, `"content":"[UNK]","lstrip":true`), `{}`, "flags"},
		{"negative token", table, replace(`"a":1`, `"a":-1`), `{}`, "number -1"},
		{"huge token", table, replace(`"a":1`, `"a":99999999`), `{}`, "number 99999999"},
		{"no config", table, tinyTokenizer, ``, "config.json"},
		{"bad length", table, tinyTokenizer, `{"max_length":0}`, "max_length 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := read([]byte(test.table), []byte(test.tokenizer), []byte(test.config))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing")); err == nil || !strings.Contains(err.Error(), "loading the static embedder") {
		t.Errorf("missing directory: %v", err)
	}
}

func FuzzTensors(f *testing.F) {
	for _, name := range []string{"plain", "quantized", "whole"} {
		raw, err := os.ReadFile("testdata/" + name + ".safetensors")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:1000])
	}
	f.Add(safetensors(tinyTable, "abcdef"))
	f.Add(safetensors(`{"embeddings":{"dtype":"F32","shape":[3,1],"data_offsets":[0,12]},"mapping":{"dtype":"I64","shape":[3],"data_offsets":[12,36]},"weights":{"dtype":"F64","shape":[3],"data_offsets":[12,36]}}`, strings.Repeat("\x00", 36)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := read(raw, []byte(tinyTokenizer), []byte(`{}`))
		if err != nil {
			return
		}
		if v := m.Embed(nil, "ab c a"); len(v) != m.Dims() {
			t.Errorf("%d numbers, %d dimensions", len(v), m.Dims())
		}
	})
}

func FuzzTokenizer(f *testing.F) {
	f.Add(tinyTokenizer, "ab")
	f.Fuzz(func(t *testing.T, tokenizer, text string) {
		w, most, _, err := readWordPiece([]byte(tokenizer))
		if err != nil {
			return
		}
		s := w.get()
		s.run(w, text, 0)
		for _, id := range s.ids {
			if id < 0 || int(id) > most {
				t.Errorf("token %d of %d", id, most)
			}
		}
	})
}

func FuzzEmbed(f *testing.F) {
	m := load(f, "plain")
	texts, _ := golden(f, "plain")
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := m.Embed(nil, text)
		raw, err := json.Marshal(v) // fails for numbers that are not finite
		if len(v) != m.Dims() || err != nil {
			t.Errorf("%s, %v", raw, err)
		}
	})
}

func TestEmbedAllocates(t *testing.T) {
	if racing {
		return // a pool keeps nothing for sure under the race detector
	}
	m := load(t, "plain")
	dst := make([]float32, 0, m.Dims())
	m.Embed(dst, "How do I reset my password? Crème")
	if n := testing.AllocsPerRun(200, func() { m.Embed(dst, "How do I reset my password? Crème") }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEmbed(b *testing.B) {
	w, _, _, err := readWordPiece(must(b, "testdata/tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	m := &Model{dims: 256, table: make([]float32, 4096*256), tokenizer: w, normalize: true, maxTokens: 512}
	for i := range m.table {
		m.table[i] = float32(i%17) - 8
	}
	short := "How do I reset the password of my account?"
	for name, text := range map[string]string{"short": short, "long": strings.Repeat(short+" ", 20)} {
		b.Run(name, func(b *testing.B) {
			dst := make([]float32, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				m.Embed(dst, text)
			}
		})
	}
}

func must(tb testing.TB, file string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}
