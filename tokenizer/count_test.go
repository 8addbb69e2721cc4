package tokenizer

import (
	"strings"
	"sync"
	"testing"
)

func TestEncodeKnown(t *testing.T) {
	tests := []struct {
		encoding, text string
		ids            []int
	}{
		{"o200k_base", "Hello, world!", []int{13225, 11, 2375, 0}},
		{"o200k_harmony", "<|end|>", []int{27, 91, 419, 91, 29}},
		{"cl100k_base", "Hello, world!", []int{9906, 11, 1917, 0}},
		{"p50k_base", "  hi", []int{220, 23105}},
		{"p50k_edit", "    x", []int{50258, 2124}},
		{"r50k_base", "    x", []int{220, 220, 220, 2124}},
	}
	for _, test := range tests {
		t.Run(test.encoding, func(t *testing.T) {
			e := encoding(t, test.encoding)
			got := e.Encode(nil, test.text)
			if len(got) != len(test.ids) {
				t.Fatalf("%v, want %v", got, test.ids)
			}
			for i := range got {
				if got[i] != test.ids[i] {
					t.Fatalf("%v, want %v", got, test.ids)
				}
			}
		})
	}
}

func TestInvalidUTF8(t *testing.T) {
	e := encoding(t, "o200k_base")
	tests := []struct{ name, text, same string }{
		{"lone byte", "a\xffb", "a\uFFFDb"},
		{"cut character", "x\xe4\xb8", "x\uFFFD"},
		{"surrogate", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
		{"overlong", "\xc0\xaf", "\uFFFD\uFFFD"},
		{"too high", "\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
		{"cut then good", "\xf0\x9f\x98é", "\uFFFDé"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(appendValid(nil, test.text)); got != test.same {
				t.Errorf("%q becomes %q, want %q", test.text, got, test.same)
			}
			if got, want := e.CountString(test.text), e.CountString(test.same); got != want {
				t.Errorf("%d tokens, want %d", got, want)
			}
		})
	}
}

func TestDecodeUnknown(t *testing.T) {
	e := encoding(t, "r50k_base")
	for _, id := range []int{-1, 50257, 1 << 40} {
		if _, err := e.Decode(nil, []int{id}); err == nil {
			t.Errorf("id %d decodes", id)
		}
	}
	if got, err := e.Decode(nil, []int{50256}); err != nil || string(got) != "<|endoftext|>" {
		t.Errorf("the special token decodes to %q, %v", got, err)
	}
}

func TestCountAllocates(t *testing.T) {
	if sampled > 1 {
		return // the race detector allocates; scripts/go-test runs this without it
	}
	documents := []string{"hi", mixed, strings.Repeat(mixed, 40), strings.Repeat("ab", 50_000), strings.Repeat("\xff", 3000)}
	for _, name := range Names() {
		e := encoding(t, name)
		for _, d := range documents {
			e.CountString(d) // lets the scratch grow
			if n := testing.AllocsPerRun(20, func() { e.CountString(d) }); n != 0 {
				t.Errorf("%s: %v allocations for %d bytes", name, n, len(d))
			}
		}
		s := e.NewStream()
		delta := []byte(" some more wörds, and")
		s.Add(delta)
		if n := testing.AllocsPerRun(200, func() { s.Add(delta); s.Count() }); n != 0 {
			t.Errorf("%s: %v allocations for each delta", name, n)
		}
	}
}

func TestConcurrent(t *testing.T) {
	e := encoding(t, "o200k_base")
	want := e.CountString(mixed)
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			for range 200 {
				if got := e.CountString(mixed); got != want {
					t.Errorf("%d tokens, want %d", got, want)
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestPreload(t *testing.T) {
	e := &Encoding{name: "again", build: builtin[5].build}
	if e.Ready() {
		t.Fatal("ready before anything was loaded")
	}
	e.Preload()
	if err := e.Load(); err != nil || !e.Ready() {
		t.Fatalf("loading: %v, ready %v", err, e.Ready())
	}
}

// TestLinear counts the trie walks and pair tests of the linear algorithm on
// hostile texts: they must not grow faster than the text.
func TestLinear(t *testing.T) {
	work := func(text string) int {
		m := encoding(t, "o200k_base").model.Load()
		w := m.bpe.workers.acquire()
		defer m.bpe.workers.release(w)
		w.steps = 0
		text = w.valid8(text)
		for i := 0; i < len(text); {
			end, _ := m.split(text, i)
			m.bpe.segment(w, text[i:end])
			i = end
		}
		return w.steps
	}
	large := hostile(1 << 18 / sampled)
	for name, small := range hostile(1 << 15 / sampled) {
		few, many := work(small), work(large[name])
		if perByte := float64(many) / float64(len(large[name])); perByte > 4 || float64(many) > 10*float64(few)+1000 {
			t.Errorf("%s: %d steps for %d bytes, %d for %d", name, few, len(small), many, len(large[name]))
		}
	}
}

func TestVocabulariesMergeDigits(t *testing.T) {
	// The fast path takes up to three ASCII digits, and a space, for one token.
	for _, name := range []string{"o200k_base", "cl100k_base"} {
		e := encoding(t, name)
		for n := range 1000 {
			for _, text := range []string{itoa(n, 1), itoa(n, 2), itoa(n, 3)} {
				if got := len(e.Encode(nil, text)); got != 1 {
					t.Fatalf("%s: %q is %d tokens", name, text, got)
				}
			}
		}
		if got := len(e.Encode(nil, " ")); got != 1 {
			t.Fatalf("%s: a space is %d tokens", name, got)
		}
	}
}

func itoa(n, width int) string {
	b := make([]byte, 3)
	for i := range b {
		b[2-i] = byte('0' + n%10)
		n /= 10
	}
	return string(b[3-width:])
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte(packedP50k[:200]))
	f.Add([]byte{1, 8, 1, 1})
	f.Fuzz(func(t *testing.T, packed []byte) {
		if v, err := unpackVocab(string(packed), 0); err == nil && len(v.entries) > 0 && v.size == 0 {
			t.Error("a vocabulary without ids")
		}
	})
}
