package wire

import "strconv"

// Request is the canonical form of a request for text: what every dialect's
// request decodes to and encodes from. Values keep the client's spelling
// (numbers, schemas, arguments), because providers' prompt caches compare bytes.
//
// Two messages of the same role never follow each other, and the results of
// tool calls are blocks of the user message that answers them, before its other
// blocks: the strictest vendors demand both. Decoders call [Request.Normalize].
type Request struct {
	Model string

	// Stream and IncludeUsage are what the client asked for.
	Stream       bool
	IncludeUsage bool

	// System are the instructions before the first message, text only.
	System   []Block
	Messages []Message

	Tools         []Tool
	ToolChoice    ToolChoice
	ParallelTools Tri

	Format Format

	// MaxTokens caps the generated tokens; 0: the client named no cap.
	MaxTokens int64

	Temperature      Number
	TopP             Number
	TopK             Number
	FrequencyPenalty Number
	PresencePenalty  Number
	Seed             Number
	Stop             []string

	// Choices is the number of answers asked for; 0: not said.
	Choices int64

	// LogProbs asks for log probabilities, TopLogProbs for so many
	// alternatives; LogitBias is raw JSON.
	LogProbs    bool
	TopLogProbs Number
	LogitBias   string

	Reasoning Reasoning
	Verbosity string

	// Modalities are the kinds of output asked for, in lower case, when that
	// is more than text.
	Modalities []string

	// User is the client's own name for its user (user, safety_identifier,
	// metadata.user_id). Metadata is a raw JSON object of strings.
	User        string
	Metadata    string
	ServiceTier string

	// CacheKey and CacheOptions (raw JSON) are OpenAI's; CacheAuto asks to mark
	// the last block, as Anthropic's top-level cache_control does.
	CacheKey     string
	CacheOptions string
	CacheAuto    *CacheMark

	Store Tri

	// State names members that refer to something that the vendor keeps, such
	// as previous_response_id: another vendor cannot answer without it.
	State []Extra

	// Extra are members that have no place in this model. An encoder of the
	// same dialect writes them back, every other notes them as lost.
	Extra []Extra

	// Echo are members in the client's own bytes, on one line each, for the
	// dialect whose answers repeat the request (Responses).
	Echo []Extra

	// Dialect is the dialect that the request was decoded from, and Spelling
	// how it spells members whose canonical name (OpenAI's) it does not share.
	Dialect  Dialect
	Spelling map[string]string

	// Texts is where long texts of messages lie; see [Request.Forget].
	Texts *Texts
}

// Extra is a member without a place in the canonical model. Raw is its JSON.
type Extra struct {
	Name string
	Raw  string
}

// Number is a JSON number as spelled; empty when it was not given.
type Number string

// Float returns the number's value; ok is false when there is none.
func (n Number) Float() (f float64, ok bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil
}

// Tri is a boolean that may be left unsaid.
type Tri uint8

// The values of a Tri.
const (
	Unset Tri = iota
	Yes
	No
)

