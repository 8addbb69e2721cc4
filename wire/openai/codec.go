package openai

import "github.com/weirproxy/weir/wire"

// Codec is the two-way door of Chat Completions, for clients and for every
// upstream that is compatible with OpenAI. The zero value suits OpenAI itself;
// the fields are what other servers want otherwise.
type Codec struct {
	// CapParam is the member that caps the output: max_completion_tokens
	// unless it is set. Most compatible servers know max_tokens only.
	CapParam string

	// NoStreamOptions leaves out stream_options.include_usage, for servers
	// that refuse it.
	NoStreamOptions bool

	// Reasoning sends the text of earlier thinking as reasoning_content.
	// DeepSeek refuses a history of calls without it.
	Reasoning bool

	// Details sends earlier thinking with its signatures as
	// reasoning_details, as OpenRouter takes it.
	Details bool

	// SeedParam is the member for the seed: seed unless it is set.
	SeedParam string

	// ShortCallIDs makes the ids of calls such as Mistral takes.
	ShortCallIDs bool

	// Prefill says that the last message is an answer to go on with, and how
	// the server is told.
	Prefill wire.Prefill
}

// ownName is the spelling that marks a request that was decoded from Chat
// Completions: wire.OpenAI is the dialect of Responses too, and only what came
// in this form may be written back in it unseen.
const ownName = "messages"

func native(req *wire.Request) bool {
	return req.Dialect == wire.OpenAI && req.Spelling[ownName] == ownName
}

// AllowsTool reports whether OpenAI takes a tool of that name.
func (Codec) AllowsTool(name string) bool { return wire.PlainToolName(name, 64) }

// Interface guards.
var (
	_ wire.Codec         = Codec{}
	_ wire.Codec         = CompletionsCodec{}
	_ wire.EmbedCodec    = EmbedCodec{}
	_ wire.StreamDecoder = (*streamDecoder)(nil)
	_ wire.StreamEncoder = (*streamEncoder)(nil)
	_ wire.StreamEncoder = (*completionsEncoder)(nil)
)
