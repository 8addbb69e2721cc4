package wire

import (
	"fmt"
	"math"

	"github.com/weirproxy/weir/internal/jsonscan"
)

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
		e.Stream = stream && !e.Operation.Whole
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
// larger one is what the upstream might honour. One that belongs to another
// operation is none: most upstreams pass over what they do not know. A value that
// is no number is the upstream's to refuse, in its own words, unless a limit
// rests on it.
func (e *Envelope) readCaps() error {
	for _, field := range e.caps() {
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

var (
	chatCaps      = []int{fieldMaxTokens, fieldMaxCompletionTokens}
	responsesCaps = []int{fieldMaxOutputTokens}
	otherCaps     = []int{fieldMaxTokens}
)

// caps are the members in which the operation has its cap.
func (e *Envelope) caps() []int {
	switch e.Operation {
	case Chat:
		return chatCaps
	case Responses, ResponsesTokens, ResponsesFold:
		return responsesCaps
	default:
		return otherCaps
	}
}

func (e *Envelope) readSampling() error {
	e.readChoices(fieldN)
	if e.Operation == Completions {
		e.readChoices(fieldBestOf)
		e.Choices = saturated(e.Choices, e.prompts())
	}
	e.readTemperature(e.fields.Get(fieldTemperature))
	return nil
}

// readChoices raises Choices to what a member says.
func (e *Envelope) readChoices(field int) {
	switch v := e.fields.Get(field); {
	case !v.Exists(), v.Kind == jsonscan.Null:
	default:
		n, ok := v.Int(e.body)
		if !ok {
			e.ChoicesInvalid = policyNames[field]
		}
		e.Choices = max(e.Choices, n)
	}
}

func (e *Envelope) readTemperature(v jsonscan.Value) {
	if v.Exists() && v.Kind != jsonscan.Null {
		e.Temperature, e.HasTemperature = v.Float(e.body)
		e.TemperatureInvalid = !e.HasTemperature
	}
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
