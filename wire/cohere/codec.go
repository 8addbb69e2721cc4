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

// Interface guards.
var (
	_ wire.Codec         = Codec{}
	_ wire.EmbedCodec    = EmbedCodec{}
	_ wire.StreamDecoder = (*streamDecoder)(nil)
	_ wire.StreamEncoder = (*streamEncoder)(nil)
)
