package memory

import (
	"context"

	"github.com/weirproxy/weir/gateway/limits"
)

// Charge implements limits.Store.
func (s *Store) Charge(_ context.Context, claims []limits.Claim) error {
	return s.each(claims, func(c *limits.Counter, amount int64) { c.Add(amount) })
}

// Restore implements limits.Store.
func (s *Store) Restore(_ context.Context, claims []limits.Claim) error {
	return s.each(claims, func(c *limits.Counter, amount int64) {
		if c.Used() < amount {
			c.Level(amount)
		}
	})
}

// each changes the counters of claims, one by one; leases are left out.
func (s *Store) each(claims []limits.Claim, change func(c *limits.Counter, amount int64)) error {
	for i := range claims {
		if claims[i].Rule.Unit == limits.Concurrency {
			continue
		}
		var d decision
		if err := s.lock(&d, claims[i:i+1]); err != nil {
			return err
		}
		change(d.counters[0], min(max(claims[i].Amount, 0), limits.MaxAmount))
		s.unlock(&d)
	}
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
