package simulator

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// encoders are the two that the vocabulary was chosen for.
var encoders = sync.OnceValues(func() (map[string]*tiktoken.Tiktoken, error) {
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	m := map[string]*tiktoken.Tiktoken{}
	for _, name := range []string{"o200k_base", "cl100k_base"} {
		e, err := tiktoken.GetEncoding(name)
		if err != nil {
			return nil, err
		}
		m[name] = e
	}
	return m, nil
})

func TestWordsAreOneToken(t *testing.T) {
	enc, err := encoders()
	if err != nil {
		t.Fatal(err)
	}
	list := append(append([]string{"."}, starters...), spaced[0]...)
	for _, w := range append(list, spaced[1]...) {
		for name, e := range enc {
			if n := len(e.EncodeOrdinary(w)); n != 1 {
				t.Errorf("%q is %d tokens in %s", w, n, name)
			}
		}
	}
}

func TestPiecesAreTokens(t *testing.T) {
	enc, err := encoders()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(12) {
		for _, n := range []int{0, 1, 2, 3, 9, 10, 11, 12, 18, 19, 35, 36, 37, 64, 300} {
			for _, cut := range []bool{false, true} {
				text := join(loremText{seed: seed, n: n, cut: cut})
				for name, e := range enc {
					if got := len(e.EncodeOrdinary(text)); got != n {
						t.Fatalf("seed %d, cut %v: %d tokens in %s, want %d: %q", seed, cut, got, name, n, text)
					}
				}
			}
		}
	}
}

func TestTextDependsOnSeedAndPrompt(t *testing.T) {
	ask := func(seed uint64, prompt string) string {
		return read(t, post(t, simulate(Config{Seed: seed}), "/v1/completions", `{"model":"m","prompt":"`+prompt+`"}`))
	}
	base := ask(1, "river")
	if ask(1, "river") != base {
		t.Error("the same seed and prompt gave another answer")
	}
	for name, other := range map[string]string{"seed": ask(2, "river"), "prompt": ask(1, "sea")} {
		if strings.Split(other, `"text"`)[1] == strings.Split(base, `"text"`)[1] {
			t.Errorf("another %s gave the same text", name)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		text string
		want listText
	}{
		{"", nil},
		{"one two", listText{"one", " two"}},
		{"  a\n\tb ", listText{"  a", "\n\tb", " "}},
		{"incomprehensibilities", listText{"incompre", "hensibil", "ities"}},
		{"日本語の文章です", listText{"日本", "語の", "文章", "です"}},
		{"a\xffb", listText{"a\xffb"}},
	} {
		got := split(tt.text)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("split(%q) (-want +got):\n%s", tt.text, diff)
		}
		if s := join(got); s != tt.text {
			t.Errorf("pieces of %q make %q", tt.text, s)
		}
	}
}

func TestFit(t *testing.T) {
	count := func(s string) int { return len(strings.Fields(s)) }
	for limit, want := range map[int]string{0: "", 1: "one", 2: "one two", 3: "one two three", 9: "one two three"} {
		list, tokens, over := fit(split("one two three"), limit, count)
		if got := join(list); got != want || tokens != count(want) || over != (limit < 3) {
			t.Errorf("fit to %d: %q, %d tokens, over %v", limit, got, tokens, over)
		}
	}
}

func TestStopAt(t *testing.T) {
	text := split("one two three four")
	for _, tt := range []struct {
		stops      []string
		want, stop string
		hit        bool
	}{
		{nil, "one two three four", "", false},
		{[]string{"five", ""}, "one two three four", "", false},
		{[]string{"four", "hre"}, "one two t", "hre", true},
		{[]string{"one"}, "", "one", true},
	} {
		t.Run(fmt.Sprint(tt.stops), func(t *testing.T) {
			p, stop, hit := stopAt(text, tt.stops)
			if join(p) != tt.want || stop != tt.stop || hit != tt.hit {
				t.Errorf("%q, %q, %v", join(p), stop, hit)
			}
		})
	}
}
