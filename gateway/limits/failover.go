package limits

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// LocalStore is what Failover decides with while its store is away: the
// memory store.
type LocalStore interface {
	Store

	// Note takes over how full r's counters are, from r.Decisions. Leases are left alone.
	Note(r *Reservation)

	// Recall sets Known and Generation of r.Holds to what was noted last,
	// without what was decided locally since: the store is charged for that.
	Recall(r *Reservation)
}

// Failover is a shared store with what its rules say for when it cannot be
// asked: on_store_error.
//
// A rule that is `local` goes on from what the store last said: every decision
// notes in the local store how full each counter is, fleet-wide. While the store
// is away, an instance counts every amount as often as there are instances,
// since the others do the same: together they admit what was left, and no more.
// What it admitted is charged to the store when that is back.
// The same notes tell a store that has lost its counters, or their last changes
// (a flush, a restart, a failover), where each of them stood: with every
// decision and settlement, until it has counted what was missing.
type Failover struct {
	store Store
	local LocalStore

	// instances is how many gateways share the store.
	instances func() int

	failures atomic.Int64
}

// NewFailover returns store with local to fall back on. instances says how
// many gateways share the store at the moment.
func NewFailover(store Store, local LocalStore, instances func() int) *Failover {
	if l, ok := store.(*Leased); ok {
		l.local.Store(&local)
	}
	return &Failover{store: store, local: local, instances: instances}
}

// Failures is how often the store was asked and did not answer in time, or was not
// asked since it was away.
func (f *Failover) Failures() int64 { return f.failures.Load() }

// judge counts what the store did not answer. A client that leaves says nothing
// about it.
func (f *Failover) judge(ctx context.Context, err error) error {
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		f.failures.Add(1)
	}
	return err
}

// Ratio is Leased.Ratio, of a store that lends room.
func (f *Failover) Ratio() (ratio float64, lends bool) {
	l, lends := f.store.(*Leased)
	if !lends {
		return 0, false
	}
	return l.Ratio(), true
}

// Reserve implements Store. Where a rule says `deny`, the error is
// ErrUnavailable and r.Refused that rule's claim.
func (f *Failover) Reserve(ctx context.Context, r *Reservation) (bool, error) {
	if err := r.Begin(); err != nil {
		return false, err
	}
	f.local.Recall(r)
	ok, err := f.store.Reserve(ctx, r)
	_ = f.judge(ctx, err)
	switch {
	case err == nil:
		r.degraded = false
		f.local.Note(r)
		if ok {
			f.mirror(ctx, r)
		}
		return ok, nil
	// A client that left is owed no decision.
	case !errors.Is(err, ErrUnavailable) || ctx.Err() != nil:
		return false, err
	}
	return f.decide(ctx, r)
}

// mirror takes the leases that the store has given in the local store too:
// an instance must know its own when the store goes away.
func (f *Failover) mirror(ctx context.Context, r *Reservation) {
	b := r.renewBackup()
	b.Force = true
	for i := range r.Claims {
		if c := &r.Claims[i]; c.Rule.Unit == Concurrency && c.Rule.OnStoreError == Local {
			b.Claim(c.Key, c.Rule, f.scale(c.Amount))
		}
	}
	if len(b.Claims) > 0 {
		_, _ = f.local.Reserve(ctx, b)
	}
}

func (f *Failover) scale(amount int64) int64 { return Multiply(amount, int64(max(1, f.instances()))) }

// decide is what the rules say without their store.
func (f *Failover) decide(ctx context.Context, r *Reservation) (bool, error) {
	r.Prepare()
	b := r.renewBackup()
	b.Force = r.Force
	for i := range r.Claims {
		c := &r.Claims[i]
		switch {
		case c.Rule.OnStoreError == Deny && !c.Rule.Shadow && !r.Force:
			r.Refused = i
			r.Decisions[i] = Decision{Limit: c.Rule.amount(), Over: true, Wait: Soon, Degraded: true}
			return false, fmt.Errorf("deciding %s: %w", c.Rule.ID(), ErrUnavailable)
		case c.Rule.OnStoreError == Local:
			b.Claim(c.Key, c.Rule, f.scale(c.Amount))
		}
	}
	ok, err := f.local.Reserve(ctx, b)
	if err != nil {
		return false, fmt.Errorf("deciding without the store: %w: %w", ErrUnavailable, err)
	}
	f.copyBack(r)
	if r.Refuse(); ok {
		r.Held, r.degraded, r.ID = true, true, ""
	}
	return ok, nil
}

