package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// PlainToolName reports whether name has letters, digits, `_` and `-` alone,
// and not more than most: what most vendors allow.
func PlainToolName(name string, most int) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(name) <= most
}

// standInLength is what the strictest vendors allow, and hashLength how much of
// it is there to tell names apart that look the same otherwise.
const (
	standInLength = 64
	hashLength    = 8
)

// standIn is a name in the place of one that a vendor refuses: as much of it as
// every vendor takes, and a hash of the whole.
func standIn(name string, again int) string {
	b := make([]byte, 0, standInLength)
	for _, r := range name {
		if len(b) >= standInLength-hashLength-1 {
			break
		}
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9' && len(b) > 0:
			b = append(b, byte(r))
		case '0' <= r && r <= '9': // with which names must not begin
			b = append(b, '_', byte(r))
		default:
			b = append(b, '_')
		}
	}
	sum := sha256.Sum256([]byte(name + strings.Repeat("\x00", again)))
	b = append(b, '_')
	return string(hex.AppendEncode(b, sum[:hashLength/2]))
}
