package handlers

import (
	"io"
	"net/http"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/batch"
	"github.com/weirproxy/weir/wire"
)

// prepare makes the outgoing call.
func (a *attempt) prepare() error {
	c, op, target := a.call, a.route.Operation, a.route.Target
	a.outgoing = gateway.Call{
		Operation: op,
		Path:      op.Path,
		Model:     target.Model,
		Account:   a.pick.Account,
		Method:    http.MethodPost,
		Header:    c.r.Header,
		Stream:    c.x.Stream,
		RequestID: c.id,
	}
	if c.form != nil {
		a.outgoing.Body, a.outgoing.Length = c.form.send(target.Model)
		a.outgoing.ContentType = c.form.contentType()
		return nil
	}
	sent, err := a.pack()
	if err != nil {
		return err
	}
	a.mayContinue()
	a.conversation.written()
	a.sent = sent
	a.outgoing.Body, a.outgoing.Length = sent.firstReader(), sent.size
	a.outgoing.GetBody = func() (io.ReadCloser, error) { return sent.reader(), nil }
	a.outgoing.ContentType = "application/json"
	return nil
}

// pack makes the body for the upstream.
func (a *attempt) pack() (*parcel, error) {
	c := a.call
	if c.sequel == nil && a.route.Operation == c.route.Operation {
		c.x.Update(func() { c.x.Dropped = nil }) // that of an earlier attempt
		rw := a.rewrite()
		a.askedUsage = rw.AskUsage && !c.x.Envelope.IncludeUsage
		sent := newParcel(c.body.hold())
		sent.fill(c.x.Envelope.Apply(sent.pieces, rw))
		if batch.Handles(a.route.Operation) {
			sent.join() // since it is read
		}
		return sent, nil
	}
	made := newPayload()
	body, err := a.encode(made)
	if err != nil {
		made.release()
		return nil, err
	}
	made.bytes = body
	sent := newParcel(made)
	sent.fill(append(sent.pieces, body))
	return sent, nil
}

// encode makes a body that is not the client's, in the memory of made.
func (a *attempt) encode(made *payload) ([]byte, error) {
	if a.call.sequel != nil {
		return a.carryOn(made.bytes)
	}
	size := len(a.call.x.Envelope.Body())
	made.bytes = grow(made.bytes, size+size/8+1<<10)
	return a.translate(made.bytes)
}

// settled lets go of what only another attempt would need: the client's bytes,
// if those that were sent can stand for them when the prompt is counted. A target
// that goes on with a stream has rules of its own, which ask what stands in them.
func (a *attempt) settled() {
	c := a.call
	if a.sent == nil || a.shadow != nil || a.route.Operation != c.route.Operation {
		return
	}
	body := a.sent.from.hold()
	c.x.Update(func() { c.x.Envelope.Detach(body.bytes) })
	c.body.release()
	c.body = body
	a.sent.release()
	a.sent = nil
}

// rewrite says what has to change in the body for the upstream.
func (a *attempt) rewrite() wire.Rewrite {
	traits := a.route.Provider.Traits()
	op := a.call.route.Operation
	rw := wire.Rewrite{Model: a.route.Target.Model}
	if op == wire.Chat || op == wire.Completions {
		rw.AskUsage = !traits.NoStreamOptions
	}
	if limit := a.call.capToWrite(a.route); limit > 0 {
		rw.CapParam, rw.Cap = capParam(op, traits), limit
	}
	if op == wire.Chat && traits.OneCap && a.call.quota.countsOutput() {
		rw.OnlyCap = traits.CapParam // else it may be passed over, and what is reserved overrun
	}
	return rw
}

// capToWrite is the cap for a call that names none: the one that its limits
// were reserved with, else the site's and the model's.
func (c *call) capToWrite(route *gateway.Route) int64 {
	if c.cap > 0 {
		return c.cap
	}
	return c.outputLimit(route)
}

// capParam is the member in which an operation takes its cap on generated
// tokens; empty when it takes none.
func capParam(op *wire.Operation, traits gateway.Traits) string {
	switch op {
	case wire.Chat:
		return traits.CapParam
	case wire.Completions, wire.Messages:
		return "max_tokens"
	case wire.Responses:
		return "max_output_tokens"
	case wire.GeminiGenerate:
		return wire.GeminiCap
	case wire.Converse:
		return "maxTokens"
	case wire.CohereChat:
		return "max_tokens"
	default:
		return ""
	}
}
