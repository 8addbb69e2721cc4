package handlers

import (
	"io"
	"net/http"

	"github.com/weirproxy/weir/gateway"
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
		body, length, err := c.form.send(target.Model)
		if err != nil {
			return err
		}
		a.outgoing.Body, a.outgoing.Length = body, length
		a.outgoing.ContentType = c.r.Header.Get("Content-Type")
		return nil
	}
	sent := newPayload()
	switch {
	case c.sequel != nil:
		body, err := a.carryOn(sent.bytes)
		if err != nil {
			sent.release()
			return err
		}
		sent.bytes = body
	case op == c.route.Operation:
		c.x.Update(func() { c.x.Dropped = nil }) // that of an earlier attempt
		rw := a.rewrite()
		a.askedUsage = rw.AskUsage && !c.x.Envelope.IncludeUsage
		sent.bytes = c.x.Envelope.Apply(sent.bytes, rw)
	default:
		size := len(c.x.Envelope.Body())
		sent.bytes = grow(sent.bytes, size+size/8+1<<10)
		body, err := a.translate(sent.bytes)
		if err != nil {
			sent.release()
			return err
		}
		sent.bytes = body
	}
	a.mayContinue()
	a.conversation.written()
	a.sent = sent
	a.outgoing.Body, a.outgoing.Length = sent.reader(), int64(len(sent.bytes))
	a.outgoing.GetBody = func() (io.ReadCloser, error) { return sent.reader(), nil }
	a.outgoing.ContentType = "application/json"
	return nil
}

// settled lets go of what only another attempt would need: the client's bytes,
// if those that were sent can stand for them when the prompt is counted.
func (a *attempt) settled() {
	c := a.call
	if a.sent == nil || a.route.Operation != c.route.Operation || a.sent == c.body {
		return
	}
	c.x.Update(func() { c.x.Envelope.Detach(a.sent.bytes) })
	c.body.release()
	c.body, a.sent = a.sent, nil
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
