package memory

import (
	"context"

	"github.com/weirproxy/weir/gateway/limits"
)

// Charge implements limits.Store.
func (s *Store) Charge(_ context.Context, claims []limits.Claim) error {
	for i := range claims {
		if err := s.change(claims[i:i+1], func(c *limits.Counter) { c.Add(min(max(claims[i].Amount, 0), limits.MaxAmount)) }); err != nil {
			return err
		}
	}
	return nil
}

// Restore implements limits.Store.
func (s *Store) Restore(_ context.Context, histories []limits.History) error {
	for i := range histories {
		h := &histories[i]
		if err := s.change([]limits.Claim{{Key: h.Key, Rule: h.Rule}}, func(c *limits.Counter) { c.Restore(h) }); err != nil {
			return err
		}
	}
	return nil
}

// change changes the counter of the one claim; leases are left out.
func (s *Store) change(claim []limits.Claim, change func(c *limits.Counter)) error {
	if claim[0].Rule.Unit == limits.Concurrency {
		return nil
	}
	var d decision
	if err := s.lock(&d, claim); err != nil {
		return err
	}
	defer s.unlock(&d)
	change(d.counters[0])
	return nil
}

// Note implements limits.LocalStore.
func (s *Store) Note(r *limits.Reservation) {
	var d decision
	if s.lock(&d, r.Claims) != nil {
		return
	}
	defer s.unlock(&d)
	for i := range r.Claims {
		if c := d.counters[i]; r.Claims[i].Rule.Unit != limits.Concurrency {
			c.Tell(r.Claims[i].Rule, d.now, r.Decisions[i].Used, r.Decisions[i].Generation)
		}
	}
}

// Recall implements limits.LocalStore.
func (s *Store) Recall(r *limits.Reservation) {
	var d decision
	if s.lock(&d, r.Claims) != nil {
		return
	}
	defer s.unlock(&d)
	for i := range r.Claims {
		r.Holds[i].Known, r.Holds[i].Generation = d.counters[i].Told(r.Claims[i].Rule, d.now)
	}
}
