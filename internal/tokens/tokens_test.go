package tokens

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func envelope(t *testing.T, text string) *wire.Envelope {
	t.Helper()
	env := new(wire.Envelope)
	if err := env.Decode(wire.Chat, []byte(`{"model":"m","messages":[{"role":"user","content":"`+text+`"}]}`)); err != nil {
		t.Fatal(err)
	}
	return env
}

func TestCounter(t *testing.T) {
	c := new(Counter)
	for _, tc := range []struct {
		name, model, text string
		limit             int
		counted, exact    bool
	}{
		{"far below the limit", "gpt-4o", "hello", 1000, false, false},
		{"near the limit", "gpt-4o", "hello", 10, true, true},
		{"a vocabulary that is not public", "claude-sonnet-4-5", "hello", 10, true, false},
	} {
		env := envelope(t, tc.text)
		n, exact := c.Bound(tc.model, wire.Chat, env, tc.limit)
		counted := n != len(env.Body())
		if counted != tc.counted || exact != tc.exact {
			t.Errorf("%s: %d tokens, counted %v, exact %v", tc.name, n, counted, exact)
		}
		if prompt := c.Prompt(tc.model, wire.Chat, env); counted && prompt != n {
			t.Errorf("%s: the prompt has %d tokens, its bound is %d", tc.name, prompt, n)
		}
	}
	if n, estimated := c.Count("gpt-4o", wire.Chat, new(wire.Envelope)); n != 0 || !estimated {
		t.Errorf("nothing has %d tokens", n)
	}
}

// TestOutput holds that a text that comes in pieces costs what it costs whole.
func TestOutput(t *testing.T) {
	text := strings.Repeat("Streams of tokens, naïve café: 1234567 ", 200)
	for _, model := range []string{"gpt-4o", "claude-sonnet-4-5", "llama"} {
		c := new(Counter)
		whole, pieces := c.Output(model), c.Output(model)
		whole.Add([]byte(text))
		for i := range len(text) {
			pieces.Add([]byte(text[i : i+1]))
		}
		if whole.Count() != pieces.Count() || whole.Count() == 0 {
			t.Errorf("%s: %d tokens whole, %d in pieces", model, whole.Count(), pieces.Count())
		}
		// Neither asking in between nor the sizes of pieces change the count.
		asked := c.Output(model)
		for from, size := 0, 1; from < len(text); size = size*3%5000 + 1 {
			to := min(from+size, len(text))
			asked.Add([]byte(text[from:to]))
			asked.Count()
			from = to
		}
		if asked.Count() != whole.Count() {
			t.Errorf("%s: %d tokens whole, %d when asked in between", model, whole.Count(), asked.Count())
		}
	}
}

// TestFiles holds how a model finds its file: by its whole name, else by the
// longest prefix, whatever the case.
func TestFiles(t *testing.T) {
	const dir = "../../tokenizer/testdata/foreign/"
	c, err := NewCounter([]File{
		{Pattern: "llama-*", Format: "tiktoken", Path: dir + "ranks.tiktoken"},
		{Pattern: "Llama-3-long*", Format: "huggingface", Path: dir + "nfc.json"},
		{Pattern: "llama-3-long", Format: "sentencepiece", Path: dir + "bpe.model"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, model, want string }{
		{"a prefix", "llama-2-7b", "tiktoken:" + dir + "ranks.tiktoken"},
		{"the longest prefix", "llama-3-longer", "huggingface:" + dir + "nfc.json"},
		{"the whole name before any prefix", "llama-3-long", "sentencepiece:" + dir + "bpe.model"},
		{"upper case in the request", "LLAMA-3-Longer", "huggingface:" + dir + "nfc.json"},
		{"upper case in the whole name", "LLAMA-3-LONG", "sentencepiece:" + dir + "bpe.model"},
		{"no file", "gpt-4o", "gpt-4o"},
	} {
		if got := c.Family(tc.model).Name; got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestNewCounterRefuses(t *testing.T) {
	if _, err := NewCounter([]File{{Pattern: "llama-*", Format: "huggingface", Path: "/nonexistent"}}); err == nil || !strings.Contains(err.Error(), "tokenizer of 'llama-*': ") {
		t.Errorf("%v", err)
	}
}

// TestPlaces holds that the same text costs what it costs where it stands, whether
// or not it has been met elsewhere.
func TestPlaces(t *testing.T) {
	c, text := new(Counter), strings.Repeat("the same in two places ", 10)
	tools := `"tools":[{"type":"function","name":"f"}]`
	user := []byte(`{"input":"` + text + `",` + tools + `}`)
	system := []byte(`{"instructions":"` + text + `",` + tools + `}`)
	for range 2 {
		u, _ := c.count("gpt-4o", wire.Responses, user, jsonscan.Value{})
		s, _ := c.count("gpt-4o", wire.Responses, system, jsonscan.Value{})
		if u != s+5 { // the system message that the tools stand in is the vendor's own
			t.Errorf("%d tokens as input, %d as instructions", u, s)
		}
	}
}
