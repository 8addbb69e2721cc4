package handlers

import (
	"context"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// Far from its limits a call reserves an upper bound of its prompt instead of
// counting it: see limits.Margins. No limit refuses anybody before the prompts
// that matter to it have been counted.

// counts reports whether a rule counts what a prompt has in tokens.
func counts(rule *limits.Rule) bool {
	return rule.Unit == limits.Tokens || rule.Unit == limits.InputTokens || rule.Unit == limits.USD
}

// mark announces what r holds more than is needed, before it is reserved, and
// keeps who would correct it waiting until marked. A limit that is too near or
// too small for that has the prompt counted.
func (c *call) mark(r *limits.Reservation) error {
	q := &c.quota
	if !q.need.rough {
		return nil
	}
	without, plain := need{output: q.need.output}, true
	for i := range r.Claims {
		claim := &r.Claims[i]
		plain = plain && claim.Rule.Queue == 0 && claim.Rule.Downgrade == ""
		if !counts(claim.Rule) {
			continue
		}
		least, err := c.amount(claim.Rule, &without)
		if err != nil {
			return err
		}
		plain = plain && claim.Rule.Bears(claim.Amount-least)
	}
	// What is attached is looked for last: it takes a look at every byte.
	if !plain || wire.MayAttach(c.x.Envelope.Body()) {
		return c.countExactly(r)
	}
	q.mu.Lock()
	q.marking = true
	for i := range r.Claims {
		if counts(r.Claims[i].Rule) && !c.proxy.margins.Hold(r.Claims[i].Key, c) {
			q.dropMargin(c, r)
			c.unmark()
			return c.countExactly(r)
		}
	}
	return nil
}

// marked ends the wait of those who would correct the margin, and the margin if it
// was not reserved after all.
func (c *call) marked(r *limits.Reservation) {
	if q := &c.quota; q.marking {
		if q.held != r {
			q.dropMargin(c, r)
		}
		c.unmark()
	}
}

func (c *call) unmark() {
	c.quota.marking = false
	c.quota.mu.Unlock()
}

// countExactly counts the prompt, and has the claims ask for just that.
func (c *call) countExactly(r *limits.Reservation) error {
	n := &c.quota.need
	n.rough, n.input = false, c.countPrompt(n.model)
	for i := range r.Claims {
		if claim := &r.Claims[i]; counts(claim.Rule) {
			amount, err := c.amount(claim.Rule, n)
			if err != nil {
				return err
			}
			claim.Amount = amount
		}
	}
	return nil
}

// decide asks the store. Where a limit that counts prompts refuses, it is asked
// again when all of them have been counted, the call's own and those of others.
func (c *call) decide(r *limits.Reservation) (ok bool, err error) {
	before := c.returned(r)
	ok, err = c.askStore(r)
	if err == nil && !ok && c.refusedByCount(r) {
		again := false
		if q := &c.quota; q.need.rough {
			q.dropMargin(c, r)
			c.unmark()
			if err := c.countExactly(r); err != nil {
				return false, err
			}
			again = true
		}
		if again = c.correctOthers(r) || again || c.returned(r) != before; again {
			ok, err = c.askStore(r)
		}
	}
	if err == nil {
		c.noteMargins(r)
	}
	return ok, err
}

// askStore asks for r once. What is forced has been used: it is counted also if the
// client has left meanwhile.
func (c *call) askStore(r *limits.Reservation) (bool, error) {
	if r.Force {
		return c.proxy.limits.Reserve(c.life.Values(), r)
	}
	return c.proxy.limits.Reserve(c.ctx, r)
}

// returned changes when a margin of one of r's counters goes.
func (c *call) returned(r *limits.Reservation) (n uint64) {
	for i := range r.Claims {
		if counts(r.Claims[i].Rule) {
			n += c.proxy.margins.Returned(r.Claims[i].Key)
		}
	}
	return n
}

func (c *call) refusedByCount(r *limits.Reservation) bool {
	for i := range r.Claims {
		if rule := r.Claims[i].Rule; r.Decisions[i].Over && !rule.Shadow && counts(rule) {
			return true
		}
	}
	return false
}

// correctOthers has others give their margins back under the limits that have no
// room for r, and reports whether there were any.
func (c *call) correctOthers(r *limits.Reservation) (any bool) {
	for i := range r.Claims {
		if r.Decisions[i].Over && counts(r.Claims[i].Rule) {
			any = c.proxy.margins.Correct(r.Claims[i].Key) || any
		}
	}
	return any
}

// noteMargins remembers which limits are near. Where one has come near just now,
// all who hold a margin give it back, beside the call: on other instances somebody
// may be refused soon.
func (c *call) noteMargins(r *limits.Reservation) {
	for i := range r.Claims {
		if !counts(r.Claims[i].Rule) {
			continue
		}
		if holders := c.proxy.margins.Note(r.Claims[i].Key, r.Decisions[i].Near()); len(holders) > 0 {
			go func() {
				for _, h := range holders {
					h.Correct()
				}
			}()
		}
	}
}

// Correct implements limits.Holder.
func (c *call) Correct() { c.quota.correct(c) }

// correct counts the prompt of a call that is under way, and lowers what it holds
// to that.
func (q *quota) correct(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.held
	if r == nil || !q.need.rough {
		return
	}
	exact := q.need
	c.x.Update(func() { exact.input = c.countPrompt(exact.model) })
	amounts := make([]int64, len(r.Claims))
	for i := range r.Claims {
		claim := &r.Claims[i]
		if amounts[i] = claim.Amount; counts(claim.Rule) {
			if amount, err := c.amount(claim.Rule, &exact); err == nil {
				amounts[i] = amount
			}
		}
	}
	was := append([]limits.Claim(nil), r.Claims...)
	ctx, cancel := context.WithTimeout(c.life.Values(), settleTime)
	defer cancel()
	if err := c.proxy.limits.Amend(ctx, r, amounts); err != nil {
		return // it is corrected when it settles, or when somebody asks again
	}
	for i := range was {
		r.Decisions[i].Remaining += was[i].Amount - r.Claims[i].Amount
	}
	q.dropMargin(c, r)
	q.need = exact
	q.need.rough = false
}

// dropMargin says that nothing of r is to be corrected any more; under mu.
func (q *quota) dropMargin(c *call, r *limits.Reservation) {
	if !q.need.rough {
		return
	}
	q.need.rough = false
	for i := range r.Claims {
		if counts(r.Claims[i].Rule) {
			c.proxy.margins.Drop(r.Claims[i].Key, c)
		}
	}
}

// forgoMargin keeps what is held as it is: the prompt is about to go.
func (c *call) forgoMargin() {
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held != nil {
		q.dropMargin(c, q.held)
	}
}

// Interface guard.
var _ limits.Holder = (*call)(nil)
