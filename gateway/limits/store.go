package limits

import (
	"context"
	"errors"
	"time"
)

// Store holds counters. It is safe for concurrent use; a Reservation is not.
type Store interface {
	// Reserve takes room under all claims at once, or under none: then it
	// returns false, and r.Refused and r.Decisions say why. An error says that
	// the store cannot be asked; then nothing is held.
	Reserve(ctx context.Context, r *Reservation) (bool, error)

	// Settle corrects what is held to actual, parallel to r.Claims; nil keeps
	// all amounts. A request that costs nothing after all is all zeros.
	// Leases are released whatever actual says. A reservation that is not held
	// is left alone, so that settling twice counts once. r.Decisions are the
	// state afterwards. An error leaves r settled for the caller: the store
	// tries on by itself, or the amounts reserved stay counted.
	Settle(ctx context.Context, r *Reservation, actual []int64) error

	// Amend lowers what r holds to amounts, parallel to r.Claims, which are
	// its Amounts from then on; nothing becomes more, and leases stay. r.Decisions
	// are left alone. An error leaves r as it was, or what the store counts of
	// it: settling is right in either case.
	Amend(ctx context.Context, r *Reservation, amounts []int64) error

	// Renew keeps r's leases for another LeaseTime; call it every third of
	// it. ErrLeaseLost says that a lease had run out and its place is taken.
	Renew(ctx context.Context, r *Reservation) error

	// Peek fills r.Decisions with the state of the counters, and Over and
	// Wait as Reserve would, and takes nothing.
	Peek(ctx context.Context, r *Reservation) error

	// Charge counts the claims' amounts without asking whether there is room,
	// as debts are: what was decided elsewhere, or is known only afterwards.
	// Leases are left out. An error means later, as with Settle.
	Charge(ctx context.Context, claims []Claim) error

	// Restore raises each history's counter to at least what was used: what a
	// ledger knows to have been spent. Leases are not restored.
	Restore(ctx context.Context, histories []History) error

	// Close returns at once; what is held can still be settled.
	Close() error
}

// History is what was used under a rule in its window, by a ledger's knowledge.
type History struct {
	// Key is the counter's name, from [Key].
	Key  string
	Rule *Rule
	Uses []Use
}

// Use is an amount that was used some time ago, which counts in sliding windows.
type Use struct {
	Ago    time.Duration
	Amount int64
}

// Sum is all of it.
func (h *History) Sum() (sum int64) {
	for i := range h.Uses {
		sum = Add(sum, h.Uses[i].Amount)
	}
	return sum
}

// Tester is a Store that can show that its limits are in force, which is done
// before it is relied on.
type Tester interface {
	// SelfTest decides on counters of its own, and checks that the store
	// refuses what it must refuse. Warnings are for the log.
	SelfTest(ctx context.Context) (warnings []string, err error)
}

// The errors of stores.
var (
	// ErrUnavailable says that a store could not be asked in time.
	ErrUnavailable = errors.New("the store of limits is unavailable")

	// ErrFull says that a store keeps as many counters as it may, all of them
	// in use.
	ErrFull = errors.New("the store of limits is full")

	// ErrLeaseLost says that a concurrency lease ran out and its place is
	// taken.
	ErrLeaseLost = errors.New("the lease has run out and its place is taken")
)
