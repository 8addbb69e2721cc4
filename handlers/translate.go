package handlers

import (
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// headerDropped names what a translation left out.
const headerDropped = "X-Ai-Dropped"

// translator carries a call into another dialect, and its answer back. A call
// whose upstream speaks the client's dialect has none: its bytes pass.
type translator interface {
	// request appends the upstream's body to dst.
	request(dst []byte, loss *wire.Loss) ([]byte, error)

	// answer appends the client's form of the upstream's answer to dst.
	answer(dst, body []byte) ([]byte, error)
}

// translate makes the body for an upstream of another dialect. What it cannot
// carry is named to the client, or refused where the site wants that.
func (a *attempt) translate(dst []byte) ([]byte, error) {
	c := a.call
	body := c.x.Envelope.Body()
	var (
		loss *wire.Loss
		err  error
	)
	switch op := c.route.Operation; op {
	case wire.Embeddings, wire.GeminiEmbed, wire.GeminiBatchEmbed:
		a.translator, err = newEmbedding(op, a.route, body)
		loss = wire.NewLoss(&wire.Request{})
	case wire.Rerank:
		a.translator, loss = &reranking{model: a.route.Target.Model, body: body}, wire.NewLoss(&wire.Request{})
	default:
		var t *conversation
		if t, err = newConversation(c, a.route, body); err == nil {
			a.translator, a.conversation = t, t
			loss = wire.NewLoss(t.asked)
		}
	}
	if err != nil {
		return nil, gateway.AsError(err)
	}
	if dst, err = a.translator.request(dst, loss); err != nil {
		return nil, gateway.AsError(loss.Own(err))
	}
	return dst, a.drops(loss)
}

// drops tells what a translation left out.
func (a *attempt) drops(loss *wire.Loss) error {
	c, fields := a.call, loss.Fields()
	if len(fields) > 0 && c.proxy.Unmapped == unmappedReject {
		return gateway.Invalid(fields[0], "the provider of model '%s' has nothing for: %s; leave it out (this site refuses what cannot be translated)", c.x.Model, loss)
	}
	c.x.Update(func() { c.x.Dropped = fields })
	if len(fields) > 0 {
		a.dropped = headerSafe(loss.String())
	}
	return nil
}

// headerSafe makes text of a client's fit for a header.
func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 1024)])
}

// upstreamCodec is the codec of the dialect that route's provider speaks.
func upstreamCodec(route *gateway.Route, prefill wire.Prefill) wire.Codec {
	traits := route.Provider.Traits()
	return doors.Upstream(route.Operation, doors.Options{
		CapParam: traits.CapParam, NoStreamOptions: traits.NoStreamOptions, Reasoning: traits.WantsReasoning,
		Details: traits.ReasoningDetails, Labels: traits.Labels, Prefill: prefill,
		SeedParam: traits.SeedParam, ShortCallIDs: traits.ShortCallIDs,
	})
}

func redactor(provider gateway.Provider) func([]byte) []byte {
	return func(text []byte) []byte { return redact(provider, text) }
}
