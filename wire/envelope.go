package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
)

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
)

var policyNames = []string{
	"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens",
	"n", "temperature", "messages", "input", "prompt", "system", "instructions", "tools", "query", "documents",
	"contents", "content", "requests", "generationConfig", "generation_config", "best_of",
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
	// where that is more, for every prompt.
	Choices int64

	// Temperature is meaningful when HasTemperature.
	Temperature    float64
	HasTemperature bool

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

func (e *Envelope) readModel() error {
	v := e.fields.Get(fieldModel)
	if !v.Exists() || v.Kind == jsonscan.Null {
		e.Model = e.Operation.DefaultModel
		if e.Operation == Responses && !e.fields.Get(fieldPrompt).Exists() {
			return invalid("model", "missing required parameter: 'model'")
		}
		return nil
	}
	if v.Kind != jsonscan.String {
		return invalid("model", "'model' must be a string")
	}
	name, ok := v.Text(e.body, e.scratch[:0])
	if !ok {
		return invalid("model", "'model' must be a string that is not empty")
	}
	e.Model = string(name)
	return CheckModel(e.Model)
}

// CheckModel refuses a client's name for a model that is empty, too long or
// unfit for a log. The error is a *Failure.
func CheckModel(name string) error {
	switch {
	case name == "":
		return invalid("model", "'model' must be a string that is not empty")
	case len(name) > maxModelName:
		return invalid("model", fmt.Sprintf("'model' may have %d bytes at most, this one has %d", maxModelName, len(name)))
	}
	for i := range len(name) {
		if name[i] < 0x20 || name[i] == 0x7f {
			return invalid("model", "'model' must not contain control characters")
		}
	}
	return nil
}

// maxModelName bounds what ends up in logs and error messages.
const maxModelName = 256

func (e *Envelope) readStream() error {
	v := e.fields.Get(fieldStream)
	if v.Exists() && v.Kind != jsonscan.Null {
		stream, ok := v.Bool(e.body)
		if !ok {
			return invalid("stream", "'stream' must be true or false")
		}
		e.Stream = stream
	}
	opts := e.fields.Get(fieldStreamOptions)
	if !opts.Exists() || opts.Kind == jsonscan.Null {
		return nil
	}
	if opts.Kind != jsonscan.ObjectKind {
		return invalid("stream_options", "'stream_options' must be an object")
	}
	if err := jsonscan.ScanObject(e.body, opts, optionsKeys, &e.options); err != nil {
		return scanFailure(err)
	}
	if v := e.options.Get(0); v.Exists() && v.Kind != jsonscan.Null {
		include, ok := v.Bool(e.body)
		if !ok {
			return invalid("stream_options.include_usage", "'stream_options.include_usage' must be true or false")
		}
		e.IncludeUsage = include
	}
	return nil
}

// readCaps reads the caps on generated tokens. Where a body names two, the
// larger one is what the upstream might honour. A value that is no number is
// the upstream's to refuse, in its own words, unless a limit rests on it.
func (e *Envelope) readCaps() error {
	for _, field := range []int{fieldMaxTokens, fieldMaxCompletionTokens, fieldMaxOutputTokens} {
		v := e.fields.Get(field)
		if !v.Exists() || v.Kind == jsonscan.Null {
			continue
		}
		limit, ok := v.Int(e.body)
		if !ok || limit < 0 {
			e.CapParam, e.CapInvalid = policyNames[field], true
			return nil
		}
		if e.CapParam == "" || limit > e.OutputCap {
			e.OutputCap, e.CapParam = limit, policyNames[field]
		}
	}
	return nil
}

func (e *Envelope) readSampling() error {
	if v := e.fields.Get(fieldN); v.Exists() {
		if n, ok := v.Int(e.body); ok && n > 0 {
			e.Choices = n
		}
	}
	if e.Operation == Completions {
		if best, ok := e.fields.Get(fieldBestOf).Int(e.body); ok {
			e.Choices = max(e.Choices, best)
		}
		e.Choices = saturated(e.Choices, e.prompts())
	}
	if v := e.fields.Get(fieldTemperature); v.Exists() {
		e.Temperature, e.HasTemperature = v.Float(e.body)
	}
	return nil
}

// prompts is how many a completion has: a list of numbers is one, as tokens.
func (e *Envelope) prompts() (n int64) {
	if v := e.fields.Get(fieldPrompt); v.Kind == jsonscan.Array {
		for element := range jsonscan.Elements(e.body, v) {
			if element.Kind != jsonscan.Number {
				n++
			}
		}
	}
	return max(n, 1)
}

// saturated is a·b, or the most there is.
func saturated(a, b int64) int64 {
	if a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

func (e *Envelope) checkShapes() error {
	v := e.fields.Get(fieldMessages)
	if !v.Exists() || v.Kind == jsonscan.Null {
		return nil
	}
	if v.Kind != jsonscan.Array {
		return invalid("messages", "'messages' must be an array")
	}
	if v.Empty(e.body) {
		return invalid("messages", "'messages' must not be empty")
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

// Rewrite says what to change in a body on its way to the upstream.
type Rewrite struct {
	// Model replaces the client's name for the model; empty leaves it.
	Model string

	// AskUsage adds stream_options.include_usage to streams that lack it.
	AskUsage bool

	// CapParam is written with Cap when the client set no cap; empty: none.
	CapParam string
	Cap      int64
}

// Apply appends to dst the edited body as pieces, of Body where they can be.
// Everything that is not edited keeps its bytes: key order, number spelling,
// escapes and unknown members.
func (e *Envelope) Apply(dst [][]byte, rw Rewrite) [][]byte {
	if e.Operation.Dialect == Gemini {
		return e.applyConfig(dst, rw)
	}
	var (
		edits   [4]jsonscan.Edit
		inserts [3]insertion
		n, m    int
	)
	if rw.Model != "" && rw.Model != e.Model {
		raw := jsonscan.AppendString(nil, rw.Model)
		if v := e.fields.Get(fieldModel); v.Exists() {
			edits[n] = jsonscan.Edit{Start: v.Start, End: v.End, Text: raw}
			n++
		} else {
			inserts[m] = insertion{"model", raw}
			m++
		}
	}
	if rw.AskUsage && e.Stream && !e.IncludeUsage {
		switch v := e.fields.Get(fieldStreamOptions); {
		case v.Kind == jsonscan.ObjectKind:
			edits[n] = e.options.SetEdit(e.body, 0, "include_usage", []byte("true"))
			n++
		case v.Exists(): // null
			edits[n] = jsonscan.Edit{Start: v.Start, End: v.End, Text: []byte(`{"include_usage":true}`)}
			n++
		default:
			inserts[m] = insertion{"stream_options", []byte(`{"include_usage":true}`)}
			m++
		}
	}
	if rw.CapParam != "" && e.CapParam == "" {
		raw := strconv.AppendInt(nil, rw.Cap, 10)
		if v := e.member(rw.CapParam); v.Exists() { // null
			edits[n] = jsonscan.Edit{Start: v.Start, End: v.End, Text: raw}
			n++
		} else {
			inserts[m] = insertion{rw.CapParam, raw}
			m++
		}
	}
	sortEdits(edits[:n])
	if m == 0 {
		return jsonscan.Pieces(dst, e.body, edits[:n])
	}
	tail := jsonscan.Edit{Start: e.fields.End - 1, End: e.fields.End - 1}
	for i, in := range inserts[:m] {
		if i > 0 || e.fields.Members > 0 {
			tail.Text = append(tail.Text, ',')
		}
		tail.Text = jsonscan.AppendString(tail.Text, in.name)
		tail.Text = append(tail.Text, ':')
		tail.Text = append(tail.Text, in.raw...)
	}
	edits[n] = tail
	return jsonscan.Pieces(dst, e.body, edits[:n+1])
}

type insertion struct {
	name string
	raw  []byte
}

func sortEdits(edits []jsonscan.Edit) {
	for i := 1; i < len(edits); i++ {
		for j := i; j > 0 && edits[j].Start < edits[j-1].Start; j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
}

// Error makes a Failure usable as an error inside this package's results.
func (f *Failure) Error() string { return f.Kind.String() + ": " + f.Message }

func invalid(param, message string) *Failure {
	return &Failure{Kind: KindInvalid, Param: param, Message: message}
}

// scanFailure words what is wrong with a body.
func scanFailure(err error) *Failure {
	var dup *jsonscan.DuplicateError
	if errors.As(err, &dup) {
		return invalid(dup.Key, fmt.Sprintf("the body names '%s' more than once or in another spelling ('%s' at byte %d); write it once, as '%s'", dup.Key, dup.Found, dup.Offset, dup.Key))
	}
	var limit *jsonscan.LimitError
	if errors.As(err, &limit) {
		return invalid("", fmt.Sprintf("the JSON body exceeds the limit on %s (%d) at byte %d", limit.What, limit.Limit, limit.Offset))
	}
	var syntax *jsonscan.SyntaxError
	if errors.As(err, &syntax) {
		return invalid("", fmt.Sprintf("the body is not a valid JSON object: %s at byte %d", syntax.Msg, syntax.Offset))
	}
	return invalid("", "the body is not a valid JSON object")
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
