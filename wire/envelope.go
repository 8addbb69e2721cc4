package wire

import "github.com/weirproxy/weir/internal/jsonscan"

// The members that some decision of Weir rests on. A body in which one of
// them stands twice, or in another case, can tell Weir and the upstream two
// different stories, so such a body is refused.
const (
	fieldModel = iota
	fieldStream
	fieldStreamOptions
	fieldMaxTokens
	fieldMaxCompletionTokens
	fieldMaxOutputTokens
	fieldN
	fieldTemperature
	fieldMessages
	fieldInput
	fieldPrompt
	fieldSystem
	fieldInstructions
	fieldTools
	fieldQuery
	fieldDocuments
	fieldContents
	fieldContent
	fieldRequests
	fieldConfig
	fieldConfigSnake
	fieldBestOf
	fieldModels
	fieldFallbacks
	fieldPreset
)

var policyNames = []string{
	"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens",
	"n", "temperature", "messages", "input", "prompt", "system", "instructions", "tools", "query", "documents",
	"contents", "content", "requests", "generationConfig", "generation_config", "best_of",
	"models", "fallbacks", "preset",
}

var (
	policyKeys  = jsonscan.NewKeys(policyNames...)
	optionsKeys = jsonscan.NewKeys("include_usage")
)

// Envelope is what Weir learns of a request body in one pass over it: the
// values that it decides by and where they stand. It is reused; Reset or
// Decode overwrites it.
type Envelope struct {
	Operation *Operation

	// Model is the name that the client wrote, or the operation's default.
	Model string

	// Stream says that the client asked for a stream, and IncludeUsage that
	// it asked for the extra usage chunk.
	Stream       bool
	IncludeUsage bool

	// OutputCap is the client's own cap on generated tokens and CapParam the
	// member that it stands in; 0 and "" when there is none.
	OutputCap int64
	CapParam  string

	// CapInvalid says that CapParam holds something else than a whole number
	// that is not negative.
	CapInvalid bool

	// Choices is how many answers may be generated, at least 1: n, or best_of
	// where that is more, for every prompt. ChoicesInvalid is the member that
	// should say so and holds no whole number, which some upstreams read all the
	// same; empty when there is none.
	Choices        int64
	ChoicesInvalid string

	// Temperature is meaningful when HasTemperature. TemperatureInvalid says that
	// the member holds no number, which some upstreams read all the same.
	Temperature        float64
	HasTemperature     bool
	TemperatureInvalid bool

	// Fields are the names of a form's fields, which has no members.
	Fields []string

	body    []byte
	fields  jsonscan.Object
	options jsonscan.Object
	config  jsonscan.Object // Gemini's generationConfig
	scratch []byte
}

// Decode scans body, which must stay unchanged as long as the envelope is
// used. The error is a *Failure when the client is at fault.
func (e *Envelope) Decode(op *Operation, body []byte) error {
	fields, options, config, scratch := e.fields, e.options, e.config, e.scratch
	*e = Envelope{Operation: op, Choices: 1, body: body, fields: fields, options: options, config: config, scratch: scratch}
	if err := jsonscan.Scan(body, policyKeys, jsonscan.DefaultLimits, &e.fields); err != nil {
		return scanFailure(err)
	}
	for _, name := range op.Required {
		if v := e.member(name); !v.Exists() || v.Kind == jsonscan.Null {
			return invalid(name, "missing required parameter: '"+name+"'")
		}
	}
	if op.Dialect == Gemini {
		return e.readConfig()
	}
	for _, read := range []func() error{e.readModel, e.readStream, e.readCaps, e.readSampling, e.checkShapes} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// HasTools reports whether the body offers tools, in the member that all
// dialects have for them.
func (e *Envelope) HasTools() bool {
	v := e.fields.Get(fieldTools)
	return v.Kind == jsonscan.Array && !v.Empty(e.body)
}

// member returns the value of a policy member by its name.
func (e *Envelope) member(name string) jsonscan.Value {
	for i, n := range policyNames {
		if n == name {
			return e.fields.Get(i)
		}
	}
	return jsonscan.Value{}
}

// Alternates is the member by which the body lets the upstream choose another
// model than the one it names, as routers such as OpenRouter and LiteLLM do;
// empty when there is none.
func (e *Envelope) Alternates() string {
	for field := fieldModels; field <= fieldPreset; field++ {
		if v := e.fields.Get(field); v.Exists() && v.Kind != jsonscan.Null {
			return policyNames[field]
		}
	}
	return ""
}

// Params calls yield with the name of every member at the top of the body,
// with escapes resolved, or of every field of a form, until yield returns false.
func (e *Envelope) Params(yield func(name string) bool) {
	for _, name := range e.Fields {
		if !yield(name) {
			return
		}
	}
	whole := jsonscan.Value{Kind: jsonscan.ObjectKind, Start: e.fields.Start, End: e.fields.End}
	for key := range jsonscan.Members(e.body, whole) {
		name, _ := key.Text(e.body, e.scratch[:0])
		if !yield(string(name)) {
			return
		}
	}
}

// List is where the messages of a conversation stand in Body, absent when they
// are no list in a member of their own.
func (e *Envelope) List() jsonscan.Value {
	for _, field := range [...]int{fieldMessages, fieldInput, fieldContents} {
		if v := e.fields.Get(field); v.Kind == jsonscan.Array {
			return v
		}
	}
	return jsonscan.Value{}
}

// Body is the body as the client sent it.
func (e *Envelope) Body() []byte { return e.body }

// Detach makes the envelope hold body, the edited one, in place of the one
// that it was decoded from, whose buffer can then be used again. Only Body is
// meaningful afterwards, besides the values.
func (e *Envelope) Detach(body []byte) {
	e.body = body
	e.fields.Release()
	e.options.Release()
	e.config.Release()
}
