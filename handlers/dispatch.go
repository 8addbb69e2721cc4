package handlers

import (
	"context"
	"io"
	"net/http"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
)

// dispatch sends the call to its target and returns the upstream's answer as
// soon as it has headers. It is never sent twice.
func (c *call) dispatch() (*http.Response, error) {
	outgoing, err := c.prepare()
	if err != nil {
		return nil, err
	}
	header := c.out.w.Header()
	setHeader(header, headerProvider, c.x.Target.Provider)
	setHeader(header, headerModel, c.x.Target.Model)
	setHeader(header, headerAttempts, "1")

	limits := c.limits()
	var ctx context.Context
	ctx, c.span = telemetry.StartSpan(c.ctx, c.x)
	if c.x.Stream {
		c.out.expectStream(c.door)
	}
	c.pulse.start(c, limits)

	start := c.proxy.gateway.Now()
	c.upstreamStart = start
	c.x.Update(func() { c.x.Attempts++ })
	// Sent is spent: from here on an upstream may have begun to work.
	c.x.Accepted()
	c.proxy.host.Began(c.x)
	res, err := c.target.Provider.Do(ctx, outgoing)
	c.proxy.metrics.Attempt(c.x.Target.Provider, res, err)
	if err != nil {
		return nil, c.dispatchFailed(err)
	}
	c.x.End(func(o *gateway.Outcome) { o.UpstreamID = c.upstreamID(res.Header) })
	c.proxy.gateway.Health.Report(c.x.Target, res.StatusCode < http.StatusInternalServerError && res.StatusCode != http.StatusTooManyRequests)
	if res.StatusCode >= http.StatusBadRequest {
		c.x.Refused()
	}
	return res, nil
}

// dispatchFailed files the failure of a call that got no answer.
func (c *call) dispatchFailed(err error) error {
	if c.r.Context().Err() != nil {
		return gateway.ErrClientGone
	}
	e := gateway.AsError(err)
	if e.Phase == "connect" || e.Phase == "tls" {
		c.x.Refused() // nothing reached the upstream
	}
	if e != gateway.ErrShutdown {
		c.proxy.gateway.Health.Report(c.x.Target, false)
	}
	return e
}

// prepare makes the outgoing call.
func (c *call) prepare() (*gateway.Call, error) {
	op := c.target.Operation
	outgoing := &gateway.Call{
		Operation: op,
		Path:      op.Path,
		Model:     c.target.Target.Model,
		Method:    http.MethodPost,
		Header:    c.r.Header,
		Stream:    c.x.Stream,
		RequestID: c.id,
	}
	if c.form != nil {
		body, length, err := c.form.send(c.x.Target.Model)
		if err != nil {
			return nil, err
		}
		outgoing.Body, outgoing.Length = body, length
		outgoing.ContentType = c.r.Header.Get("Content-Type")
		return outgoing, nil
	}
	sent := newPayload()
	if op == c.route.Operation {
		c.edit(sent)
	} else {
		// The client's body stays: its prompt is counted in its own dialect.
		body, err := c.translate(sent.bytes)
		if err != nil {
			sent.release()
			return nil, err
		}
		sent.bytes = body
		defer sent.release()
	}
	outgoing.Body, outgoing.Length = sent.reader(), int64(len(sent.bytes))
	outgoing.GetBody = func() (io.ReadCloser, error) { return sent.reader(), nil }
	outgoing.ContentType = "application/json"
	return outgoing, nil
}

// edit makes the body for an upstream of the client's dialect: the client's
// bytes, which are not kept, with the few changes that the upstream needs.
func (c *call) edit(sent *payload) {
	env := &c.x.Envelope
	rw := c.rewrite()
	c.askedUsage = rw.AskUsage && !env.IncludeUsage
	sent.bytes = env.Apply(sent.bytes, rw)
	c.x.Update(func() { env.Detach(sent.bytes) })
	c.body.release()
	c.body = sent
}

// discard closes an upstream's body that nobody will read.
func discard(body io.Closer) { _ = body.Close() }
