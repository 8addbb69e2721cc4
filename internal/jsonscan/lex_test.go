package jsonscan

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestEveryOffset puts each kind of special byte, and what a borrow could take
// for one, at every place of a string that spans several blocks.
func TestEveryOffset(t *testing.T) {
	const length = 100
	pieces := []string{
		"\x00", "\x1f", "\n", " ", "!", "\x7f", "\x80", "\xff", "é", `\n`, `\"`, `\\`, `\u00e9`, `\ud83d\ude00`,
		`\x`, `\u12`, `\u12G4`, `"`, "\\\"#", "\\\\]", `\"\"\"\"`, "\\n\x1f", `\\"`,
	}
	for _, piece := range pieces {
		for at := range length {
			body := []byte(`"` + strings.Repeat("x", at) + piece + strings.Repeat("y", length-at) + `"`)
			want := json.Valid(body)
			if v, err := Parse(body); (err == nil) != want || (want && v.End != len(body)) {
				t.Fatalf("%q at %d: %v, %v; valid %v", piece, at, v, err, want)
			}
		}
	}
}
