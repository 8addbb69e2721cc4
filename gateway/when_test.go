package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line splits words; those in single quotes count as quoted.
func line(s string) (words []Word) {
	for _, w := range strings.Fields(s) {
		text := strings.Trim(w, "'")
		words = append(words, Word{text, text != w})
	}
	return words
}

func TestParseConditions(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []Condition
		err  string
	}{
		{"tools", []Condition{{Of: "tools"}}, ""},
		{"not tools images", []Condition{{Of: "tools", Not: true}, {Of: "images"}}, ""},
		{"header X-Tier gold* stream", []Condition{{Of: "header", Name: "X-Tier", Pattern: "gold*"}, {Of: "stream"}}, ""},
		{"header X-Debug not stream", []Condition{{Of: "header", Name: "X-Debug"}, {Of: "stream", Not: true}}, ""},
		{"header X-Debug tools", []Condition{{Of: "header", Name: "X-Debug"}, {Of: "tools"}}, ""},
		{"header X-Debug 'tools'", []Condition{{Of: "header", Name: "X-Debug", Pattern: "tools"}}, ""},
		{"key ci-* team platform user u tag batch", []Condition{{Of: "key", Pattern: "ci-*"}, {Of: "team", Pattern: "platform"}, {Of: "user", Pattern: "u"}, {Of: "tag", Pattern: "batch"}}, ""},
		{"team tools", []Condition{{Of: "team", Pattern: "tools"}}, ""},
		{"input_tokens >32000", []Condition{{Of: "input_tokens", Pattern: ">32000"}}, ""},
		{"", nil, "no condition is given"},
		{"not", nil, "a condition is missing after 'not'"},
		{"not not tools", nil, "unknown condition 'not'"},
		{"tols", nil, "unknown condition 'tols'; did you mean 'tools'?"},
		{"'tools' x", nil, "unknown condition 'x'"},
		{"header", nil, "a value is missing after 'header'"},
		{"tools key", nil, "a value is missing after 'key'"},
		{"input_tokens", nil, "a value is missing after 'input_tokens'"},
		{"input_tokens 32000", nil, "input_tokens: '32000' is no comparison; write for example >32000"},
		{"input_tokens >", nil, "'>' is no comparison"},
		{"input_tokens =>5", nil, "'=>5' is no comparison"},
		{"input_tokens >>5", nil, "'>>5' is no comparison"},
		{"input_tokens >-5", nil, "'>-5' is no comparison"},
		{"input_tokens >32k", nil, "'>32k' is no comparison"},
		{"input_tokens >99999999999999999999", nil, "is no comparison"},
	} {
		got, err := ParseConditions(line(tt.line))
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want %s", tt.line, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.line, err, diff)
		}
	}
	for _, c := range []Condition{{}, {Of: "header"}, {Of: "key"}, {Of: "tools", Pattern: "x"}, {Of: "team", Name: "x", Pattern: "y"}} {
		if _, err := c.compile(); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// prompt counts tokens.
type prompt func(limit int64) int64

func (prompt) Contents() (tools, images bool) { return false, false }

func (p prompt) InputTokens(limit int64) int64 { return p(limit) }

func TestConditionsHold(t *testing.T) {
	f := &Facts{
		Header: http.Header{"X-Tier": {"silver", "gold-plus"}, "X-Empty": {""}},
		Key:    "ci-main", Team: "platform", User: "ann", Tags: []string{"batch", "nightly"},
		Tools: true, Stream: true,
		Prompt: prompt(func(int64) int64 { return 1000 }),
	}
	for line_, want := range map[string]bool{
		"header X-Tier": true, "header x-tier gold*": true, "header X-Tier gold": false, "header X-Tier *-plus": true, "header X-Tier *old*": true,
		"header X-Empty": true, "header X-None": false, "not header X-None": true, "not header X-Tier silver": false, "header X-None *": false,
		"key ci-*": true, "key ci": false, "key *": true, "not key ci-*": false,
		"team platform": true, "team plat*": false, "user ann": true, "user bob": false, "tag nightly": true, "tag night": false, "not tag x": true,
		"tools": true, "not tools": false, "images": false, "not images": true, "stream": true,
		"input_tokens >999": true, "input_tokens >1000": false, "input_tokens >=1000": true, "input_tokens >=1001": false,
		"input_tokens <1001": true, "input_tokens <1000": false, "input_tokens <=1000": true, "input_tokens <=999": false,
		"not input_tokens >999": false, "not input_tokens <1000": true,
		"tools stream tag batch": true, "tools images": false, "images tools": false,
	} {
		list, err := ParseConditions(line(line_))
		if err != nil {
			t.Fatal(err)
		}
		tests, err := compileAll(list)
		if err != nil {
			t.Fatal(err)
		}
		if got := hold(tests, f); got != want {
			t.Errorf("%s: %t", line_, got)
		}
	}
}

// TestTokensAreCountedLast holds that nobody pays for a count that cannot
// matter, and what is asked for it.
func TestTokensAreCountedLast(t *testing.T) {
	list, err := ParseConditions(line("input_tokens >=32000 images"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := compileAll(list)
	if err != nil {
		t.Fatal(err)
	}
	var asked []int64
	f := &Facts{Prompt: prompt(func(limit int64) int64 { asked = append(asked, limit); return 50_000 })}
	if hold(tests, f) || len(asked) != 0 {
		t.Errorf("counted without need: %v", asked)
	}
	f.Images = true
	if !hold(tests, f) || len(asked) != 1 || asked[0] != 31_999 {
		t.Errorf("asked for %v", asked)
	}
	f.Prompt = prompt(func(int64) int64 { return 0 })
	if n := testing.AllocsPerRun(100, func() { hold(tests, f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "a", true},
		{"a", "a", true},
		{"a", "A", false},
		{"a", "ab", false},
		{"a*", "a", true},
		{"a*c", "abc", true},
		{"a*c", "abcd", false},
		{"a*c", "acbc", true},
		{"*a*b*", "xxaxxbxx", true},
		{"*a*b*", "xxbxxaxx", false},
		{"a*", "", false},
		{"*é", "café", true},
	} {
		if got := glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("%q, %q: %t", tt.pattern, tt.s, got)
		}
	}
}