// TriOf is b, said.
func TriOf(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

// Role is who speaks in a message.
type Role uint8

// The roles. RoleSystem is an instruction in the middle of a conversation;
// those before it are in Request.System.
const (
	RoleUser Role = iota
	RoleAssistant
	RoleSystem
)

// Message is one turn.
type Message struct {
	Role   Role
	Blocks []Block
}

// BlockType says which fields of a Block mean something.
type BlockType uint8

// The types of blocks.
const (
	// TextBlock: Text, Citations.
	TextBlock BlockType = iota

	// RefusalBlock: Text, the model's words of refusal.
	RefusalBlock

	// ThinkingBlock: Text, Signature. RedactedBlock: Signature alone.
	ThinkingBlock
	RedactedBlock

	// ImageBlock, DocumentBlock, AudioBlock, VideoBlock: Media.
	ImageBlock
	DocumentBlock
	AudioBlock
	VideoBlock

	// CallBlock: Call. A tool that the client runs.
	CallBlock

	// ResultBlock: Result.
	ResultBlock

	// RawBlock: Raw, a block of Vendor's that no other vendor has, such as a
	// server tool's result.
	RawBlock
)

// String is the block's name in messages to clients.
func (t BlockType) String() string {
	return [...]string{"text", "refusal", "thinking", "redacted_thinking", "image", "document", "audio", "video", "tool_call", "tool_result", "vendor_block"}[t]
}

// Block is a piece of a message.
type Block struct {
	Type BlockType
	Text string

	Media  *Media
	Call   *Call
	Result *Result

	// Signature is the proof that a vendor gave with thinking, or with a call
	// or text that thinking led to; it must come back unchanged to Vendor and
	// means nothing to others. ID is the item's id where it goes with it.
	Signature string
	Vendor    Vendor
	ID        string

	Cache     *CacheMark
	Citations []Citation

	Raw string
}

// Vendor is who made a signature or understands a raw block.
type Vendor string

// The vendors whose signatures differ.
const (
	VendorAnthropic Vendor = "anthropic"
	VendorGemini    Vendor = "gemini"
	VendorOpenAI    Vendor = "openai"
	VendorBedrock   Vendor = "bedrock"
	VendorCohere    Vendor = "cohere"
)

// CacheMark asks the vendor to keep the prompt up to here. TTL is `5m`, `1h`,
// or empty for the vendor's own default.
type CacheMark struct{ TTL string }

// Media is an attachment: its data in base64, or where it is.
type Media struct {
	MIME   string // such as image/png; may be empty when URL or FileID is set
	Data   string // base64, standard alphabet
	URL    string
	FileID string
	Name   string
	Detail string // low, high, auto, original
	Text   string // a document given as plain text
	Cite   bool   // a document to be cited from
}

// Call is a call of a tool. Arguments is JSON text as the model wrote it,
// valid or not; empty means no arguments.
type Call struct {
	ID        string
	Name      string
	Arguments string

	// Custom says that Arguments is plain text for a custom tool.
	Custom bool
}

// Result is what a tool answered. Content holds text and media.
type Result struct {
	CallID  string
	Name    string // filled in by Normalize from the call
	Content []Block
	IsError bool
	Custom  bool
}

// Citation is a source of a text.
type Citation struct {
	URL   string
	Title string
	Text  string // the words cited

	// Start and End are characters of the text that it stands behind; both 0
	// when the vendor does not say.
	Start, End int64
}

// Tool is a tool that the model may call.
type Tool struct {
	Name        string
	Description string

	// Schema is the raw JSON schema of the arguments; empty: none.
	Schema string
	Strict Tri

	// Custom says that the tool takes text, in the raw Grammar if not empty.
	Custom  bool
	Grammar string

	Cache *CacheMark

	// Raw is the whole definition of a tool that Vendor runs itself; the other
	// fields, but for Name, are then empty.
	Raw    string
	Vendor Vendor
}

// ToolChoice says whether and what the model must call.
type ToolChoice struct {
	// Mode is "" (not said), "auto", "none", "required" or "named".
	Mode string
	Name string

	// Allowed narrows the tools for this turn; nil: all.
	Allowed []string
}

// Format is the form of the answer.
type Format struct {
	// Kind is "" or "text", "json_object", "json_schema".
	Kind        string
	Name        string
	Description string
	Schema      string
	Strict      Tri
}

// Reasoning is how much the model should think. All empty: not said.
type Reasoning struct {
	// Mode is "", "off", "on" or "adaptive".
	Mode string

	// Effort is "", "none", "minimal", "low", "medium", "high", "xhigh", "max".
	Effort string

	// Budget is a number of tokens; 0: not said, -1: the model decides.
	Budget int64

	// Show is "" (not said), "none", or how thoughts are to be shown: "auto",
	// "concise", "detailed".
	Show string

	// Encrypted asks for what a client without state has to send back.
	Encrypted bool
}

// IsZero reports whether nothing was said.
func (r Reasoning) IsZero() bool { return r == Reasoning{} }
