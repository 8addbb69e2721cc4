package memory

import (
	"context"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

// Reserve implements limits.Store.
func (s *Store) Reserve(_ context.Context, r *limits.Reservation) (bool, error) {
	if err := r.Begin(); err != nil {
		return false, err
	}
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return false, err
	}
	defer s.unlock(&d)
	if !d.fits(r) {
		if s.decide(&d, r); r.Refuse() {
			return false, nil
		}
	}
	for i := range r.Claims {
		claim, hold, c := &r.Claims[i], &r.Holds[i], d.counters[i]
		if hold.Amount = claim.Amount; claim.Rule.Unit == limits.Concurrency {
			hold.Lease = s.leases.Add(1)
			c.Take(hold.Lease, claim.Amount, d.now.Micros+limits.LeaseTime)
		} else {
			hold.Slot = c.Hold(claim.Amount)
		}
		wait := r.Decisions[i].Wait
		r.Decide(i, c.Used(), c.Reset(claim.Rule, d.now), wait)
	}
	r.Held = true
	return true, nil
}

// fits reports whether there is room for all claims.
func (d *decision) fits(r *limits.Reservation) bool {
	for i := range r.Claims {
		claim := &r.Claims[i]
		if !d.counters[i].Fits(claim.Amount, most(claim.Rule)) {
			return false
		}
	}
	return true
}

// most is the rule's amount within the bounds that counters know.
func most(rule *limits.Rule) int64 { return min(max(rule.Amount, 0), limits.MaxAmount) }

// decide notes where every claim stands.
func (s *Store) decide(d *decision, r *limits.Reservation) {
	for i := range r.Claims {
		claim, c := &r.Claims[i], d.counters[i]
		limit := most(claim.Rule)
		var wait time.Duration
		if !c.Fits(claim.Amount, limit) {
			wait = c.Wait(claim.Rule, d.now, claim.Amount, limit)
		}
		r.Decide(i, c.Used(), c.Reset(claim.Rule, d.now), wait)
	}
}

// Settle implements limits.Store.
func (s *Store) Settle(_ context.Context, r *limits.Reservation, actual []int64) error {
	if !r.Held {
		return nil
	}
	r.Held = false
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	r.Prepare()
	for i := range r.Claims {
		rule, hold, c := r.Claims[i].Rule, &r.Holds[i], d.counters[i]
		switch {
		case rule.Unit == limits.Concurrency:
			c.Release(hold.Lease)
		case i < len(actual):
			c.Settle(hold.Slot, hold.Amount, actual[i])
		default:
			c.Settle(hold.Slot, hold.Amount, hold.Amount)
		}
		r.Decide(i, c.Used(), c.Reset(rule, d.now), 0)
	}
	return nil
}

// Amend implements limits.Store.
func (s *Store) Amend(_ context.Context, r *limits.Reservation, amounts []int64) error {
	if !r.Held {
		return nil
	}
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	for i := range min(len(amounts), len(r.Claims)) {
		if hold := &r.Holds[i]; r.Lowers(i, amounts[i]) {
			d.counters[i].Amend(hold.Slot, hold.Amount, amounts[i])
			hold.Amount = amounts[i]
		}
	}
	r.Lower(amounts)
	return nil
}

// Renew implements limits.Store.
func (s *Store) Renew(_ context.Context, r *limits.Reservation) error {
	if !r.Held {
		return nil
	}
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	lost := false
	for i := range r.Claims {
		if claim := &r.Claims[i]; claim.Rule.Unit == limits.Concurrency {
			expiry := d.now.Micros + limits.LeaseTime
			lost = !d.counters[i].Renew(r.Holds[i].Lease, r.Holds[i].Amount, expiry, claim.Rule.Amount) || lost
		}
	}
	if lost {
		return limits.ErrLeaseLost
	}
	return nil
}

// Peek implements limits.Store.
func (s *Store) Peek(_ context.Context, r *limits.Reservation) error {
	var d decision
	if err := s.lock(&d, r.Claims); err != nil {
		return err
	}
	defer s.unlock(&d)
	r.Prepare()
	s.decide(&d, r)
	r.Refuse()
	return nil
}
