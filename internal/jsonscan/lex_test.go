package jsonscan

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestEveryOffset puts each kind of special byte, and what a borrow could take
// for one, at every place of a string that spans several blocks.
func TestEveryOffset(t *testing.T) {
	const length = 200
	pieces := []string{
		"\x00", "\x1f", "\n", " ", "!", "\x7f", "\x80", "\xff", "é", `\n`, `\"`, `\\`, `\u00e9`, `\ud83d\ude00`,
		`\x`, `\u12`, `\u12G4`, `"`, "\\\"#", "\\\\]", `\"\"\"\"`, "\\n\x1f", `\\"`,
		`\\]`, `\\\\\"#`, `\ud83dx`, `\u0000\u001f\u007f`, "\xe4\\n", strings.Repeat(`\n`, 20), strings.Repeat(`\u00e9`, 7), strings.Repeat(`\u001f`, 40),
	}
	for _, piece := range pieces {
		for at := range length {
			body := []byte(`"` + strings.Repeat("x", at) + piece + strings.Repeat("y", length-at) + `"`)
			want := json.Valid(body)
			v, err := Parse(body)
			if (err == nil) != want || (want && v.End != len(body)) {
				t.Fatalf("%q at %d: %v, %v; valid %v", piece, at, v, err, want)
			}
			if !want {
				continue
			}
			var text string
			if err := json.Unmarshal(body, &text); err != nil {
				t.Fatal(err)
			}
			if got, _ := v.Text(body, []byte("kept")); string([]rune(string(got))) != text {
				t.Fatalf("%q at %d: text %q, want %q", piece, at, got, text)
			}
			if end := skipString(body, 0); end != len(body) {
				t.Fatalf("%q at %d: skipped to %d", piece, at, end)
			}
			var again string
			if err := json.Unmarshal(AppendString([]byte{}, text), &again); err != nil || again != text {
				t.Fatalf("%q at %d: quoted as %s", piece, at, AppendString(nil, text))
			}
		}
	}
}

// TestOrdinary holds that each byte is judged by itself, whatever is beside it.
func TestOrdinary(t *testing.T) {
	for c := range 256 {
		want := c >= ' ' && c != '"' && c != '\\'
		for _, beside := range []byte{0, 1, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', 'x', 0x7f, 0x80, 0xa2, 0xdc, 0xff} {
			for at := range 8 {
				w := uint64(beside)*ones&^(0xff<<(8*at)) | uint64(c)<<(8*at)
				if got := ordinary(w)>>(8*at+7)&1 == 1; got != want {
					t.Fatalf("%#02x at %d beside %#02x: ordinary %t", c, at, beside, got)
				}
			}
		}
	}
}

func TestTransposed(t *testing.T) {
	for bit := range 64 {
		if got, want := transposed(1<<bit), uint64(1)<<(bit%8*8+bit/8); got != want {
			t.Errorf("bit %d: %#x, want %#x", bit, got, want)
		}
	}
}
