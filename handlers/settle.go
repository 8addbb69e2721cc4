package handlers

import (
	"cmp"
	"net/http"

	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
)

// Settle implements inflight.Work: it settles an exchange whose handler is stuck
// while the process exits.
func (c *call) Settle() {
	c.x.End(func(o *gateway.Outcome) {
		o.Err = gateway.ErrShutdown
	})
	c.finish(c.x.Settle())
}

// settle ends the exchange, whichever way it went; a panic passes through.
func (c *call) settle() {
	c.pulse.stop()
	if r := recover(); r != nil {
		if r != http.ErrAbortHandler {
			c.x.End(func(o *gateway.Outcome) {
				o.Err = &gateway.Error{Kind: wire.KindInternal, Message: "internal error"}
			})
		}
		defer panic(r)
	}
	_ = c.land(gateway.ErrShutdown) // unless it has landed: after a panic
	if c.renewed != nil {
		c.renewed()
	}
	if c.unwatch != nil {
		c.unwatch()
	}
	if !c.handedOver {
		c.cancel(nil)
	}
	sent, status, stalled := c.out.finish()
	c.x.End(func(o *gateway.Outcome) {
		o.BytesOut, o.Stalled = sent, o.Stalled || stalled
		if status != 0 {
			o.Status = status
		}
	})
	if c.current != nil {
		c.current.ended(c.outcome())
	}
	if c.way.pick != nil {
		c.way.abandon() // unless an attempt was made on it
	}
	record := c.x.Settle()
	if record != nil {
		c.settleLimits(record)
	}
	c.logRecord(record)
	c.finish(record)
	c.forgoMargin()
	c.body.release()
	if c.form != nil {
		c.form.spool.close()
	}
	if c.admitted {
		c.proxy.overload.Leave()
	}
	c.flight.Done()
	if record != nil { // else another settles it at this moment
		c.recycle()
	}
}

// outcome is why the call failed, nil when it did not.
func (c *call) outcome() error {
	switch o := c.x.Outcome(); {
	case o.Err != nil:
		return o.Err
	case o.ClientGone:
		return gateway.ErrClientGone
	default:
		return nil
	}
}

// finish tells metrics and traces of the record; nil when another has.
func (c *call) finish(record *gateway.Record) {
	if record == nil {
		return
	}
	c.proxy.metrics.End(record, c.modelLabel(record.Model))
	if c.current != nil {
		telemetry.EndSpan(c.current.span, record, c.current.told)
	}
}

// modelLabel is the model as metrics name it: only configured names, so that
// clients cannot make series. asked is the name that the client sent: all there is of
// a request that was refused, or counted here, before it had a target.
func (c *call) modelLabel(asked string) string {
	if c.target != nil {
		return cmp.Or(c.target.Alias, telemetry.Other)
	}
	if model, _ := c.proxy.gateway.Alias(asked); model != nil && !model.Internal {
		return model.Name
	}
	return telemetry.Other
}

// logRecord puts the record into the request's access log line, and failures
// that are ours or the upstream's into the error log: no one else would.
func (c *call) logRecord(record *gateway.Record) {
	if record == nil {
		return
	}
	if logsAccess(c.r) {
		c.addLog(zap.Object("ai", telemetry.Object{Record: record}))
	}
	// What is refused for too much of it must not fill the log besides.
	if err := c.x.Outcome().Err; err != nil && err.Phase != gateway.PhaseOverload && err.Phase != gateway.PhaseCapacity && err.Kind.Status(wire.OpenAI) >= http.StatusInternalServerError {
		if ce := c.proxy.logger.Check(zap.WarnLevel, "request failed"); ce != nil {
			ce.Write(zap.String("request_id", c.id), zap.String("provider", record.Provider), zap.String("phase", err.Phase), zap.Error(err))
		}
	}
}
