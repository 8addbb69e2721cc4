package handlers

import (
	"context"
	"errors"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// renewEvery is a third of a lease.
const renewEvery = limits.LeaseTime * time.Microsecond / 3

// leases is a call as its alarm wakes it.
type leases call

// ring implements ringer. It keeps the places under limits on concurrency for a call
// that lasts. A lease that was lost is not the client's fault: it goes on.
func (l *leases) ring() {
	c := (*call)(l)
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil || q.renew == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), renewEvery)
	defer cancel()
	_ = q.store.Renew(ctx, q.held)
	q.renew.reset(renewEvery)
}

// settleLimits gives back what was not used, or notes the debt, and tells those
// who wait.
func (c *call) settleLimits(record *gateway.Record) {
	if r := c.release(record); r != nil {
		c.wakeQueues(r)
		reservations.Put(r)
	}
}

// release settles what is held, nil for nothing: as record says, or, without
// one, as if it had not been asked for.
func (c *call) release(record *gateway.Record) *limits.Reservation {
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.held
	if r == nil {
		return nil
	}
	q.held = nil
	defer q.dropMargin(c, r)
	if q.renew != nil {
		q.renew.stop()
		q.renew = nil
	}
	if q.free != nil && record != nil {
		record = q.free.settled()
	}
	actual := r.Amounts(len(r.Claims))
	if record != nil && record.UsageSource != gateway.SourceNone {
		for i := range r.Claims {
			actual[i] = used(r.Claims[i].Rule, record)
		}
	}
	ctx := context.WithoutCancel(c.ctx) // a store bounds its own waits
	if err := q.store.Settle(ctx, r, actual); err != nil && !errors.Is(err, limits.ErrUnavailable) {
		c.proxy.logger.Warn("settling limits: " + err.Error())
	}
	if c.allowance != nil {
		if err := c.allowance.release(ctx); err != nil && !errors.Is(err, limits.ErrUnavailable) {
			c.proxy.logger.Warn("settling limits: " + err.Error())
		}
	}
	return r
}

// settleTime bounds the wait for a store at a request's end. The store goes on
// by itself.
const settleTime = time.Second

// used is what an exchange used of a rule.
func used(rule *limits.Rule, record *gateway.Record) int64 {
	switch rule.Unit {
	case limits.Requests:
		return 1
	case limits.Tokens:
		return limits.Add(record.Usage.Input, record.Usage.Output)
	case limits.InputTokens:
		return record.Usage.Input
	case limits.OutputTokens:
		return record.Usage.Output
	case limits.USD:
		return record.Cost.Total
	default:
		return 0
	}
}
