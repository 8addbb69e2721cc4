package gateway

import (
	"errors"
	"fmt"
)

// Condition is one thing that a request must or must not be.
type Condition struct {
	// What is looked at: `header`, `key`, `team`, `user`, `tag`, `input_tokens`,
	// `tools`, `images` or `stream`.
	Of string `json:"of"`

	// The name of a header field. Default: none; `header` needs one.
	Name string `json:"name,omitempty"`

	// What a header field, the key's name, a team, a user or a tag must be;
	// `*` in the pattern of a header or a key stands for any text. For
	// `input_tokens` a comparison such as `>32000`. Default: for `header`,
	// that the field is there.
	Pattern string `json:"pattern,omitempty"`

	// Whether the condition must not hold. Default: `false`.
	Not bool `json:"not,omitempty"`
}

// The words of conditions.
const (
	ofHeader = "header"
	ofKey    = "key"
	ofTeam   = "team"
	ofUser   = "user"
	ofTag    = "tag"
	ofInput  = "input_tokens"
	ofTools  = "tools"
	ofImages = "images"
	ofStream = "stream"
	wordNot  = "not"
)

var conditionWords = []string{ofHeader, ofKey, ofTeam, ofUser, ofTag, ofInput, ofTools, ofImages, ofStream}

// Word is a word of a line of conditions. A quoted one is never the beginning
// of a condition.
type Word struct {
	Text   string
	Quoted bool
}

// begins reports whether a condition begins with w.
func (w Word) begins() bool {
	if w.Quoted {
		return false
	}
	for _, known := range conditionWords {
		if w.Text == known {
			return true
		}
	}
	return w.Text == wordNot
}

// ParseConditions reads a line of conditions, such as
//
//	header X-Tier gold* not tools input_tokens >32000
func ParseConditions(words []Word) ([]Condition, error) {
	var list []Condition
	next := func() (string, bool) {
		if len(words) == 0 {
			return "", false
		}
		word := words[0].Text
		words = words[1:]
		return word, true
	}
	for len(words) > 0 {
		var c Condition
		word, _ := next()
		if word == wordNot {
			c.Not = true
			var ok bool
			if word, ok = next(); !ok {
				return nil, errors.New("a condition is missing after 'not'")
			}
		}
		c.Of = word
		ok := true
		switch word {
		case ofHeader:
			if c.Name, ok = next(); ok && len(words) > 0 && !words[0].begins() {
				c.Pattern, _ = next()
			}
		case ofKey, ofTeam, ofUser, ofTag, ofInput:
			c.Pattern, ok = next()
		}
		if !ok {
			return nil, fmt.Errorf("a value is missing after '%s'", word)
		}
		if _, err := c.compile(); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("no condition is given")
	}
	return list, nil
}
