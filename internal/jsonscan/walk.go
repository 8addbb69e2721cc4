package jsonscan

import (
	"bytes"
	"iter"
	"strconv"
)

// Elements iterates over the elements of an array in a validated body, and over
// nothing when v is not an array.
func Elements(body []byte, v Value) iter.Seq[Value] { return ElementsAfter(body, v, 0) }

// Members iterates over the names (String values) and values of an object in a
// validated body, and over nothing when v is not an object.
func Members(body []byte, v Value) iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if v.Kind != ObjectKind {
			return
		}
		for i := v.Start + 1; ; {
			key, ok := next(body, i, v.End)
			if !ok || key.Kind != String {
				return
			}
			val, ok := next(body, key.End, v.End)
			if !ok || !yield(key, val) {
				return
			}
			i = val.End
		}
	}
}

// Lookup follows path down from v: a member name in an object (its first exact
// match, escaped or not), a decimal index in an array. The result is absent
// when a step leads nowhere.
func Lookup(body []byte, v Value, path ...string) Value {
	for _, step := range path {
		switch v.Kind {
		case ObjectKind:
			v = lookupMember(body, v, step)
		case Array:
			v = lookupElement(body, v, step)
		default:
			return Value{}
		}
	}
	return v
}

func lookupMember(body []byte, v Value, name string) Value {
	for key, val := range Members(body, v) {
		if spells(body[key.Start+1:key.End-1], name) {
			return val
		}
	}
	return Value{}
}

func lookupElement(body []byte, v Value, index string) Value {
	n, err := strconv.ParseUint(index, 10, 31)
	if err != nil {
		return Value{}
	}
	for e := range Elements(body, v) {
		if n == 0 {
			return e
		}
		n--
	}
	return Value{}
}

// next returns the first value at or after i, stepping over white space, commas
// and colons; ok is false at the closing bracket, which ends before end.
func next(body []byte, i, end int) (v Value, ok bool) {
	for i < end && (body[i] <= ' ' || body[i] == ',' || body[i] == ':') {
		i++
	}
	if i >= end {
		return Value{}, false
	}
	kind := kindOf[body[i]]
	if kind == Invalid {
		return Value{}, false
	}
	return Value{Kind: kind, Start: i, End: skipValue(body, i, kind)}, true
}

// skipValue returns the offset after the validated value at i.
func skipValue(body []byte, i int, kind Kind) int {
	switch kind {
	case String:
		return skipString(body, i)
	case Array, ObjectKind:
		return skipNested(body, i)
	}
	for i < len(body) && !ends[body[i]] {
		i++
	}
	return i
}

// skipString returns the offset after the validated string at i. Its escapes
// are valid, so only those before a quote matter, and the runtime finds quotes
// faster than anything here finds escapes.
func skipString(body []byte, i int) int {
	i++
	for n := 0; n < 4 && i+8 <= len(body); n++ { // as in endOfString
		m := special(word(body[i:]))
		if m&highs == 0 {
			i += 8
			continue
		}
		i += firstMark(m)
		if body[i] == '"' {
			return i + 1
		}
		break
	}
	for {
		n := bytes.IndexByte(body[i:], '"')
		if n < 0 {
			return len(body)
		}
		at := i + n
		slashes := 0
		for at-slashes > i && body[at-slashes-1] == '\\' {
			slashes++
		}
		if i = at + 1; slashes%2 == 0 {
			return i
		}
	}
}

// skipNested counts brackets instead of recursing: in a validated body the
// brackets outside strings match.
func skipNested(body []byte, i int) int {
	depth := 0
	for i < len(body) {
		switch body[i] {
		case '"':
			i = skipString(body, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(body)
}

// ends marks the bytes that can follow a number or a literal.
var ends = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, ',': true, ']': true, '}': true, ':': true}
