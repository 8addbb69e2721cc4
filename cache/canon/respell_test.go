package canon

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// respell writes the same JSON in another way: spaces, escapes, numbers, and
// the order of members in requests and messages.
func respell(rng *rand.Rand, op *wire.Operation, body []byte) []byte {
	root, err := jsonscan.Parse(body)
	if err != nil {
		return body
	}
	s := speller{rng: rng, data: body, turns: turnsOf(op)}
	s.value(root, 0, mixes(body, root))
	return s.out
}

type speller struct {
	rng   *rand.Rand
	data  []byte
	out   []byte
	turns string
}

func (s *speller) space() {
	for s.rng.IntN(3) == 0 {
		s.out = append(s.out, " \n\t\r"[s.rng.IntN(4)])
	}
}

func (s *speller) value(v jsonscan.Value, depth int, mix bool) {
	s.space()
	switch v.Kind {
	case jsonscan.String:
		s.string(v)
	case jsonscan.Number:
		s.number(string(v.Raw(s.data)))
	case jsonscan.Array:
		s.out = append(s.out, '[')
		first := true
		for e := range jsonscan.Elements(s.data, v) {
			if !first {
				s.out = append(s.out, ',')
			}
			first = false
			s.value(e, depth+1, mix)
		}
		s.space()
		s.out = append(s.out, ']')
	case jsonscan.ObjectKind:
		var list [][2]jsonscan.Value
		for key, val := range jsonscan.Members(s.data, v) {
			list = append(list, [2]jsonscan.Value{key, val})
		}
		if mix && (depth == 0 || depth == 2 && isMessage(s.data, v)) {
			s.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		s.out = append(s.out, '{')
		for i, m := range list {
			if i > 0 {
				s.out = append(s.out, ',')
			}
			s.space()
			s.string(m[0])
			s.space()
			s.out = append(s.out, ':')
			s.value(m[1], depth+1, mix && (depth > 0 || m[0].Is(s.data, s.turns)))
		}
		s.space()
		s.out = append(s.out, '}')
	default:
		s.out = append(s.out, v.Raw(s.data)...)
	}
	s.space()
}

func (s *speller) string(v jsonscan.Value) {
	raw := v.Raw(s.data)
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\':
			s.out = append(s.out, c, raw[i+1])
			i++
		case i > 0 && i < len(raw)-1 && c >= ' ' && c < 0x7f && raw[i-1] != '\\' && !inEscape(raw, i) && s.rng.IntN(8) == 0:
			const hex = "0123456789abcdef"
			s.out = append(s.out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			s.out = append(s.out, c)
		}
	}
}

// inEscape reports whether raw[i] may be a digit of \uXXXX.
func inEscape(raw []byte, i int) bool {
	return slices.Contains(raw[max(0, i-5):i], '\\')
}

func (s *speller) number(n string) {
	if len(n) < 20 && s.rng.IntN(2) == 0 && !strings.ContainsAny(n, "eE") {
		if !strings.Contains(n, ".") {
			n += ".0"
		}
		if s.rng.IntN(2) == 0 {
			n += "e0"
		}
	}
	s.out = append(s.out, n...)
}

// turnsOf is the member of a request that holds its turns.
func turnsOf(op *wire.Operation) string {
	switch op {
	case wire.Responses:
		return "input"
	case wire.GeminiGenerate:
		return "contents"
	case wire.Chat, wire.Messages:
		return "messages"
	default:
		return "\x00" // none
	}
}

func isMessage(data []byte, v jsonscan.Value) bool {
	kind := jsonscan.Lookup(data, v, "type")
	return jsonscan.Lookup(data, v, "role").Exists() && (!kind.Exists() || kind.Is(data, "message"))
}

// mixes reports whether the order of members says nothing: decoders let the
// last of two members win that say the same thing, and leave a residue.
func mixes(data []byte, v jsonscan.Value) bool {
	for _, rivals := range [][]string{
		{"reasoning_effort", "reasoning", "thinking"},
		{"tools", "functions"},
		{"tool_choice", "function_call"},
		{"parallel_tool_calls", "functions"},
		{"output_config", "output_format"},
	} {
		n := 0
		for _, name := range rivals {
			if jsonscan.Lookup(data, v, name).Exists() {
				n++
			}
		}
		if n > 1 {
			return false
		}
	}
	return true
}

// FuzzOf has any body read, and in another spelling once more.
func FuzzOf(f *testing.F) {
	ops := []*wire.Operation{
		wire.Chat, wire.Completions, wire.Responses, wire.Messages, wire.GeminiGenerate, wire.Embeddings, wire.GeminiEmbed, wire.GeminiBatchEmbed,
	}
	for _, r := range recordings(f) {
		if len(r.body) < 2048 {
			f.Add(uint8(slices.Index(ops, r.op)), r.body, uint64(len(r.body)))
		}
	}
	f.Add(uint8(1), []byte(`{"prompt":["a",1],"suffix":""}`), uint64(1))
	f.Add(uint8(4), []byte(`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"b":1.0,"a":"x"}}}]}]}`), uint64(2))
	f.Fuzz(func(t *testing.T, which uint8, body []byte, seed uint64) {
		op := ops[int(which)%len(ops)]
		want, facts, err := Of(op, body, Options{})
		if err != nil {
			return
		}
		again := respell(rand.New(rand.NewPCG(seed, 0)), op, body)
		got, other, err := Of(op, again, Options{})
		if err != nil {
			t.Fatalf("%v in another spelling:\n%s\n%s", err, body, again)
		}
		if got != want || facts.LastUser != other.LastUser || facts.Choices != other.Choices || (facts.Stateful == "") != (other.Stateful == "") {
			t.Errorf("another digest in another spelling:\n%s\n%s", body, again)
		}
	})
}