// copyBack brings the local decisions into r.
func (f *Failover) copyBack(r *Reservation) {
	at := 0
	for i := range r.Claims {
		r.Decisions[i].Degraded = true
		r.Decisions[i].Limit = r.Claims[i].Rule.amount()
		r.Decisions[i].Remaining = r.Decisions[i].Limit
		if r.Claims[i].Rule.OnStoreError != Local || at >= len(r.backup.Decisions) {
			continue
		}
		d := r.backup.Decisions[at]
		d.Degraded = true
		// It does not fit this instance's share, but the limit.
		if d.Wait == Never && r.Claims[i].Amount <= d.Limit {
			d.Wait = Soon
		}
		r.Decisions[i] = d
		at++
	}
}

// Settle implements Store.
func (f *Failover) Settle(ctx context.Context, r *Reservation, actual []int64) error {
	if !r.Held {
		return nil
	}
	if !r.degraded {
		r.Prepare()
		f.local.Recall(r)
		err := f.judge(ctx, f.store.Settle(ctx, r, actual))
		if err == nil {
			f.local.Note(r)
		}
		if r.backup != nil {
			_ = f.local.Settle(ctx, r.backup, nil)
		}
		return err
	}
	r.Held, r.degraded = false, false
	b, settled := r.backup, actual
	if actual != nil {
		b.scaled = b.scaled[:0]
		for i := range r.Claims {
			if r.Claims[i].Rule.OnStoreError == Local && i < len(actual) {
				b.scaled = append(b.scaled, f.scale(actual[i]))
			}
		}
		actual = b.scaled
	}
	err := f.local.Settle(ctx, b, actual)
	r.Prepare()
	f.copyBack(r)
	// The store learns what it was not asked about.
	charges := make([]Claim, 0, len(r.Claims))
	for i, c := range r.Claims {
		if i < len(settled) {
			c.Amount = settled[i]
		}
		if c.Rule.Unit != Concurrency && c.Amount > 0 {
			charges = append(charges, c)
		}
	}
	if len(charges) > 0 {
		_ = f.Charge(ctx, charges)
	}
	return err
}

// Amend implements Store.
func (f *Failover) Amend(ctx context.Context, r *Reservation, amounts []int64) error {
	switch {
	case !r.Held:
		return nil
	case !r.degraded:
		return f.judge(ctx, f.store.Amend(ctx, r, amounts))
	}
	b := r.backup
	b.scaled = b.scaled[:0]
	for i := range min(len(amounts), len(r.Claims)) {
		if r.Claims[i].Rule.OnStoreError == Local {
			b.scaled = append(b.scaled, f.scale(amounts[i]))
		}
	}
	if err := f.local.Amend(ctx, b, b.scaled); err != nil {
		return err
	}
	r.Lower(amounts)
	return nil
}

// Charge implements Store.
func (f *Failover) Charge(ctx context.Context, claims []Claim) error {
	return f.judge(ctx, f.store.Charge(ctx, claims))
}

// Renew implements Store.
func (f *Failover) Renew(ctx context.Context, r *Reservation) error {
	if !r.Held {
		return nil
	}
	if r.degraded {
		return f.local.Renew(ctx, r.backup)
	}
	if r.backup != nil {
		_ = f.local.Renew(ctx, r.backup)
	}
	return f.judge(ctx, f.store.Renew(ctx, r))
}

// Peek implements Store.
func (f *Failover) Peek(ctx context.Context, r *Reservation) error {
	r.Prepare()
	f.local.Recall(r)
	err := f.judge(ctx, f.store.Peek(ctx, r))
	if err == nil {
		// A store that has lost its counters learns nothing from a look: it must
		// be told again.
		for i := range r.Claims {
			if r.Holds[i].Generation != r.Decisions[i].Generation {
				return nil
			}
		}
		f.local.Note(r)
		return nil
	}
	if !errors.Is(err, ErrUnavailable) {
		return err
	}
	r.Prepare()
	b := r.renewBackup()
	for i := range r.Claims {
		if c := &r.Claims[i]; c.Rule.OnStoreError == Local {
			b.Claim(c.Key, c.Rule, f.scale(c.Amount))
		}
	}
	if err := f.local.Peek(ctx, b); err != nil {
		return err
	}
	f.copyBack(r)
	r.Refuse()
	return nil
}

// Restore implements Store.
func (f *Failover) Restore(ctx context.Context, histories []History) error {
	return errors.Join(f.local.Restore(ctx, histories), f.judge(ctx, f.store.Restore(ctx, histories)))
}

// SelfTest implements Tester, for a store that is one.
func (f *Failover) SelfTest(ctx context.Context) ([]string, error) {
	if t, ok := f.store.(Tester); ok {
		return t.SelfTest(ctx)
	}
	return nil, nil
}

// Close implements Store: it closes both.
func (f *Failover) Close() error { return errors.Join(f.store.Close(), f.local.Close()) }

// Interface guards.
var (
	_ Store  = (*Failover)(nil)
	_ Tester = (*Failover)(nil)
)
