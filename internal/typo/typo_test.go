package typo

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "abc", 3},
		{"openai", "openai", 0},
		{"opnai", "openai", 1},
		{"opneai", "openai", 2},
		{"kitten", "sitting", 3},
		{"Ä", "A", 2},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if Distance(c.a, c.b) != Distance(c.b, c.a) {
			t.Errorf("the distance of %q and %q depends on the direction", c.a, c.b)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"claude", "chat", "chart", "embed"}
	if diff := cmp.Diff([]string{"chat", "chart"}, Nearest("cha", 2, known...)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"claude", "chat", "chart", "embed"}, known); diff != "" {
		t.Errorf("the argument was changed: %s", diff)
	}
	if got := Nearest("x", 3); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}

func TestSuggest(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{"opnai", "; did you mean 'openai'?"},
		{"OpenAI", "; did you mean 'openai'?"},
		{"somethingelse", ""},
	} {
		if got := Suggest(c.word, "openai", "anthropic"); got != c.want {
			t.Errorf("Suggest(%q) = %q, want %q", c.word, got, c.want)
		}
	}
	for _, word := range []string{"{", "10", "ttl"} { // half of what is suggested would be another
		if got := Suggest(word, "key", "usd", "team"); got != "" {
			t.Errorf("Suggest(%q) = %q", word, got)
		}
	}
	if got := Suggest("kye", "key", "usd"); got != "; did you mean 'key'?" {
		t.Errorf("kye: %q", got)
	}
	if got := Suggest("x"); got != "" {
		t.Errorf("%q of nothing", got)
	}
}
