package limitstest

import (
	"context"
	"errors"

	"github.com/weirproxy/weir/gateway/limits"
)

// Replica stands in for a store that lacks the last changes.
type Replica interface {
	// Copy takes over what the store holds now.
	Copy()

	// Promote puts what was copied last in the place of the store; without a
	// copy, nothing is left.
	Promote()
}

// failover copies, loses what came after the last copy, or, as a restart does,
// loses nothing.
func (tr *fleet) failover() {
	switch tr.rnd.IntN(4) {
	case 0, 1:
		tr.f.Replica.Copy()
		return
	case 2:
		tr.f.Replica.Copy()
	default:
		tr.lost = append(tr.lost, fault{tr.clock.Micros(), tr.clock.Now()})
	}
	tr.f.Replica.Promote()
	tr.promoted++
	// The bound holds when everybody has come back, with what chunks hold and
	// with what is known of others.
	tr.pass(tr.f.Terms.Time / 2)
	for _, in := range tr.instances {
		tr.background(in)
		for i, rule := range tr.rules {
			err := limits.ErrUnavailable
			for range 50 {
				r := &limits.Reservation{}
				r.Reset()
				r.Claim(tr.keys[i], rule, 0)
				if _, err = in.reserve(r); err == nil {
					err = in.settle(r, nil)
				}
				if !errors.Is(err, limits.ErrUnavailable) {
					break
				}
			}
			if err != nil {
				tr.t.Fatal(err)
			}
		}
	}
}

// reserve asks the instance as limits.Failover does, when the store is not away.
func (in *instance) reserve(r *limits.Reservation) (bool, error) {
	if in.local != nil {
		if err := r.Begin(); err != nil {
			return false, err
		}
		in.local.Recall(r)
	}
	ok, err := in.store.Reserve(context.Background(), r)
	if err == nil && in.local != nil {
		in.local.Note(r)
	}
	return ok, err
}

func (in *instance) settle(r *limits.Reservation, actual []int64) error {
	held := r.Held
	if held && in.local != nil {
		r.Prepare()
		in.local.Recall(r)
	}
	err := in.store.Settle(context.Background(), r, actual)
	if err == nil && held && in.local != nil {
		in.local.Note(r)
	}
	return err
}
