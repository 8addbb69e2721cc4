package canon

import (
	"bytes"
	"math"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// completion writes a request for legacy completions member by member: no
// other dialect asks for the same, and most of what makes them special (echo,
// suffix, best_of, tokens) has no canonical place.
func (w *writer) completion(doc *wire.Doc) error {
	get := func(name string) jsonscan.Value { return doc.Get(doc.Root, name) }
	w.temperature(doc.Num(get("temperature")))
	w.facts.HasSeed = get("seed").Kind == jsonscan.Number
	w.facts.Choices = min(max(1, doc.Int(get("n")), doc.Int(get("best_of"))), math.MaxInt32) * prompts(doc, get("prompt"))
	return w.plain(doc, "prompt")
}

// prompts is how many prompts v is, at least 1: an array of numbers is one.
func prompts(doc *wire.Doc, v jsonscan.Value) (n int64) {
	for e := range doc.Elements(v) {
		if e.Kind == jsonscan.Number {
			return 1
		}
		n++
	}
	return max(1, n)
}

// plain writes the members of a request as they are, but for those that
// [writer.request] leaves out too. A list of one in member single is its
// element.
func (w *writer) plain(doc *wire.Doc, single string) error {
	list := membersOf(nil, doc.Data, doc.Root)
	for i, m := range list {
		if i > 0 && bytes.Equal(list[i-1].name, m.name) {
			return twice(string(m.name))
		}
		name := string(m.name)
		if m.value.Kind == jsonscan.Null || delivery(name) || unasked(doc, name, m.value) || name == "seed" && w.options.IgnoreSeed {
			continue
		}
		if name == single {
			m.value = only(doc, m.value)
		}
		how := asWritten
		if name == "logit_bias" {
			how = sorted
		}
		w.byte(tagMember)
		w.str(name)
		w.json = appendJSON(w.json[:0], doc.Data, m.value, how)
		w.scratch()
		w.seek(name, doc.Raw(m.value))
	}
	return nil
}

// delivery reports whether a member only says how, for whom or where an answer
// is made.
func delivery(name string) bool {
	switch name {
	case "model", "stream", "stream_options", "user", "safety_identifier", "metadata", "service_tier", "encoding_format",
		"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention":
		return true
	}
	return false
}

// unasked reports whether a member says what is meant without it.
func unasked(doc *wire.Doc, name string, v jsonscan.Value) bool {
	switch name {
	case "n", "best_of":
		n, ok := v.Int(doc.Data)
		return ok && n == 1
	case "echo", "store":
		b, ok := v.Bool(doc.Data)
		return ok && !b
	case "suffix":
		return v.Is(doc.Data, "")
	}
	return false
}

// only is the text, or the tokens, in a list of one.
func only(doc *wire.Doc, v jsonscan.Value) jsonscan.Value {
	var first jsonscan.Value
	n := 0
	for e := range doc.Elements(v) {
		if n++; n == 1 {
			first = e
		}
	}
	if n == 1 && (first.Kind == jsonscan.String || first.Kind == jsonscan.Array) {
		return first
	}
	return v
}
