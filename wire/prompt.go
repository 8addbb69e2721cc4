package wire

// PromptSink receives the parts of a prompt that a vendor turns into tokens,
// in the order of the request. The dialects' WalkPrompt functions feed it;
// tokenizer.Prompt implements it. Only builtin types appear, so that neither
// package imports the other. Every slice is valid during the call only.
type PromptSink interface {
	// BeginMessages opens the list of a conversation's messages of a kind; raw is
	// its JSON. When known is not 0 the sink remembers what the first known bytes
	// of it cost, which end with a message: the walker goes on after them.
	BeginMessages(kind byte, raw []byte) (known int)
	// Passed says that the message that was shown last ends with so many bytes
	// of the list.
	Passed(bytes int)
	// EndMessages closes the list opened by BeginMessages.
	EndMessages()
	// BeginMessage opens one message of a kind (see ChatMessage); raw is its
	// JSON. When known is true the sink remembers what the message costs: the
	// walker skips the content and calls EndMessage at once.
	BeginMessage(kind byte, raw []byte) (known bool)
	// Role, Name and Text give the decoded strings of the open message.
	Role(role []byte)
	Name(name []byte)
	Text(text []byte)
	// ToolCall is a call that the model made earlier in the conversation;
	// arguments is JSON text.
	ToolCall(name, arguments []byte)
	// Image is an image part: detail is the vendor's word for the resolution
	// or nil, data the data URL (or its head) or nil when only an address or
	// an id is known.
	Image(detail []byte, data []byte)
	// Media is any other attachment: kind is "audio", "file" or "video", size
	// the number of bytes after decoding, 0 when unknown. Four more kinds are
	// marks: "tokens" (size tokens sent as ids), "chat_tools" (the tools are
	// those of Chat Completions, which OpenAI frames otherwise than those of
	// Responses), "tool_none" and "tool_forced" (the choice of a tool).
	Media(kind string, size int)
	// EndMessage closes the message opened by BeginMessage.
	EndMessage()
	// Tool is one tool definition; schema is the raw JSON of its parameters.
	Tool(name, description, schema []byte)
	// Format is the JSON schema that the answer must follow, raw.
	Format(schema []byte)
}

// The kinds of messages tell those apart that cost different tokens although
// their JSON may be the same: by the dialect that reads it, and by the role where
// that does not stand in it.
const (
	ChatMessage byte = iota + 1
	AnthropicMessage
	ResponsesMessage
	GeminiMessage

	// SystemMessage is added to the kind of a message whose place makes it the
	// system prompt.
	SystemMessage byte = 1 << 4
)
