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

// renewal keeps the places under limits on concurrency of what is held, for a call
// that lasts. A hedge has one of its own beside the first's.
type renewal struct {
	call  *call
	held  *limits.Reservation // nil when it was given back; guarded by the quota's mutex
	alarm *alarm
}

// begin has r renewed from now on. The quota is locked.
func (n *renewal) begin(c *call, r *limits.Reservation) {
	n.call, n.held, n.alarm = c, r, newAlarm(renewEvery, n)
}

// end is the end of that. The quota is locked.
func (n *renewal) end() {
	n.alarm.stop()
	n.held, n.alarm = nil, nil
}

// ring implements ringer. A lease that was lost is not the client's fault: it goes on.
func (n *renewal) ring() {
	q := &n.call.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if n.held == nil {
		return
	}
	ctx, cancel := context.WithTimeout(n.call.life.Values(), renewEvery)
	defer cancel()
	_ = n.call.proxy.limits.Renew(ctx, n.held)
	n.alarm.reset(renewEvery)
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
		q.renew.end()
		q.renew = nil
	}
	if q.free != nil && record != nil {
		record = q.free.settled()
	}
	actual := r.Amounts(len(r.Claims))
	if record != nil && (record.UsageSource != gateway.SourceNone || c.x.Operation.Free && record.Error == "") {
		for i := range r.Claims {
			actual[i] = used(r.Claims[i].Rule, record)
		}
	}
	ctx := c.life.Values() // a store bounds its own waits
	if err := c.proxy.limits.Settle(ctx, r, actual); err != nil && !errors.Is(err, limits.ErrUnavailable) {
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
