package wire

import (
	"bytes"
	"iter"
	"sync"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// PromptReader is what the dialects' prompt walkers share: a validated body,
// the sink, and room to unescape strings.
type PromptReader struct {
	Body []byte
	Sink PromptSink
	Kind byte           // of the dialect's messages
	list jsonscan.Value // where the messages stand, absent when that is not known

	scratch Scratch
}

// promptReaders keeps finished PromptReaders with their scratch.
var promptReaders = sync.Pool{New: func() any { return new(PromptReader) }}

// longScratch is how much scratch a PromptReader may keep that is not used.
const longScratch = 1 << 20

// ReadPrompt returns a reader of body; give it back with Release. list is where the
// messages stand, absent when that is not known.
func ReadPrompt(body []byte, list jsonscan.Value, sink PromptSink, kind byte) *PromptReader {
	r := promptReaders.Get().(*PromptReader)
	r.Body, r.Sink, r.Kind, r.list = body, sink, kind, list
	return r
}

// Release returns r to the pool; r must not be used afterwards.
func (r *PromptReader) Release() {
	if r.Body, r.Sink = nil, nil; cap(r.scratch.buf) > longScratch {
		r.scratch.buf = nil
	}
	promptReaders.Put(r)
}

// Root returns the top-level value of the body.
func (r *PromptReader) Root() jsonscan.Value {
	start := bytes.IndexByte(r.Body, '{')
	if start < 0 {
		return jsonscan.Value{}
	}
	return jsonscan.Value{Kind: jsonscan.ObjectKind, Start: start, End: len(r.Body)}
}

// Bytes returns the text of a string, valid until the next call; nil for any
// other value.
func (r *PromptReader) Bytes(v jsonscan.Value) []byte { return r.scratch.Bytes(r.Body, v) }

// Raw returns the JSON of v as spelled.
func (r *PromptReader) Raw(v jsonscan.Value) []byte { return v.Raw(r.Body) }

// Get returns the member of v at path.
func (r *PromptReader) Get(v jsonscan.Value, path ...string) jsonscan.Value {
	return jsonscan.Lookup(r.Body, v, path...)
}

// Text shows a string to the sink and ignores any other value.
func (r *PromptReader) Text(v jsonscan.Value) {
	if v.Kind == jsonscan.String {
		r.Sink.Text(r.Bytes(v))
	}
}

// Begin opens the message v, whose role is the one given where that is not empty
// and stands in v else, and reports whether it is known.
func (r *PromptReader) Begin(role string, v jsonscan.Value) (known bool) {
	kind := r.Kind
	if role == "system" {
		kind |= SystemMessage
	}
	return r.Sink.BeginMessage(kind, r.Raw(v))
}

// Members iterates over the members of an object that the messages may stand in.
func (r *PromptReader) Members(v jsonscan.Value) iter.Seq2[jsonscan.Value, jsonscan.Value] {
	return jsonscan.MembersKnowing(r.Body, v, r.list)
}

// Messages iterates over a list of messages, but for those at its beginning that
// are known, and over nothing when v is no list.
func (r *PromptReader) Messages(v jsonscan.Value) iter.Seq[jsonscan.Value] {
	return func(yield func(jsonscan.Value) bool) {
		if v.Kind != jsonscan.Array {
			return
		}
		known := r.Sink.BeginMessages(r.Kind, r.Raw(v))
		for m := range jsonscan.ElementsAfter(r.Body, v, known) {
			if !yield(m) {
				break
			}
			r.Sink.Passed(m.End - v.Start)
		}
		r.Sink.EndMessages()
	}
}

// Message shows a message that consists of one string, such as the system
// prompt of the dialects that keep it apart.
func (r *PromptReader) Message(role string, v jsonscan.Value) {
	if !r.Begin(role, v) {
		r.Sink.Role([]byte(role))
		r.Text(v)
	}
	r.Sink.EndMessage()
}

// Tool shows a tool definition from its three values. The name and the
// description are unescaped one after the other, so the name is copied.
func (r *PromptReader) Tool(name, description, schema jsonscan.Value) {
	var room [64]byte // names are limited to 64 characters by every vendor
	n := append(room[:0], r.Bytes(name)...)
	r.Sink.Tool(n, r.Bytes(description), r.Raw(schema))
}

// ToolCall shows a call whose arguments are a string of JSON (OpenAI) or a
// value (Anthropic, Gemini).
func (r *PromptReader) ToolCall(name, arguments jsonscan.Value) {
	var room [64]byte
	n := append(room[:0], r.Bytes(name)...)
	if arguments.Kind == jsonscan.String {
		r.Sink.ToolCall(n, r.Bytes(arguments))
		return
	}
	r.Sink.ToolCall(n, r.Raw(arguments))
}

// ToolChoice shows the choice of a tool of the OpenAI dialects: a word, or an
// object that names one function.
func (r *PromptReader) ToolChoice(v jsonscan.Value) {
	named := r.Get(v, "name").Exists() || r.Get(v, "function", "name").Exists()
	switch {
	case r.Is(v, "none"):
		r.Sink.Media("tool_none", 0)
	case named:
		r.Sink.Media("tool_forced", 0)
	}
}

// Is reports whether v is the string s.
func (r *PromptReader) Is(v jsonscan.Value, s string) bool { return v.Is(r.Body, s) }

// Inline returns the bytes of a string that is or may be a data URL or base64
// data, as spelled: base64 needs no escapes but "\/", which does not change
// what its head tells about an image. Nil when v is another address.
func (r *PromptReader) Inline(v jsonscan.Value) []byte {
	if v.Kind != jsonscan.String {
		return nil
	}
	raw := r.Body[v.Start+1 : v.End-1]
	if bytes.HasPrefix(raw, []byte("http://")) || bytes.HasPrefix(raw, []byte("https:")) {
		return nil
	}
	return raw
}

// DecodedSize returns how many bytes a string of base64, with or without the
// head of a data URL, stands for; 0 when v is no string.
func (r *PromptReader) DecodedSize(v jsonscan.Value) int {
	raw := r.Inline(v)
	if comma := bytes.IndexByte(raw[:min(len(raw), 128)], ','); comma >= 0 {
		raw = raw[comma+1:]
	}
	return len(raw) / 4 * 3
}
