package responses

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// Codec is the two-way door of the Responses API.
type Codec struct{}

// ownName is the spelling that marks a request that was decoded from
// Responses: wire.OpenAI is the dialect of Chat Completions too, and members
// without a canonical place may be written back in this form only.
const ownName = "input"

func native(req *wire.Request) bool {
	return req.Dialect == wire.OpenAI && req.Spelling["messages"] == ownName
}

// AllowsTool reports whether OpenAI takes a tool of that name.
func (Codec) AllowsTool(name string) bool { return wire.PlainToolName(name, 64) }

// include entries that have a canonical place.
const (
	includeEncrypted = "reasoning.encrypted_content"
	includeLogProbs  = "message.output_text.logprobs"
)

func invalid(param, message string) *wire.Failure {
	return &wire.Failure{Kind: wire.KindInvalid, Param: param, Message: message}
}

// oneLine is raw JSON without line ends, which are white space wherever they
// stand: a line end would break the data line of an event.
func oneLine(raw string) string {
	if !strings.ContainsAny(raw, "\r\n") {
		return raw
	}
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, raw)
}

// Interface guards.
var (
	_ wire.Codec         = Codec{}
	_ wire.StreamDecoder = (*streamDecoder)(nil)
	_ wire.StreamEncoder = (*streamEncoder)(nil)
)
