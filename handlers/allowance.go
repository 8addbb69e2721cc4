package handlers

import (
	"context"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// allowance is how much output a running stream may bring before the gateway
// ends it: its cap, where streams are cut there, and what it has reserved of
// limits with `on_exceed cut`, which is extended while they have room.
//
// The store is asked ahead of time, on a goroutine of its own; the stream waits
// for it only where all that is held has been used up.
type allowance struct {
	call *call

	// cap bounds the output of all choices together; 0 when nothing is cut
	// there.
	cap int64

	// need is what was reserved so far, in input and output; claims are the
	// limits that cut, none when there are none.
	need   need
	claims []limits.Claim

	// extensions are reserved beyond the call's own reservation. pending brings
	// the one that the store is being asked for, nil when it has no room.
	extensions []*limits.Reservation
	pending    chan *limits.Reservation
	asking     int64 // output tokens of the pending one
	refused    bool  // an extension was
	refusedBy  limits.Unit
}

// newAllowance returns nil for a stream that nothing cuts.
func (c *call) newAllowance(route *gateway.Route) *allowance {
	var most int64
	env := &c.x.Envelope
	if route.Policy.Cuts(&c.proxy.policy) {
		limit := env.OutputCap
		if env.CapParam == "" || limit == 0 {
			limit = c.capToWrite(route)
		}
		most = limits.Multiply(limit, env.Choices)
	}
	claims := c.quota.cutting()
	if most == 0 && len(claims) == 0 {
		return nil
	}
	a := &allowance{call: c, cap: most, claims: claims}
	if len(claims) > 0 {
		a.need = c.quota.need
	}
	return a
}

// cutting are the claims that the call holds whose limits cut streams.
func (q *quota) cutting() (claims []limits.Claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil || q.need.output == 0 {
		return nil
	}
	for _, c := range q.held.Claims {
		if c.Rule.Cuts() {
			claims = append(claims, c)
		}
	}
	return claims
}

// slack is the part of a cap by which an estimate may exceed it: an answer that
// kept to its cap must not be cut because it was counted too high.
const slack = 4

// exceeded says why the stream is over, now that n tokens of output have come;
// empty while it may go on.
func (a *allowance) exceeded(n int64, exact bool) (by string) {
	if most := a.cap; most > 0 {
		if !exact {
			most = limits.Add(most, most/slack)
		}
		if n > most {
			return gateway.CutByCap
		}
	}
	if len(a.claims) == 0 {
		return ""
	}
	a.heed(false)
	for n > a.need.output {
		if a.heed(true) {
			continue
		}
		// What was asked for ahead of time may have been too much at once.
		a.ask(max(n-a.need.output, a.need.output/32))
		if !a.heed(true) {
			return gateway.CutByLimit
		}
	}
	if a.pending == nil && !a.refused && n >= a.need.output/5*4 {
		a.ask(max(a.need.output/4, 1))
	}
	return ""
}

// ask begins to reserve room for more tokens under all limits that cut.
func (a *allowance) ask(tokens int64) {
	r := reservations.Get().(*limits.Reservation)
	r.Reset()
	more := need{input: a.need.input, output: limits.Add(a.need.output, tokens)}
	a.asking, a.pending = tokens, make(chan *limits.Reservation, 1)
	for _, claim := range a.claims {
		before, err := a.call.amount(claim.Rule, &a.need)
		after, failed := a.call.amount(claim.Rule, &more)
		if err != nil || failed != nil { // the ledger cannot be written
			reservations.Put(r)
			a.refusedBy = claim.Rule.Unit
			a.pending <- nil
			return
		}
		r.Claim(claim.Key, claim.Rule, after-before)
	}
	go a.reserve(r, a.pending)
}

func (a *allowance) reserve(r *limits.Reservation, answer chan<- *limits.Reservation) {
	ctx, cancel := context.WithTimeout(a.call.life.Values(), settleTime)
	defer cancel()
	ok, err := a.call.proxy.limits.Reserve(ctx, r)
	if err == nil && !ok && a.call.correctOthers(r) {
		ok, err = a.call.proxy.limits.Reserve(ctx, r)
	}
	if ok && err == nil {
		answer <- r
		return
	}
	a.refusedBy = r.Claims[max(r.Refused, 0)].Rule.Unit
	reservations.Put(r)
	answer <- nil
}

// heed takes what the store has said, for which it waits if it must, and
// reports whether that was more room.
func (a *allowance) heed(wait bool) (more bool) {
	if a.pending == nil {
		return false
	}
	var r *limits.Reservation
	if wait {
		r = <-a.pending
	} else {
		select {
		case r = <-a.pending:
		default:
			return false
		}
	}
	a.pending = nil
	if r == nil {
		a.refused = true
		return false
	}
	a.extensions = append(a.extensions, r)
	a.need.output = limits.Add(a.need.output, a.asking)
	return true
}

// release gives the extensions back, when what was used has been settled with
// the call's own reservation: never the other way round, or the room would be
// another's for a moment.
func (a *allowance) release(ctx context.Context) (err error) {
	a.heed(true)
	for _, r := range a.extensions {
		if e := a.call.proxy.limits.Settle(ctx, r, make([]int64, len(r.Claims))); e != nil {
			err = e
		}
		reservations.Put(r)
	}
	a.extensions = nil
	return err
}
