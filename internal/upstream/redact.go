package upstream

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"unicode/utf8"

	"github.com/weirproxy/weir/internal/secret"
)

// Redact replaces the accounts' credentials in text that leaves the gateway:
// some servers quote the key that they refuse, AWS a session's token, and some
// of them escaped or encoded.
func (c *Client) Redact(text []byte) []byte {
	for i := range c.accounts {
		text = hide(text, c.accounts[i].key)
	}
	for _, s := range c.hidden {
		text = hide(text, s)
	}
	if c.vendor.Secrets != nil {
		for _, s := range c.vendor.Secrets() {
			text = hide(text, s)
		}
	}
	return text
}

// mask stands where a credential stood.
var mask = []byte("***")

// shortSecret is what might stand in any text when it is encoded.
const shortSecret = 8

// hide replaces a secret, however it is spelled. What has none is returned as it is.
func hide(text []byte, s secret.Secret) []byte {
	if s.IsZero() || len(text) < len(s.Reveal()) {
		return text
	}
	key := []byte(s.Reveal())
	if bytes.Contains(text, key) {
		text = bytes.ReplaceAll(text, key, mask)
	}
	for _, escape := range [...]byte{'\\', '%'} {
		if bytes.IndexByte(text, escape) >= 0 {
			text = hideEscaped(text, key, escape)
		}
	}
	if len(key) >= shortSecret && len(text) >= len(key)*4/3-3 {
		text = hideEncoded(text, key)
	}
	return text
}

// hideEscaped replaces key where it stands with JSON's escapes, or with those of
// URLs, in it.
func hideEscaped(text, key []byte, escape byte) []byte {
	plain, at := make([]byte, 0, len(text)), make([]int, 0, len(text)+1)
	for i := 0; i < len(text); {
		before := len(plain)
		plain, i = unescape(plain, text, i, escape)
		for range len(plain) - before {
			at = append(at, i)
		}
	}
	// at[n] is where text goes on behind byte n of plain.
	begin := func(n int) int {
		if n == 0 {
			return 0
		}
		return at[n-1]
	}
	for end := len(plain); ; {
		n := bytes.LastIndex(plain[:end], key)
		if n < 0 {
			return text
		}
		text = slices.Concat(text[:begin(n)], mask, text[at[n+len(key)-1]:])
		end = n
	}
}

// unescape appends what stands at text[i:] to plain, and returns where it ends.
func unescape(plain, text []byte, i int, escape byte) ([]byte, int) {
	rest := text[i:]
	var code [2]byte
	switch {
	case rest[0] != escape || len(rest) < 2:
	case escape == '%':
		if len(rest) >= 3 {
			if _, err := hex.Decode(code[:1], rest[1:3]); err == nil {
				return append(plain, code[0]), i + 3
			}
		}
	case rest[1] == 'u':
		if len(rest) >= 6 {
			if _, err := hex.Decode(code[:], rest[2:6]); err == nil {
				return utf8.AppendRune(plain, rune(code[0])<<8|rune(code[1])), i + 6
			}
		}
	default: // a slash, a quote, a backslash
		return append(plain, rest[1]), i + 2
	}
	return append(plain, rest[0]), i + 1
}

// hideEncoded replaces key where it was encoded in base64, alone or with what
// stood before and behind it, such as `Bearer `: its bits may begin at any of
// three places.
func hideEncoded(text, key []byte) []byte {
	// Each answer's request id is looked through: most keys fit into these.
	var plain, code [256]byte
	for _, encoding := range [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			encoded := encoding.AppendEncode(code[:0], append(plain[:shift], key...))
			// Only what is made of the key's bits alone.
			encoded = encoded[(shift*8+5)/6 : (shift+len(key))*8/6]
			if bytes.Contains(text, encoded) {
				text = bytes.ReplaceAll(text, encoded, mask)
			}
		}
	}
	return text
}
