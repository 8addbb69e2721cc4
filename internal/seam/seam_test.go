package seam

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// join feeds second in pieces of size bytes.
func join(first, second string, size int) (string, error) {
	s := New(first)
	var out []byte
	var err error
	for rest := []byte(second); len(rest) > 0; {
		n := min(size, len(rest))
		if out, err = s.Add(out, rest[:n]); err != nil {
			return "", err
		}
		rest = rest[n:]
	}
	return first + string(s.End(out)), nil
}

func TestJoin(t *testing.T) {
	long := strings.Repeat("All work and no play makes Jack a dull boy. ", 400)
	for _, tt := range []struct{ name, first, second, want string }{
		{"nothing twice", "The cat", " sat down.", "The cat sat down."},
		{"inside a word", "The bal", "loon rose.", "The balloon rose."},
		{"a letter twice in a word", "Go", "ogle it", "Google it"},
		{"the last word", "I saw the cat", "cat sat", "I saw the cat sat"},
		{"the last word with a space", "I saw the cat", " cat sat", "I saw the cat sat"},
		{"the last words", "We went down to the river", "to the river and on", "We went down to the river and on"},
		{"the word begun anew", "It was a wonderf", "wonderful day", "It was a wonderful day"},
		{"from the start of the sentence", "One. Two goes on and", "Two goes on and on.", "One. Two goes on and on."},
		{"from the start of all", "One. Two goes on and", "One. Two goes on and on.", "One. Two goes on and on."},
		{"from the start, after a line", "One. Two goes on and", "\n\nOne. Two goes on and on.", "One. Two goes on and on."},
		{"from within a word", "abracadabra-hocuspocus", "cadabra-hocuspocus fidibus", "abracadabra-hocuspocus fidibus"},
		{"one space", "The cat ", " sat", "The cat sat"},
		{"one space again", "The cat ", "sat", "The cat sat"},
		{"a word and its space", "The cat ", "cat sat", "The cat sat"},
		{"a line and a space", "A line.\n", " Next", "A line.\nNext"},
		{"lines", "A line.\n\n", "\n\nNext", "A line.\n\nNext"},
		{"a longer break", "A line.\n", "\n\nNext", "A line.\n\nNext"},
		{"another break", "A line. ", "\n\nNext", "A line. \n\nNext"},
		{"a list goes on", "- item\n", "- item2\n", "- item\n- item2\n"},
		{"a list is repeated", "- item\n", "- item\n- next\n", "- item\n- next\n"},
		{"digits go on", "It costs 10", "00 dollars", "It costs 1000 dollars"},
		{"digits are repeated", "pi is 3.14159", "3.14159265", "pi is 3.14159265"},
		{"brackets", "f() { g() {\n\t}\n", "}\n", "f() { g() {\n\t}\n}\n"},
		{"punctuation", "Wait.", "..", "Wait..."},
		{"a rule of a table", "|---|---", "|---|\n", "|---|---|---|\n"},
		{"Chinese", "我们今天去公园", "今天去公园玩。", "我们今天去公园玩。"},
		{"Chinese, said twice", "多谢", "谢你", "多谢谢你"},
		{"accents", "Où est la bibliothèque", "la bibliothèque nationale", "Où est la bibliothèque nationale"},
		{"all again and no more", "I am done.", "I am done.", "I am done."},
		{"a part again, then other words", "One goes on. Two", "One goes", "One goes on. TwoOne goes"},
		{"longer than the window", long + "End of", "makes Jack a dull boy. End of it.", long + "End of it."},
		{"all of what is longer than the window", long + "End of", long + "End of it.", long + "End of it."},
		{"all of it, and its space", long, long + "End of it.", long + "End of it."},
		{"periodic", strings.Repeat("ha ", 50), "ha ha ha!", strings.Repeat("ha ", 50) + "ha!"},
		{"nothing", "Some text", "", "Some text"},
		{"space alone", "Some text", "  ", "Some text  "},
		{"before nothing", "", "Some text", "Some text"},
		{"before space", "\n", "Some text", "\nSome text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 1 << 20} {
				if got, err := join(tt.first, tt.second, size); got != tt.want || err != nil {
					t.Errorf("in pieces of %d: %q, %v", size, got[max(0, len(got)-100):], err)
				}
			}
		})
	}
}

