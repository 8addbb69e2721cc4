package cohere

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// Codec is the two-way door of v2/chat.
type Codec struct{}

const where = "Cohere"

// thinks says whether a model has thinking of its own, and takes it back as
// thinking. The others write a tool plan before their calls.
func thinks(model string) bool {
	bare := strings.ToLower(wire.BareModel(model))
	return strings.Contains(bare, "reasoning") || strings.HasPrefix(bare, "command-a-plus")
}

// AllowsTool reports whether the vendor takes a tool of that name: it has no
// limit but does not know `-`, and a digit must not begin it.
func (Codec) AllowsTool(name string) bool {
	return wire.PlainToolName(name, len(name)) && !strings.Contains(name, "-") && (name == "" || name[0] < '0' || name[0] > '9')
}

// Interface guards.
var (
	_ wire.Codec         = Codec{}
	_ wire.EmbedCodec    = EmbedCodec{}
	_ wire.StreamDecoder = (*streamDecoder)(nil)
	_ wire.StreamEncoder = (*streamEncoder)(nil)
)
