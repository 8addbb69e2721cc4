package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// mixed holds every kind of piece; its prefixes meet every open end.
const mixed = "Hello, world's  best\n\n  TESTcase'LL don'ſ x'r 12345 ½² é\u0301中文AB中CDe ...!!/\r\n/ \t\n e\u00a0\u3000\n x" +
	"👩‍👩‍👧‍👦🇩🇪 naïve ǅabc ʰA   \n\n\n    return x\n'S 're'v \x7f<|endoftext|> กขค한국어 end  "

func TestStreamEveryPrefix(t *testing.T) {
	for _, name := range Names() {
		e := encoding(t, name)
		s := e.NewStream()
		for i := range len(mixed) {
			s.Add([]byte(mixed[i : i+1]))
			if got, want := s.Count(), e.CountString(mixed[:i+1]); got != want {
				t.Fatalf("%s: %d tokens after %d bytes, want %d (%q)", name, got, i+1, want, mixed[:i+1])
			}
		}
	}
}

func TestStreamInvalid(t *testing.T) {
	e := encoding(t, "o200k_base")
	for _, text := range []string{
		"\xff\xfe", "a\xe4\xb8", "\xe4\xb8\xe4\xb8\xad", "\xf0\x9f\x98", "\xf0\x9f\x98x", "\xed\xa0\x80y", "\xc3", "\xc3\xc3\xa9", "\xf5\x80\x80\x80", "\xe0\x80\x80",
	} {
		for size := 1; size <= len(text); size++ {
			s := e.NewStream()
			for i := 0; i < len(text); i += size {
				s.Add([]byte(text[i:min(i+size, len(text))]))
				if got, want := s.Count(), e.CountString(text[:min(i+size, len(text))]); got != want {
					t.Errorf("%q in parts of %d: %d tokens, want %d", text[:min(i+size, len(text))], size, got, want)
				}
			}
		}
	}
}

// TestStreamEndlessWord holds that a word without an end is counted, and not kept.
func TestStreamEndlessWord(t *testing.T) {
	e := encoding(t, "o200k_base")
	for _, letters := range []string{"x", "中", "aB"} {
		s := e.NewStream()
		delta := strings.Repeat(letters, 16<<10)
		kept, total := 0, 0
		for range 80 {
			s.Add([]byte(delta))
			kept, total = max(kept, cap(s.pending)), total+len(delta)
		}
		want := e.CountString(strings.Repeat(letters, total/len(letters)))
		if got := s.Count(); got < want-2*total/maxPending || got > want+2*total/maxPending {
			t.Errorf("%q: %d tokens of %d bytes, want %d", letters, got, total, want)
		}
		if kept > 2*maxPending {
			t.Errorf("%q: %d bytes kept of %d", letters, kept, total)
		}
	}
}

// TestStreamBounded checks that the text kept between deltas does not grow
// with the text, and that one endless word is not scanned anew by every Add.
func TestStreamBounded(t *testing.T) {
	e := encoding(t, "o200k_base")
	s := e.NewStream()
	for range 2000 {
		s.Add([]byte("some words and 12 numbers,\n"))
		if len(s.pending) > eagerPending {
			t.Fatalf("%d bytes pending", len(s.pending))
		}
	}
	s.Reset()
	scans, last := 0, 0
	for range 200_000 {
		s.Add([]byte("a"))
		if s.splitAt != last {
			scans, last = scans+1, s.splitAt
		}
	}
	if scans > 100 {
		t.Errorf("an endless word was scanned %d times", scans)
	}
	if got, want := s.Count(), e.CountString(strings.Repeat("a", 200_000)); got != want {
		t.Errorf("%d tokens, want %d", got, want)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(mixed), uint64(1))
	f.Add([]byte("\xe4\xb8'\xc5\xbf  \n"), uint64(2))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for _, name := range goldenNames {
			e := encoding(t, name)
			s := e.NewStream()
			for at := 0; at < len(text); {
				n := min(1+rng.IntN(12), len(text)-at)
				s.Add(text[at : at+n])
				at += n
				if rng.IntN(4) == 0 {
					if got, want := s.Count(), e.Count(text[:at]); got != want {
						t.Fatalf("%s: %q: %d tokens, want %d", name, text[:at], got, want)
					}
				}
			}
			if got, want := s.Count(), e.Count(text); got != want {
				t.Fatalf("%s: %q: %d tokens, want %d", name, text, got, want)
			}
		}
	})
}

// FuzzCount checks the fast path against the plain scanner, the segmentation
// against its definition by merging, and that the tokens spell the text.
func FuzzCount(f *testing.F) {
	f.Add(mixed)
	f.Add(strings.Repeat("abcdefgh", 8) + "XYZ  12")
	f.Fuzz(func(t *testing.T, text string) {
		valid := strings.ToValidUTF8(text, "?")
		for _, name := range goldenNames {
			e := encoding(t, name)
			ids := e.Encode(nil, valid)
			if got := e.CountString(valid); got != len(ids) {
				t.Fatalf("%s: %q: counted %d, encoded %d", name, valid, got, len(ids))
			}
			back, err := e.Decode(nil, ids)
			if err != nil || string(back) != valid {
				t.Fatalf("%s: %q decodes to %q, %v", name, valid, back, err)
			}
			if least, most := Bound(len(valid)); len(ids) < least || len(ids) > most {
				t.Fatalf("%s: %d tokens are outside the bounds %d and %d", name, len(ids), least, most)
			}
		}
	})
}
