package handlers

import (
	"context"
	"slices"
	"testing"

	"github.com/weirproxy/weir/gateway/limits"
)

// lessor is a store that remembers whose leases it was to renew.
type lessor struct {
	limits.Store
	renewed []*limits.Reservation
}

func (s *lessor) Renew(_ context.Context, r *limits.Reservation) error {
	s.renewed = append(s.renewed, r)
	return nil
}

func (s *lessor) Settle(_ context.Context, r *limits.Reservation, _ []int64) error {
	r.Held = false
	return nil
}

// TestBothAreRenewed holds that while a hedge is under way the places of both
// attempts are kept, and of the one that has lost no longer.
func TestBothAreRenewed(t *testing.T) {
	rule, err := limits.Parse([]string{"concurrency", "3"})
	if err != nil {
		t.Fatal(err)
	}
	s := new(lessor)
	c := &call{proxy: &Proxy{limits: s}}
	c.life.Begin(t.Context())
	var held [2]limits.Reservation
	for i := range held {
		held[i].Reset()
		held[i].Claim("key", &rule, 1)
		held[i].Held = true
	}
	c.hold(&held[0])
	first := c.swap(booking{})
	c.hold(&held[1])
	ring := func(n *renewal, want ...*limits.Reservation) {
		t.Helper()
		s.renewed = nil
		if n.ring(); !slices.Equal(s.renewed, want) {
			t.Errorf("renewed %v, want %v", s.renewed, want)
		}
	}
	lost := c.quota.renew
	ring(first.renew, &held[0])
	ring(lost, &held[1])
	beaten := c.swap(first) // the first has won
	if r := c.quota.held; r != &held[0] {
		t.Errorf("the call holds %v", r)
	}
	first = c.swap(beaten) // as free does
	_ = c.release(nil)
	c.swap(first)
	ring(lost)
	ring(first.renew, &held[0])
	_ = c.release(nil)
	ring(first.renew)
}
