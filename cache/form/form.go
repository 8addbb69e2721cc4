// Package form turns a kept answer into what a client expects: its dialect, as
// a stream or whole, with or without what it has to ask for, and without
// anything that was another caller's.
//
// What a conversion would have to leave out, or make up, in a way that changes
// what the answer means is an error, and a miss for the caller.
package form

import (
	"errors"
	"fmt"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// ErrLoses is wrapped by the error for an answer that another form would not
// carry in full.
var ErrLoses = errors.New("the answer would lose what matters")

// Want is what the present client expects.
type Want struct {
	// Operation, Stream and Usage are as in cache.Form.
	Operation *wire.Operation
	Stream    bool
	Usage     bool

	// Body is the client's request, valid JSON. It is only read where the
	// answer depends on it: Responses repeats it, and embeddings come in the
	// encoding that it names.
	Body []byte

	// ID makes the ids that the new form needs, unique for the exchange, of
	// letters and digits. Created, in Unix seconds, stands in where the answer
	// has no time.
	ID      string
	Created int64
}

// Convert returns a as want describes it. The kept bytes themselves are
// returned where they are that already. The body must not be changed.
func Convert(a *cache.Answer, want Want) (cache.Form, error) {
	f := a.Form
	switch {
	case f.Operation == nil || want.Operation == nil:
		return cache.Form{}, errors.New("converting kept answer: no operation")
	case embeds(f.Operation) || embeds(want.Operation):
		return convertEmbeddings(a, want)
	case f.Operation != want.Operation:
		return translate(a, want)
	case f.Operation == wire.Responses && f.Stream && !want.Stream:
		whole, ok := lastResponse(f)
		if !ok {
			return translate(a, want)
		}
		return Echo(whole, want.Body)
	case f.Operation == wire.Responses && !f.Stream && want.Stream:
		whole, err := Echo(f, want.Body)
		if err != nil {
			return cache.Form{}, err
		}
		return streamed(whole)
	case f.Stream != want.Stream && f.Operation == wire.GeminiGenerate && grounded(f):
		return cache.Form{}, loses("what it says of its sources")
	case f.Stream != want.Stream:
		return translate(a, want)
	case f.Operation == wire.Responses:
		return Echo(f, want.Body)
	case f.Stream && f.Usage != want.Usage && asksUsage(f.Operation):
		return withUsage(a, want.Usage)
	default:
		return f, nil
	}
}

// asksUsage reports whether clients of op have to ask for usage in a stream.
func asksUsage(op *wire.Operation) bool { return op == wire.Chat || op == wire.Completions }

// translate makes the form that want describes from the canonical answer.
func translate(a *cache.Answer, want Want) (cache.Form, error) {
	codec := doors.Codec(want.Operation)
	if codec == nil {
		return cache.Form{}, fmt.Errorf("converting kept answer: %s is no conversation", want.Operation.Name)
	}
	res, err := canonical(a)
	if err != nil {
		return cache.Form{}, err
	}
	if err := carries(a, res, want); err != nil {
		return cache.Form{}, err
	}
	req, err := request(codec, want)
	if err != nil {
		return cache.Form{}, err
	}
	wire.UnwrapCustom(req, res)
	reply := &wire.Reply{Request: req, ID: want.ID, Created: want.Created, Model: a.Model, InputTokens: res.Usage.Input}
	f := cache.Form{Operation: want.Operation, Stream: want.Stream}
	if !want.Stream {
		f.Body = codec.EncodeResponse(nil, res, reply)
		return f, nil
	}
	f.Usage = want.Usage && asksUsage(want.Operation)
	encoder := codec.StreamEncoder(reply)
	f.Body = make([]byte, 0, 4*len(a.Form.Body))
	wire.Tell(res, func(ev *wire.Event) { f.Body = encoder.Encode(f.Body, ev) })
	return f, nil
}

// request is the client's, as far as encoders look at it.
func request(codec wire.Codec, want Want) (*wire.Request, error) {
	if len(want.Body) == 0 {
		return &wire.Request{Stream: want.Stream, IncludeUsage: want.Usage}, nil
	}
	req, err := codec.DecodeRequest(want.Body)
	if err != nil {
		return nil, fmt.Errorf("reading request for kept answer: %w", err)
	}
	req.Stream, req.IncludeUsage = want.Stream, want.Usage
	return req, nil
}

// canonical is the answer before it was anybody's.
func canonical(a *cache.Answer) (*wire.Response, error) {
	var (
		res *wire.Response
		err error
	)
	switch {
	case a.Canonical != nil:
		res, err = Unmarshal(a.Canonical)
	case a.Form.Stream:
		if err = readable(a.Form); err == nil {
			res, err = collect(a.Form)
		}
	default:
		if err = readable(a.Form); err == nil {
			res, err = decode(a.Form)
		}
	}
	if err != nil {
		return nil, err
	}
	if !res.Usage.Reported && !a.Usage.IsZero() { // of a stream whose client did not ask
		res.Usage = wire.Report{Usage: a.Usage, Reported: true, Details: wire.Details{ServiceTier: res.Usage.ServiceTier}}
	}
	return res, nil
}

func decode(f cache.Form) (*wire.Response, error) {
	codec := doors.Codec(f.Operation)
	if codec == nil {
		return nil, fmt.Errorf("reading kept answer: %s is no conversation", f.Operation.Name)
	}
	return codec.DecodeResponse(f.Body)
}

// collect reads a stream as a whole answer.
func collect(f cache.Form) (*wire.Response, error) {
	codec := doors.Codec(f.Operation)
	if codec == nil {
		return nil, fmt.Errorf("reading kept answer: %s is no conversation", f.Operation.Name)
	}
	var (
		c       wire.Collector
		decoder = codec.StreamDecoder()
	)
	add := c.Add // once: it would be made for each event
	err := events(f.Body, func(ev *sse.Event) error { return decoder.Decode(ev, add) })
	if err != nil {
		return nil, fmt.Errorf("reading kept answer: %w", err)
	}
	decoder.End(add)
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("reading kept answer: %w", err)
	}
	return c.Response(), nil
}