// TestAnew holds that another version of the whole is no continuation.
func TestAnew(t *testing.T) {
	first := "The history of the lighthouse begins in Alexandria, where"
	if got, err := join(first, "The history of the lighthouse begins long ago", 5); !errors.Is(err, ErrAnew) {
		t.Errorf("%q, %v", got, err)
	}
	long := first + strings.Repeat(" there was an island with a tower on it", 200)
	if got, err := join(long, first+" another island lies", 5); !errors.Is(err, ErrAnew) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := join(first, "The history of the lighthouse begins", 5); got != first || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := join(first, " the history of the lighthouse begins.", 5); err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestHolds lets text through as soon as it cannot be a repetition.
func TestHolds(t *testing.T) {
	s := New("We went to the river")
	for _, step := range []struct{ add, want string }{
		{" ", ""}, {"to", ""}, {" the", ""}, {" road", " to the road"}, {" to", " to"}, {" the river", " the river"},
	} {
		got, err := s.Add(nil, []byte(step.add))
		if string(got) != step.want || err != nil {
			t.Errorf("after %q: %q, %v", step.add, got, err)
		}
	}
	s = New("We went to the river")
	got, _ := s.Add(nil, []byte("to the river!"))
	if string(got) != "!" || string(s.Removed()) != "to the river" {
		t.Errorf("%q, without %q", got, s.Removed())
	}
}

// FuzzJoin holds that nothing is lost but what the first half ends with, that
// the size of pieces does not matter, and that a whole repetition of the end is
// not shown.
func FuzzJoin(f *testing.F) {
	f.Add("We went to the river", "to the river and on", uint8(3))
	f.Add("a \xe2\x82", "\xac b", uint8(1))
	f.Add("The cat ", " sat", uint8(2))
	f.Fuzz(func(t *testing.T, first, second string, size uint8) {
		s := New(first)
		var out []byte
		var err error
		for rest := []byte(second); err == nil && len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			out, err = s.Add(out, rest[:n])
			rest = rest[n:]
		}
		if err == nil {
			out = s.End(out)
		}
		whole, failed := join(first, second, len(second)+1)
		if (err == nil) != (failed == nil) {
			t.Fatalf("in pieces: %v, at once: %v", err, failed)
		}
		if err != nil {
			return
		}
		if got := first + string(out); got != whole {
			t.Fatalf("in pieces %q, at once %q", got, whole)
		}
		if string(s.Removed())+string(out) != second {
			t.Fatalf("%q and %q are not %q", s.Removed(), out, second)
		}
		if gone := strings.TrimFunc(string(s.Removed()), unicode.IsSpace); !strings.Contains(first, gone) {
			t.Fatalf("%q was not in the first half", gone)
		}
	})
}

func FuzzRepeated(f *testing.F) {
	f.Add("We went to the river", " and on", uint16(8))
	f.Fuzz(func(t *testing.T, first, second string, from uint16) {
		first = strings.TrimRightFunc(first, unicode.IsSpace)
		if len(first) > Window || int(from)+sure > len(first) || !strings.ContainsFunc(first[from:], unicode.IsLetter) {
			return
		}
		again := first[from:]
		if strings.TrimLeftFunc(again, unicode.IsSpace) != again || again[0]&0xc0 == 0x80 {
			return
		}
		got, err := join(first, again+second, 4)
		if err != nil {
			return
		}
		if len(got) > len(first)+len(second) {
			t.Fatalf("%q and %q made %q", first, again+second, got)
		}
	})
}

func BenchmarkWorst(b *testing.B) {
	first := strings.Repeat("a ", Window/2)
	for b.Loop() {
		_, _ = join(first, first+"b", 4)
	}
}
