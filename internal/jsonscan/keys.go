package jsonscan

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"
)

const (
	maxKeys    = 64 // one bit each
	maxKeyName = 64 // bytes
)

// Keys is an immutable set of policy keys: the members whose values decide what
// is allowed, priced or rewritten. A key is known by its position in NewKeys.
type Keys struct {
	names  []string
	folded []string
	// byLen[n] has bit i set when names[i] is n bytes long: most members of a
	// body are told apart from every policy key by their length alone.
	byLen [maxKeyName + 1]uint64
}

// NewKeys returns the set of names, at most 64 of at most 64 ASCII bytes. It
// panics on names that cannot be told apart, because sets are built from
// constants when a program starts.
func NewKeys(names ...string) *Keys {
	if len(names) > maxKeys {
		panic(fmt.Sprintf("jsonscan: %d keys, at most %d", len(names), maxKeys))
	}
	k := &Keys{names: append([]string(nil), names...)}
	for i, name := range names {
		if name == "" || len(name) > maxKeyName {
			panic(fmt.Sprintf("jsonscan: key %q is empty or too long", name))
		}
		for j := range len(name) {
			if c := name[j]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
				panic(fmt.Sprintf("jsonscan: key %q is not plain ASCII", name))
			}
		}
		folded := strings.ToLower(name)
		for _, other := range k.folded {
			if other == folded {
				panic(fmt.Sprintf("jsonscan: key %q is given twice", name))
			}
		}
		k.folded = append(k.folded, folded)
		k.byLen[len(name)] |= 1 << i
	}
	return k
}

// Len returns the number of keys.
func (k *Keys) Len() int { return len(k.names) }

// Name returns key i.
func (k *Keys) Name(i int) string { return k.names[i] }

// find returns the key that raw, the bytes between a member's quotes, names to
// the most lenient parser known (encoding/json), or -1. exact tells whether a
// strict parser agrees.
func (k *Keys) find(raw []byte) (index int, exact bool) {
	if len(raw) <= maxKeyName {
		for set := k.byLen[len(raw)]; set != 0; set &= set - 1 {
			if i := bits.TrailingZeros64(set); k.names[i] == string(raw) {
				return i, true
			}
		}
	}
	return k.findFolded(raw)
}

// findFolded decodes escapes and folds case as encoding/json does: besides
// ASCII, U+017F folds to s and U+212A to k. Any other rune that is not ASCII
// rules every key out.
func (k *Keys) findFolded(raw []byte) (index int, exact bool) {
	var plain, folded [maxKeyName]byte
	n, same := 0, true
	for i := 0; i < len(raw); n++ {
		r, size := decodeRune(raw[i:])
		i += size
		if n == maxKeyName {
			return -1, false
		}
		switch {
		case 'A' <= r && r <= 'Z':
			plain[n], folded[n] = byte(r), byte(r)+'a'-'A'
		case r < utf8.RuneSelf:
			plain[n], folded[n] = byte(r), byte(r)
		case r == '\u017f':
			folded[n], same = 's', false
		case r == '\u212a':
			folded[n], same = 'k', false
		default:
			return -1, false
		}
	}
	for set := k.byLen[n]; set != 0; set &= set - 1 {
		i := bits.TrailingZeros64(set)
		if k.folded[i] == string(folded[:n]) {
			return i, same && k.names[i] == string(plain[:n])
		}
	}
	return -1, false
}
