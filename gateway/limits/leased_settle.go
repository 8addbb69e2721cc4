package limits

import "context"

// Amend implements Store.
func (l *Leased) Amend(ctx context.Context, r *Reservation, amounts []int64) error {
	if !r.Held {
		return nil
	}
	now := l.clock()
	strict := false
	for i := range min(len(amounts), len(r.Claims)) {
		claim, hold := &r.Claims[i], &r.Holds[i]
		if !r.Lowers(i, amounts[i]) {
			continue
		}
		if hold.Lease == inStore {
			strict = true
			continue
		}
		c := l.chunk(claim)
		c.settle(hold.Slot, hold.Amount, amounts[i], l.lendingTime(claim.Rule), now)
		hold.Amount = amounts[i]
		if c.tight && c.flight == nil {
			l.refill(c, now)
		}
		c.mu.Unlock()
	}
	var err error
	if strict {
		err = l.lender.Amend(ctx, r.strict, r.strictly(amounts))
	}
	r.Lower(amounts)
	l.arm()
	return err
}

// Settle implements Store.
func (l *Leased) Settle(ctx context.Context, r *Reservation, actual []int64) error {
	if !r.Held {
		return nil
	}
	r.Held = false
	r.Prepare()
	now := l.clock()
	strict := false
	for i := range r.Claims {
		claim, hold := &r.Claims[i], &r.Holds[i]
		if hold.Lease == inStore {
			strict = true
			continue
		}
		c := l.chunk(claim)
		if i < len(actual) {
			c.settle(hold.Slot, hold.Amount, actual[i], l.lendingTime(claim.Rule), now)
		}
		r.Decisions[i] = c.decision(claim.Rule.amount(), now)
		// Near the limit others wait for what comes back.
		if c.tight && c.flight == nil && i < len(actual) && actual[i] < hold.Amount {
			l.refill(c, now)
		}
		c.mu.Unlock()
	}
	var err error
	if strict {
		if len(actual) > 0 {
			actual = r.strictly(actual)
		}
		r.strictKnowledge()
		err = l.lender.Settle(ctx, r.strict, actual)
		r.strictDecisions()
	}
	l.held.Add(-1)
	l.arm()
	return err
}
