package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// statusClientGone is what logs show for a request that nobody waited for.
const statusClientGone = 499

func notFound(r *http.Request) *gateway.Error {
	return &gateway.Error{Kind: wire.KindNotFound, Message: fmt.Sprintf("unknown request URL: %s %s; see the list of endpoints in the gateway's documentation", r.Method, r.URL.Path)}
}

func methodNotAllowed(r *http.Request, allow string) *gateway.Error {
	return &gateway.Error{Kind: wire.KindMethod, Message: fmt.Sprintf("%s is not allowed here; use %s", r.Method, allow)}
}

// crashed is the error of a panic. Only the runtime's own values are shown in
// the log: others may hold a piece of a request, or a secret.
func crashed(value any) *gateway.Error {
	shown := fmt.Sprintf("%T", value)
	if e, ok := value.(runtime.Error); ok {
		shown = e.Error()
	}
	return &gateway.Error{Kind: wire.KindInternal, Phase: "panic", Message: "internal error", Cause: fmt.Errorf("panic: %s\n%s", shown, debug.Stack())}
}

// refuse answers a request that is no exchange.
func (c *call) refuse(e *gateway.Error) error {
	c.identify()
	return c.render(e)
}

// fail ends an exchange with err: unseen, as an answer of its own, or, when
// the client has seen the beginning of another, inside that. It is the one
// place that decides what a client learns of a failure.
func (c *call) fail(err error) error {
	c.pulse.stop()
	if errors.Is(err, gateway.ErrClientGone) || c.absent() {
		c.x.End(func(o *gateway.Outcome) {
			o.ClientGone = true
			if o.Status == 0 {
				o.Status = statusClientGone
			}
		})
		panic(http.ErrAbortHandler)
	}
	e, refused := gateway.AsError(err), asRefusal(err)
	c.x.End(func(o *gateway.Outcome) { o.Err = e })
	switch started := c.out.claim(); {
	case started && refused != nil:
		refused.inside()
	case started:
	case refused != nil:
		return c.renderRefusal(refused)
	default:
		t := newTexts()
		c.appendTold(t)
		c.setExplain()
		return c.renderIn(t, e)
	}
	c.breakOff(e)
	return nil
}

// breakOff ends a stream that the client has seen the beginning of: an error
// event in the dialect, no terminator, and a body that ends abnormally, so
// that it never looks complete.
func (c *call) breakOff(e *gateway.Error) {
	seen, a := c.x.Seen(), c.current
	told := seen.Failure != nil && a != nil && a.shown
	if c.followed != nil {
		seen, told = c.followed.seen, c.followed.told
	}
	// The upstream's own error event went out as it came.
	if !told {
		var event []byte
		if a != nil && a.conversation != nil && a.conversation.started {
			event = a.conversation.fail(e.Failure(c.id))
		} else {
			event = c.door.AppendErrorEvent(nil, e.Failure(c.id), &seen)
		}
		_ = c.out.event(time.Now(), event, true)
	}
	c.letRead()
	panic(http.ErrAbortHandler)
}

// resetDelay is how long a client of HTTP/3 has to read what was written
// before a reset: QUIC drops what is on its way then (RFC 9000, 3.2), and the
// error event with it. TCP delivers it first.
const resetDelay = 200 * time.Millisecond

func (c *call) letRead() {
	if c.r.ProtoMajor != 3 {
		return
	}
	timer := time.NewTimer(resetDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.r.Context().Done():
	}
}

// render writes e as an answer in the caller's dialect, or hands it to
// Caddy's error routes when the site asks for that. A HandlerError must be
// the outermost error: a wrapped one is answered with 200.
func (c *call) render(e *gateway.Error) error { return c.renderIn(newTexts(), e) }

// renderIn does so together with the fields of t, which it releases.
func (c *call) renderIn(t *texts, e *gateway.Error) error {
	status := e.Kind.Status(c.route.Dialect)
	appendRetry(t, e)
	leaveBody(c.out.w.Header(), c.r)
	if c.proxy.Errors == "caddy" {
		c.out.setAll(t)
		if c.x != nil {
			c.x.End(func(o *gateway.Outcome) { o.Status = status })
		}
		return caddyhttp.Error(status, errors.New(e.Message))
	}
	body := newPayload()
	defer body.release()
	body.bytes = wire.AppendErrorBody(body.bytes, c.route.Dialect, e.Failure(c.id))
	c.out.set("Content-Type", "application/json")
	t.number("Content-Length", int64(len(body.bytes)))
	c.out.setAll(t)
	_ = c.out.whole(status, body.bytes)
	return nil
}
