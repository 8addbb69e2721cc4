package semantic

import (
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	for _, test := range []struct {
		name, a, b   string
		facts, words bool
	}{
		{"equal", "What is recursion?", "What is recursion?", true, true},
		{"politeness", "Hello, could you please explain recursion? Thanks!", "explain recursion", true, true},
		{"contraction", "What's recursion", "what is recursion", true, true},
		{"apostrophes", "Why isn’t my printer working?", "Why isn't my printer working?", true, true},
		{"case of a name", "the weather in Paris", "the weather in paris", true, true},
		{"plural", "Write stories about dragons", "Write story about dragon", true, true},
		{"number word", "Give me 3 tips", "Give me three tips", true, true},
		{"grouped digits", "tax on 40,000 euros", "tax on 40000 euros", true, true},
		{"hyphen", "two-factor authentication", "two factor authentication", true, true},
		{"list marks", "- milk\n- bread", "milk bread", true, true},
		{"dash", "C - D", "C D", false, false},
		{"no words at all", "", "", true, true},
		{"nothing against something", "", "recursion", false, false},
		{"one more word", "Explain quantum computing", "Explain quantum computing vividly", true, true},
		{"replaced word", "How do I cook brown rice?", "How do I cook jasmine rice?", true, false},
		{"negation", "Which numbers are prime?", "Which numbers are not prime?", false, false},
		{"contracted negation", "Which plants need sun?", "Which plants don't need sun?", false, false},
		{"contracted negation, without its mark", "which plants dont need sun", "which plants need sun", false, false},
		{"a negation with and without its mark", "which plants dont need sun", "which plants don't need sun", true, true},
		{"negations are one", "a story with no dialogue", "a story without dialogue", true, true},
		{"double negation", "it is not unclear", "it is not not unclear", false, false},
		{"number", "What is 15% of 80?", "What is 15% of 90?", false, false},
		{"digits that swap", "order 48213", "order 48231", false, false},
		{"sign of a number", "-5 plus 3", "5 plus 3", false, false},
		{"sign on a line of its own", "double this:\n-5", "double this:\n5", false, false},
		{"sign after a tab", "double\t-5", "double\t5", false, false},
		{"operator between numbers", "what is 12/4", "what is 12-4", false, false},
		{"times", "what is 12*4", "what is 12/4", false, false},
		{"minus and a gap", "what is 12-4", "what is 12 4", false, false},
		{"words that are joined", "input/output of 12 files", "input output of 12 files", true, true},
		{"factorial", "what is 5!", "what is 5", false, false},
		{"code that negates", "when is !ready true", "when is ready true", false, false},
		{"exclamation", "explain recursion!", "explain recursion", true, true},
		{"exclamation without a gap", "Wait!explain recursion", "Wait explain recursion", true, true},
		{"decimal without its zero", "round .5", "round 5", false, false},
		{"decimal with and without its zero", "round .5", "round 0.5", true, true},
		{"decimal", "round 3.14", "round 31.4", false, false},
		{"what is counted", "in 1 sentence", "in 1 paragraph", false, false},
		{"attached unit", "5kg of flour", "5g of flour", false, false},
		{"unit", "a file of 5 MB", "a file of 5 GB", false, false},
		{"name", "the capital of Peru", "the capital of Chile", false, false},
		{"name at the start", "Peru: which capital?", "the capital of Peru", false, false},
		{"identifier", "why does getUserById fail", "why does getUserByName fail", false, false},
		{"dotted", "how to use os.path.join", "how to use os.path.split", false, false},
		{"snake", "set max_connections", "set max_workers", false, false},
		{"sharp", "functions in C", "functions in C#", false, false},
		{"plus", "functions in C", "functions in C++", false, false},
		{"operator", "where id = 5", "where id != 5", false, false},
		{"code", "what does `i++` do", "what does `++i` do", false, false},
		{"quotation", `translate "the cat"`, `translate "the dog"`, false, false},
		{"case within quotation", `translate "the Cat"`, `translate "the cat"`, false, false},
		{"single quotation", "spell 'necessary'", "spell 'accessory'", false, false},
		{"apostrophe within a quotation", "spell 'don't'", "spell 'don'", false, false},
		{"open quotation", `translate "cat`, `translate cat`, true, true},
		{"swap", "Convert euros to dollars", "Convert dollars to euros", false, false},
		{"swap of plain words", "can a landlord sue a tenant", "can a tenant sue a landlord", false, false},
		{"opposite", "enable the firewall", "disable the firewall", false, false},
		{"date", "flights on 2024-05-01", "flights on 2024-01-05", false, false},
		{"language of the text", "What is a contract?", "Was ist ein Vertrag?", false, false},
		{"cyrillic", "столица Франции", "столица Германии", false, false},
		{"chinese negation", "我可以吃药吗", "我不可以吃药吗", false, false},
		{"chinese", "法国的首都", "法国的首都", true, true},
		{"emoji", "I feel 😀", "I feel 😡", false, false},
		{"greek sign", "value of π", "value of τ", false, false},
		{"too long", strings.Repeat("word ", maxTokens+1), strings.Repeat("word ", maxTokens+1), false, false},
		{"just short enough", strings.Repeat("word ", maxTokens), strings.Repeat("word ", maxTokens), true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := Read(test.a), Read(test.b)
			for _, swapped := range []bool{false, true} {
				if swapped {
					a, b = b, a
				}
				if got := GuardFacts.Allows(a, b); got != test.facts {
					t.Errorf("facts (swapped %v): %v", swapped, got)
				}
				if got := GuardWords.Allows(a, b); got != test.words {
					t.Errorf("words (swapped %v): %v", swapped, got)
				}
			}
			if !GuardOff.Allows(a, b) {
				t.Error("off forbids")
			}
		})
	}
}

func TestForeignFeatures(t *testing.T) {
	place := []byte{0, 0xff, 0xff, 0, 0, 0, 0, 0, 0}
	unsorted := append(append([]byte{0}, 0, 0, 0, 9, 0, 0, 0, 0), 0, 1, 0, 8, 0, 0, 0, 0, 0)
	for name, raw := range map[string][]byte{"empty": {}, "kind": {2}, "long": make([]byte, 1+8*(maxTokens+1)), "cut": make([]byte, 8), "place": place, "unsorted": unsorted} {
		if f, err := UnmarshalFeatures(raw); err == nil {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func FuzzGuard(f *testing.F) {
	for _, p := range readPairs(f, "pairs")[:20] {
		f.Add(p.a, p.b)
	}
	f.Add("'a'b' ‘x’ “y„z” `", "3.,4 -5 a.b.c _x C# 1_000,000 …?!")
	f.Add("\xff'\x80", "日本語 no 1")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := Read(a), Read(b)
		if len(x.marks) > maxTokens {
			t.Fatalf("%d marks", len(x.marks))
		}
		for _, g := range []Guard{GuardFacts, GuardWords} {
			if !x.long && !g.Allows(x, x) {
				t.Errorf("%q may not answer for itself", a)
			}
			if g.Allows(x, y) != g.Allows(y, x) {
				t.Errorf("%q and %q: it depends on who comes first", a, b)
			}
		}
		if GuardWords.Allows(x, y) && !GuardFacts.Allows(x, y) {
			t.Errorf("%q and %q: words allows what facts forbids", a, b)
		}
		got, err := UnmarshalFeatures(x.AppendBinary(nil))
		if err != nil || !GuardWords.Allows(got, x) && !x.long {
			t.Errorf("%q: %v after encoding, %v", a, got, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Read("How do I reset the password of my account? It doesn't work on Windows 11.")
	}
}
