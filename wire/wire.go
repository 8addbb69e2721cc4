// Package wire holds what Weir knows of the vendors' protocols: which path
// means which operation, what a request says about itself before it is sent,
// what an answer or a stream event reports, and how each dialect words an
// error. It is the only code that reads vendors' JSON.
//
// A call whose client and upstream speak the same dialect is never decoded
// and encoded again: an [Envelope] records where the few members are that
// Weir needs, [Envelope.Rewrite] edits exactly those bytes, and an [Observer]
// watches the answer pass.
package wire

// Dialect is a family of APIs that share error shapes, credentials and
// headers. The Responses API is part of the OpenAI dialect.
type Dialect string

// The dialects that clients may speak.
const (
	OpenAI    Dialect = "openai"
	Anthropic Dialect = "anthropic"
	Gemini    Dialect = "gemini"
)

// The dialects that only upstreams speak.
const (
	Bedrock Dialect = "bedrock"
	Cohere  Dialect = "cohere"
)

// Operation is one call of a dialect. Operations are compared by pointer.
type Operation struct {
	// Name is the operation's name in records, metrics and spans.
	Name string

	// Dialect decides the shape of errors and the headers that may pass.
	Dialect Dialect

	// Path is the part of the URL below the version prefix, such as
	// "/chat/completions". It is what a provider appends to its base URL.
	Path string

	// DefaultModel is routed when the vendor lets the member out.
	DefaultModel string

	// Required names the members without which the vendor refuses.
	Required []string

	// Form is true when the body may be multipart/form-data.
	Form bool

	// Free is true when the vendor charges nothing for the call.
	Free bool

	// Whole is true when vendors answer as a whole, whatever `stream` says.
	Whole bool
}

// The operations of this release's front doors.
var (
	Chat            = &Operation{Name: "chat", Dialect: OpenAI, Path: "/chat/completions", Required: []string{"model", "messages"}}
	Completions     = &Operation{Name: "completions", Dialect: OpenAI, Path: "/completions", Required: []string{"model", "prompt"}}
	Responses       = &Operation{Name: "responses", Dialect: OpenAI, Path: "/responses", DefaultModel: "gpt-prompt-template"}
	ResponsesTokens = &Operation{Name: "responses_input_tokens", Dialect: OpenAI, Path: "/responses/input_tokens", Required: []string{"model"}, Free: true, Whole: true}
	ResponsesFold   = &Operation{Name: "responses_compact", Dialect: OpenAI, Path: "/responses/compact", Required: []string{"model"}}
	Embeddings      = &Operation{Name: "embeddings", Dialect: OpenAI, Path: "/embeddings", Required: []string{"model", "input"}, Whole: true}
	Moderations     = &Operation{Name: "moderations", Dialect: OpenAI, Path: "/moderations", Required: []string{"input"}, DefaultModel: "omni-moderation-latest", Free: true, Whole: true}
	Rerank          = &Operation{Name: "rerank", Dialect: OpenAI, Path: "/rerank", Required: []string{"model", "query", "documents"}, Whole: true}
	ImageGeneration = &Operation{Name: "images", Dialect: OpenAI, Path: "/images/generations", Required: []string{"prompt"}, DefaultModel: "dall-e-2"}
	ImageEdit       = &Operation{Name: "images", Dialect: OpenAI, Path: "/images/edits", DefaultModel: "dall-e-2", Form: true}
	ImageVariation  = &Operation{Name: "images", Dialect: OpenAI, Path: "/images/variations", DefaultModel: "dall-e-2", Form: true}
	Speech          = &Operation{Name: "speech", Dialect: OpenAI, Path: "/audio/speech", Required: []string{"model", "input"}}
	Transcription   = &Operation{Name: "transcription", Dialect: OpenAI, Path: "/audio/transcriptions", Required: []string{"model"}, Form: true}
	Translation     = &Operation{Name: "translation", Dialect: OpenAI, Path: "/audio/translations", Required: []string{"model"}, Form: true}
	Messages        = &Operation{Name: "messages", Dialect: Anthropic, Path: "/messages", Required: []string{"model", "messages"}}
	CountTokens     = &Operation{Name: "count_tokens", Dialect: Anthropic, Path: "/messages/count_tokens", Required: []string{"model", "messages"}, Free: true, Whole: true}

	// The Gemini operations name the model in their path, before Path; a
	// stream of GeminiGenerate is asked for with GeminiStreamPath.
	GeminiGenerate   = &Operation{Name: "generate_content", Dialect: Gemini, Path: ":generateContent", Required: []string{"contents"}}
	GeminiEmbed      = &Operation{Name: "embed_content", Dialect: Gemini, Path: ":embedContent", Required: []string{"content"}}
	GeminiBatchEmbed = &Operation{Name: "batch_embed_contents", Dialect: Gemini, Path: ":batchEmbedContents", Required: []string{"requests"}}

	// Upstreams alone have these.
	Converse     = &Operation{Name: "converse", Dialect: Bedrock, Path: "/converse"}
	InvokeEmbed  = &Operation{Name: "invoke_embed", Dialect: Bedrock, Path: "/invoke"}
	CohereChat   = &Operation{Name: "cohere_chat", Dialect: Cohere, Path: "/v2/chat"}
	CohereEmbed  = &Operation{Name: "cohere_embed", Dialect: Cohere, Path: "/v2/embed"}
	CohereRerank = &Operation{Name: "cohere_rerank", Dialect: Cohere, Path: "/v2/rerank"}

	// GeminiCount and Tokenize are answered by Weir itself.
	GeminiCount = &Operation{Name: "count_tokens", Dialect: Gemini, Path: ":countTokens", Free: true}
	Tokenize    = &Operation{Name: "tokenize", Dialect: OpenAI, Path: "/tokenize", Required: []string{"model"}, Free: true, Whole: true}

	// ListModels serves GET /models of either dialect; its Dialect field is
	// the OpenAI one and [Route.Dialect] says which was asked for.
	ListModels = &Operation{Name: "models", Dialect: OpenAI, Path: "/models", Free: true}
)

// GeminiStreamPath stands for GeminiGenerate.Path when a stream is asked for.
const GeminiStreamPath = ":streamGenerateContent"

// posts are the operations that have a body, the longest path first so that
// "/messages/count_tokens" is not taken for something else.
var posts = []*Operation{
	ResponsesTokens, ResponsesFold, CountTokens, Transcription, Translation,
	ImageGeneration, ImageVariation, ImageEdit, Speech, Chat, Completions,
	Responses, Embeddings, Moderations, Rerank, Messages, Tokenize,
}
