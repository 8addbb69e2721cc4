package keys

import (
	"fmt"
	"strings"
)

// Allows reports whether the key may use model, the name that the client sent,
// at target, the "provider/model" that would be called; empty when it is not
// yet known. A pattern is a name, or the beginning of names and a `*`
// (`gpt-*`, `openai/*`, `*`). Case counts.
//
// A pattern that fits the client's name allows whatever the configuration
// makes of that name; one that fits the target allows the target however it is
// reached. So a key for `openai/*` may use an alias as long as it leads to
// openai, and is refused when that alias falls back to another provider:
// callers ask again for every target.
func (k *Key) Allows(model, target string) bool {
	if len(k.Models) == 0 {
		return true
	}
	for _, p := range k.Models {
		if fits(p, model) || fits(p, target) {
			return true
		}
	}
	return false
}

func fits(pattern, name string) bool {
	if name == "" {
		return false
	}
	if n := len(pattern) - 1; n >= 0 && pattern[n] == '*' {
		return strings.HasPrefix(name, pattern[:n])
	}
	return pattern == name
}

// CheckPattern refuses patterns that fit nothing or not what they seem to.
func CheckPattern(pattern string) error {
	if err := checkTexts("model pattern", pattern); err != nil {
		return err
	}
	if strings.ContainsAny(pattern, " ?[]{}!") || strings.Contains(pattern[:len(pattern)-1], "*") {
		return fmt.Errorf("model pattern '%s': a pattern is a name, or the beginning of names and a `*`", pattern)
	}
	return nil
}
