package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/typo"
)

// Facts are what conditions look at. Its fields are of the request as the
// client sent it, before anything is decided.
type Facts struct {
	Header          http.Header
	Key, Team, User string
	Tags            []string

	// Tools, Images and Stream say that the request offers tools, holds
	// pictures, asks for a stream.
	Tools, Images, Stream bool

	// Prompt finds out what not every request has a use for.
	Prompt Prompt

	looked bool // Prompt has been asked for its contents
}

// Prompt is what takes time to find out of a request.
type Prompt interface {
	// Contents says what Facts.Tools and Images are. It is called only where
	// there are conditions, and once at most.
	Contents() (tools, images bool)

	// InputTokens counts the prompt as exactly as limit demands: what it
	// returns is above limit exactly if the prompt is. It is called only when a
	// condition asks for it and all others of its line hold.
	InputTokens(limit int64) int64
}

// test is a condition ready to be used.
type test struct {
	Condition
	over int64 // of input_tokens: holds when the prompt has more
}

// compile checks the condition.
func (c Condition) compile() (test, error) {
	t := test{Condition: c}
	switch c.Of {
	case ofHeader:
		if c.Name == "" {
			return t, errors.New("header: the name of a field is missing")
		}
		t.Name = http.CanonicalHeaderKey(c.Name)
		return t, nil
	case ofKey, ofTeam, ofUser, ofTag:
		if c.Pattern == "" {
			return t, fmt.Errorf("a value is missing after '%s'", c.Of)
		}
	case ofInput:
		return t, t.compare()
	case ofTools, ofImages, ofStream:
		if c.Pattern != "" {
			return t, fmt.Errorf("'%s' takes no value", c.Of)
		}
	default:
		return t, fmt.Errorf("unknown condition '%s'%s", c.Of, typo.Suggest(c.Of, append([]string{wordNot}, conditionWords...)...))
	}
	if c.Name != "" {
		return t, fmt.Errorf("'%s' takes no name", c.Of)
	}
	return t, nil
}

// compare reads a comparison. All four come down to "more than n" or its
// contrary, since tokens are whole.
func (t *test) compare() error {
	number := strings.TrimLeft(t.Pattern, "<>=")
	n, err := strconv.ParseInt(number, 10, 64)
	if err == nil && n >= 0 && n < 1<<53 {
		switch op := strings.TrimSuffix(t.Pattern, number); op {
		case ">":
			t.over = n
			return nil
		case ">=":
			t.over = n - 1
			return nil
		case "<=":
			t.over, t.Not = n, !t.Not
			return nil
		case "<":
			t.over, t.Not = n-1, !t.Not
			return nil
		}
	}
	return fmt.Errorf("input_tokens: '%s' is no comparison; write for example >32000", t.Pattern)
}

// compileAll checks a line of conditions and puts the one that may have to
// count tokens last.
func compileAll(list []Condition) ([]test, error) {
	tests := make([]test, 0, len(list))
	for _, c := range list {
		t, err := c.compile()
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	sort.SliceStable(tests, func(i, j int) bool { return tests[i].Of != ofInput && tests[j].Of == ofInput })
	return tests, nil
}

// hold reports whether all tests hold.
func hold(tests []test, f *Facts) bool {
	for i := range tests {
		if tests[i].holds(f) == tests[i].Not {
			return false
		}
	}
	return true
}

func (t *test) holds(f *Facts) bool {
	switch t.Of {
	case ofHeader:
		values := f.Header[t.Name]
		for _, value := range values {
			if t.Pattern == "" || glob(t.Pattern, value) {
				return true
			}
		}
		return false
	case ofKey:
		return glob(t.Pattern, f.Key)
	case ofTeam:
		return f.Team == t.Pattern
	case ofUser:
		return f.User == t.Pattern
	case ofTag:
		for _, tag := range f.Tags {
			if tag == t.Pattern {
				return true
			}
		}
		return false
	case ofInput:
		return f.Prompt.InputTokens(t.over) > t.over
	case ofTools:
		return f.Tools
	case ofImages:
		return f.Images
	default:
		return f.Stream
	}
}

// glob reports whether s is what pattern describes, in which each `*` stands
// for any text. It goes back to the last `*` only, so the time is bounded by
// the product of the lengths.
func glob(pattern, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && pattern[i] == s[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
