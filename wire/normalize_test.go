package wire_test

import (
	"testing"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

func TestWriteText(t *testing.T) {
	for name, blocks := range map[string][]wire.Block{
		"none":           nil,
		"one":            {{Text: "a\"b"}},
		"two":            {{Text: "a"}, {Text: "b\\"}},
		"empty first":    {{}, {Text: "a"}, {Text: "b"}},
		"empty between":  {{Text: "a"}, {}, {Text: "b"}},
		"empty last":     {{Text: "a"}, {}},
		"all empty":      {{}, {}},
		"refusals":       {{Type: wire.RefusalBlock, Text: "no"}, {Text: "a"}},
		"other kinds":    {{Type: wire.ThinkingBlock, Text: "x"}, {Text: "a"}, {Type: wire.ImageBlock}, {Text: "b"}},
		"only others":    {{Type: wire.ThinkingBlock, Text: "x"}},
		"no UTF-8":       {{Text: "a\xff"}, {Text: "\xffb"}},
		"lone surrogate": {{Text: "a\xed\xa0"}, {Text: "\x80"}},
	} {
		w := jsonw.Writer{B: []byte(`{"a":`)}
		wire.WriteText(&w, blocks)
		want := string(jsonscan.AppendString([]byte(`{"a":`), wire.JoinText(blocks)))
		if string(w.B) != want {
			t.Errorf("%s: %s, want %s", name, w.B, want)
		}
	}
}
