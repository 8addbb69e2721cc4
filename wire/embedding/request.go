// Package embedding cuts requests for embeddings into parts, joins several to
// one, and does the same to their answers. Inputs and vectors are moved as the
// bytes that they are, whatever they hold: text or tokens, floats or base64.
package embedding

import (
	"math"
	"slices"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// Request is a request for embeddings as its inputs lie in it.
type Request struct {
	// Inputs is how many there are, at least 1.
	Inputs int

	// Operation is the one in which several inputs are asked for, which is
	// another one where the request's own takes one.
	Operation *wire.Operation

	// Max is how many inputs a call in Operation takes at most by the dialect
	// itself; 0 where it has no bound.
	Max int

	// list is the inputs with the commas between them; before and after are
	// what stands around them in a call of Operation.
	list          []byte
	before, after []byte

	// tokens says that the inputs are lists of tokens, which no list may have
	// beside text.
	tokens bool

	// ends are the offsets in list after each input but the last; only with
	// several.
	ends []int

	params string
}

// requestLimits bound nothing: a request has been checked by its envelope, or
// was written by a codec.
var requestLimits = jsonscan.Limits{Depth: 1024, Nodes: math.MaxInt, KeyLen: math.MaxInt, NumberLen: math.MaxInt}

var (
	inputKey    = jsonscan.NewKeys("input")
	requestsKey = jsonscan.NewKeys("requests")
	textsKey    = jsonscan.NewKeys("texts")
	titanKey    = jsonscan.NewKeys("inputText")
	modelKey    = jsonscan.NewKeys("model")
)

// Parse reads body, a request of op for the upstream's model. ok is false for
// what is no list of inputs that could be told apart from all else: such a
// request goes as it is. body must stay unchanged as long as the request is
// used.
func Parse(op *wire.Operation, model string, body []byte) (r *Request, ok bool) {
	switch op {
	case wire.Embeddings:
		return parseList(op, inputKey, body)
	case wire.GeminiBatchEmbed:
		return parseList(op, requestsKey, body)
	case wire.CohereEmbed:
		return parseList(op, textsKey, body)
	case wire.InvokeEmbed:
		if wire.CohereOnBedrock(model) {
			return parseList(op, textsKey, body)
		}
		r, ok := parseList(op, titanKey, body)
		if ok {
			r.Max = 1
		}
		return r, ok
	case wire.GeminiEmbed:
		return parseSingle(model, body)
	default:
		return nil, false
	}
}

// parseList reads a request whose inputs are the value of its member key.
func parseList(op *wire.Operation, key *jsonscan.Keys, body []byte) (*Request, bool) {
	var object jsonscan.Object
	if jsonscan.Scan(body, key, requestLimits, &object) != nil {
		return nil, false
	}
	value := object.Get(0)
	r := &Request{Operation: op, before: body[:value.Start], after: body[value.End:]}
	switch {
	case value.Kind == jsonscan.String:
		r.Inputs, r.list = 1, value.Raw(body)
	case value.Kind != jsonscan.Array || !r.elements(body, value):
		return nil, false
	}
	params, ok := parameters(body, jsonscan.Value{Kind: jsonscan.ObjectKind, Start: object.Start, End: object.End}, value)
	if r.tokens {
		params += "#" // lists of both are refused
	}
	r.params = params
	return r, ok
}

// elements reads a list of inputs: all texts, all lists of tokens, all
// objects; or one input that is a list of tokens.
func (r *Request) elements(body []byte, list jsonscan.Value) bool {
	var first, last jsonscan.Value
	for e := range jsonscan.Elements(body, list) {
		if r.Inputs == 0 {
			first = e
		} else {
			r.ends = append(r.ends, last.End-first.Start)
		}
		if e.Kind != first.Kind {
			return false
		}
		last = e
		r.Inputs++
	}
	switch first.Kind {
	case jsonscan.Number:
		r.Inputs, r.ends, r.tokens = 1, nil, true
		r.list = list.Raw(body)
		return true
	case jsonscan.String, jsonscan.Array, jsonscan.ObjectKind:
		r.list, r.tokens = body[first.Start:last.End], first.Kind == jsonscan.Array
		return true
	default: // none, or what no upstream takes
		return false
	}
}

// parseSingle reads a request of embedContent, whose body is what
// batchEmbedContents has in its list, but for the model that the path names.
func parseSingle(model string, body []byte) (*Request, bool) {
	var object jsonscan.Object
	if jsonscan.Scan(body, modelKey, requestLimits, &object) != nil {
		return nil, false
	}
	if !strings.HasPrefix(model, "models/") && !strings.HasPrefix(model, "tunedModels/") {
		model = "models/" + model
	}
	edit := object.SetEdit(body, 0, "model", jsonscan.AppendString(nil, model))
	return &Request{
		Inputs: 1, Operation: wire.GeminiBatchEmbed,
		list: jsonscan.Splice(nil, body, []jsonscan.Edit{edit}), before: []byte(`{"requests":`), after: []byte(`}`),
	}, true
}

// parameters are all of an object's members but the one whose value is
// skipped, in a form that is the same for the same members. ok is false when
// one stands there twice: which of them counts is the upstream's secret.
func parameters(body []byte, object, skipped jsonscan.Value) (params string, ok bool) {
	type member struct{ name, text string }
	var members []member
	size := 0
	for key, value := range jsonscan.Members(body, object) {
		if value.Start == skipped.Start {
			continue
		}
		name, _ := key.Text(body, nil)
		text := append(jsonscan.AppendString(nil, string(name)), ':')
		m := member{string(name), string(wire.AppendCompact(text, value.Raw(body)))}
		members, size = append(members, m), size+len(m.text)+1
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	var all strings.Builder
	all.Grow(size)
	for i, m := range members {
		if i > 0 && m.name == members[i-1].name {
			return "", false
		}
		all.WriteString(m.text)
		all.WriteByte(',')
	}
	return all.String(), true
}

// Params tells requests apart that must not be asked in one call: all of the
// request but its inputs.
func (r *Request) Params() string { return r.params }

// List is the inputs, as spelled, with commas between them.
func (r *Request) List() []byte { return r.list }

// Cut calls yield with lists of at most limit inputs, in order, and how many
// each has.
func (r *Request) Cut(limit int, yield func(list []byte, inputs int)) {
	start := 0
	for done := 0; done < r.Inputs; {
		n := min(limit, r.Inputs-done)
		end := len(r.list)
		if done+n < r.Inputs {
			end = r.ends[done+n-1]
		}
		yield(r.list[start:end], n)
		if done += n; done < r.Inputs {
			// The next input begins after the comma and white space.
			start = end
			for c := r.list[start]; c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = r.list[start] {
				start++
			}
		}
	}
}

// Append appends the body of a call for the inputs of lists, which come from
// requests with the same Params.
func (r *Request) Append(dst []byte, lists ...[]byte) []byte {
	size := len(r.before) + len(r.after) + 2
	for _, list := range lists {
		size += len(list) + 1
	}
	dst = slices.Grow(dst, size)
	dst = append(dst, r.before...)
	if r.Max != 1 {
		dst = append(dst, '[')
	}
	for i, list := range lists {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, list...)
	}
	if r.Max != 1 {
		dst = append(dst, ']')
	}
	return append(dst, r.after...)
}

// Frame is what Append needs of the request, on memory of its own.
func (r *Request) Frame() *Request {
	return &Request{Operation: r.Operation, Max: r.Max, before: slices.Clone(r.before), after: slices.Clone(r.after)}
}
