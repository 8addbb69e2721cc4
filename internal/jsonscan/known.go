package jsonscan

import "iter"

// MembersKnowing is Members for who knows where one of the values stands: its
// end is not looked for. An absent one is none of them.
func MembersKnowing(body []byte, v, known Value) iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if v.Kind != ObjectKind {
			return
		}
		for i := v.Start + 1; ; {
			key, ok := next(body, i, v.End)
			if !ok || key.Kind != String {
				return
			}
			val := known
			if key.End >= known.Start || !blank(body[key.End:known.Start]) {
				if val, ok = next(body, key.End, v.End); !ok {
					return
				}
			}
			if !yield(key, val) {
				return
			}
			i = val.End
		}
	}
}

// blank reports whether nothing but white space and the colon after a name are
// in b.
func blank(b []byte) bool {
	for _, c := range b {
		if c > ' ' && c != ':' {
			return false
		}
	}
	return true
}

// ElementsAfter is Elements without those in the first n bytes of v, which end
// with one of them.
func ElementsAfter(body []byte, v Value, n int) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind != Array {
			return
		}
		for i := v.Start + max(n, 1); ; {
			e, ok := next(body, i, v.End)
			if !ok || !yield(e) {
				return
			}
			i = e.End
		}
	}
}
