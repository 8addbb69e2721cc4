package wire

import (
	"errors"
	"slices"
	"strings"
)

// Codec is the two-way door between one operation of a dialect and the
// canonical model. It has no state and is safe for concurrent use.
type Codec interface {
	// DecodeRequest reads a client's request, which an [Envelope] has checked:
	// anything else than JSON may make it panic. It keeps no reference to body.
	// The error is a *Failure.
	DecodeRequest(body []byte) (*Request, error)

	// EncodeRequest appends the body that asks an upstream for req. req.Model
	// is the upstream's name. What the dialect or the model cannot carry is
	// noted in loss; the error, a *Failure, is for what cannot be left out
	// without lying, such as an audio clip in a message. The same request gives
	// the same bytes: system, tools, messages, then the rest, after the model.
	EncodeRequest(dst []byte, req *Request, loss *Loss) ([]byte, error)

	// AllowsTool reports whether an upstream takes a tool of that name; see
	// [NameTools].
	AllowsTool(name string) bool

	// DecodeResponse reads a whole answer. The error wraps ErrMalformed.
	DecodeResponse(body []byte) (*Response, error)

	// EncodeResponse appends a whole answer.
	EncodeResponse(dst []byte, res *Response, reply *Reply) []byte

	StreamDecoder() StreamDecoder
	StreamEncoder(reply *Reply) StreamEncoder
}

// Reply is what an answer needs to know besides what the upstream said.
type Reply struct {
	// Request is what the client asked for. Responses echoes it.
	Request *Request

	// ID stands in for an id where the upstream gives none, and makes the ids
	// of items; it is unique for the exchange. Letters, digits, '-' and '_'.
	ID string

	// Created is the time of the answer in Unix seconds, for dialects that
	// have one when the upstream gives none.
	Created int64

	// Model stands in when the upstream names none.
	Model string

	// InputTokens is Weir's count of the prompt, for dialects that report the
	// input before the upstream has; 0: unknown.
	InputTokens int64
}

// Loss collects what a translation leaves out, in the client's own names.
type Loss struct {
	spelling map[string]string
	fields   []string
}

// NewLoss returns a collector that names members as req's client did.
func NewLoss(req *Request) *Loss { return &Loss{spelling: req.Spelling} }

// Drop notes that a member, by its canonical name, is not carried.
func (l *Loss) Drop(field string) {
	if own, ok := l.spelling[field]; ok {
		field = own
	}
	if !slices.Contains(l.fields, field) {
		l.fields = append(l.fields, field)
	}
}

// Own is err with the member that it names spelled as the client spells it. A
// place inside of a list is left out then: the client's list has other places.
func (l *Loss) Own(err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		return err
	}
	name, _, _ := strings.Cut(f.Param, "[")
	own, ok := l.spelling[name]
	if !ok {
		return err
	}
	named := *f
	named.Param = own
	return &named
}

// Fields are what was dropped, in the order in which it was met.
func (l *Loss) Fields() []string { return l.fields }

// String is the fields as the header X-AI-Dropped has them.
func (l *Loss) String() string { return strings.Join(l.fields, ", ") }

// DropExtra notes all members without a canonical place, for an encoder of
// another dialect than the request's.
func (l *Loss) DropExtra(req *Request) {
	for _, x := range req.Extra {
		l.Drop(x.Name)
	}
}

// RefuseState is the error for a request that rests on what another vendor
// keeps; nil when it does not.
func RefuseState(req *Request) error {
	if len(req.State) == 0 {
		return nil
	}
	name := req.State[0].Name
	details := ""
	if name == "thread" { // by which Anthropic's SDKs know to send the whole conversation
		details = `{"error_code":"thread_unsupported_request","unsupported":["thread"]}`
	}
	return &Failure{Kind: KindInvalid, Param: name, Details: details, Message: "'" + name + "' refers to something that the provider of model '" + req.Model + "' does not keep; send the whole conversation instead"}
}

// Unmappable is the error for content that the upstream's dialect has no
// place for and whose absence would make the answer wrong.
func Unmappable(param, what, where string) error {
	return &Failure{Kind: KindInvalid, Param: param, Message: what + " cannot be sent to " + where + "; use a model that takes it"}
}
