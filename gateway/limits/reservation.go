package limits

import (
	"errors"
	"slices"
	"time"
)

// MaxClaims is how many rules one request may fall under.
const MaxClaims = 64

// Claim is what a request asks of one rule.
type Claim struct {
	// Key is the counter's name, from [Key]. It names the scope, its bearer
	// and what is counted, not the settings.
	Key string

	Rule *Rule

	// Amount is how much is asked for; 1 for Requests and Concurrency.
	Amount int64

	// Scope and Name are the bearer, for whoever words a refusal; stores do not
	// look at them.
	Scope, Name string
}

// Decision is the state of a claim's counter after the decision.
type Decision struct {
	// Limit, Used and Remaining are in the rule's unit. Used counts what is
	// reserved; it exceeds Limit when there are debts.
	Limit, Used, Remaining int64

	// Reset is how long it takes until the counter is whole again.
	Reset time.Duration

	// Over says that there was no room. Such a claim refused the reservation,
	// unless its rule is a shadow.
	Over bool

	// Wait is how long it takes until there is room for the amount; 0 when
	// there was, Never when the amount is over the limit itself.
	Wait time.Duration

	// Degraded says that the store could not be asked, and the rule's
	// on_store_error decided.
	Degraded bool

	// Generation names the life of the store's counter that this is the state
	// of; another one than before means that the store has lost it, or its last
	// changes. 0 of a store that has one life.
	Generation int64
}

// Reservation is what a request asks of all its rules, what was decided, and
// what it holds until it settles. It is reusable: Reset keeps its memory, so
// that a pooled one costs no allocation. It belongs to one goroutine.
type Reservation struct {
	Claims []Claim

	// Decisions are parallel to Claims after every call to a store.
	Decisions []Decision

	// Refused is the claim that refused the last Reserve, the one with the
	// longest wait if several did; -1 if none.
	Refused int

	// ID names the reservation in a store that outlives the process, for
	// journals: a Reservation with the same ID and Claims can be settled after
	// a crash. Empty in others.
	ID string

	// Held says that a store holds the reservation: it is to be settled.
	Held bool

	// Holds are the store's own notes, parallel to Claims.
	Holds []Hold

	// Force counts without refusing, as if every rule were a shadow.
	Force bool

	// backup is what the local store holds of it; see Failover.
	backup *Reservation
	// degraded says that the whole of it is held by the local store.
	degraded bool
	scaled   []int64

	// names are the keys of ClaimOf one after the other, ends where they end.
	names   []byte
	ends    []int
	amounts []int64

	// strict is what Leased leaves to its store.
	strict *Reservation
}

// Hold is what a store remembers of a claim.
type Hold struct {
	// Slot is where the amount was counted, Lease the id of the lease; of a
	// Leased store, who holds the claim.
	Slot   int64
	Lease  uint64
	Amount int64

	// Known is what the counter is known to have held at least, as of
	// Generation; a store that has lost its counters since starts from there.
	Known      int64
	Generation int64
}

// Reset empties the reservation for the next request.
func (r *Reservation) Reset() {
	clear(r.Claims)
	backup := r.backup
	if backup != nil {
		backup.Reset()
	}
	if r.strict != nil {
		r.strict.Reset()
	}
	*r = Reservation{Claims: r.Claims[:0], Decisions: r.Decisions[:0], Holds: r.Holds[:0], Refused: -1, backup: backup, scaled: r.scaled[:0], strict: r.strict, names: r.names[:0], ends: r.ends[:0], amounts: r.amounts[:0]}
}

// renewBackup returns the emptied part that the local store is to hold.
func (r *Reservation) renewBackup() *Reservation {
	if r.backup == nil {
		r.backup = &Reservation{}
	}
	r.backup.Reset()
	return r.backup
}

// Claim adds a claim.
func (r *Reservation) Claim(key string, rule *Rule, amount int64) {
	r.Claims = append(r.Claims, Claim{Key: key, Rule: rule, Amount: amount})
}

// Amounts are n amounts for r to settle, all 0, in memory of its own.
func (r *Reservation) Amounts(n int) []int64 {
	r.amounts = slices.Grow(r.amounts[:0], n)[:n]
	clear(r.amounts)
	return r.amounts
}

// Wait is how long it takes until there may be room for all claims.
func (r *Reservation) Wait() time.Duration {
	if r.Refused < 0 {
		return 0
	}
	return r.Decisions[r.Refused].Wait
}

// The errors of reservations that cannot be decided.
var (
	errHeld      = errors.New("the reservation is held already")
	errTooMany   = errors.New("the request falls under too many limits")
	errDuplicate = errors.New("two limits share a counter")
)

// Begin checks the claims and makes room for decisions; for stores.
func (r *Reservation) Begin() error {
	if r.Held {
		return errHeld
	}
	if len(r.Claims) > MaxClaims {
		return errTooMany
	}
	for i := range r.Claims {
		r.Claims[i].Amount = clamp(r.Claims[i].Amount)
		for j := range i {
			if r.Claims[i].Key == r.Claims[j].Key {
				return errDuplicate
			}
		}
	}
	r.Prepare()
	return nil
}

// Lowers reports whether amount is less than what claim i holds, and no lease;
// for stores.
func (r *Reservation) Lowers(i int, amount int64) bool {
	return r.Claims[i].Rule.Unit != Concurrency && amount >= 0 && amount < r.Claims[i].Amount
}

// Lower makes amounts those of the claims where they are less; for stores.
func (r *Reservation) Lower(amounts []int64) {
	for i := range min(len(amounts), len(r.Claims)) {
		if r.Lowers(i, amounts[i]) {
			r.Claims[i].Amount = amounts[i]
		}
	}
}

// Prepare makes Decisions and Holds as long as Claims and empties the
// decisions; for stores.
func (r *Reservation) Prepare() {
	n := len(r.Claims)
	if cap(r.Decisions) < n {
		r.Decisions = make([]Decision, n)
	}
	r.Decisions = r.Decisions[:n]
	clear(r.Decisions)
	for len(r.Holds) < n {
		r.Holds = append(r.Holds, Hold{})
	}
	r.Refused = -1
}

// Decide notes the state of claim i; for stores.
func (r *Reservation) Decide(i int, used int64, reset, wait time.Duration) {
	limit := r.Claims[i].Rule.amount()
	r.Decisions[i] = Decision{
		Limit: limit, Used: used, Remaining: max(0, limit-used),
		Reset: reset, Wait: wait, Over: wait != 0,
	}
}

// Refuse finds the claim that refuses, by the decisions so far, and reports
// whether there is one; for stores.
func (r *Reservation) Refuse() bool {
	r.Refused = -1
	for i := range r.Decisions {
		d := &r.Decisions[i]
		if !d.Over || r.Force || r.Claims[i].Rule.Shadow {
			continue
		}
		if r.Refused < 0 || longer(d.Wait, r.Decisions[r.Refused].Wait) {
			r.Refused = i
		}
	}
	return r.Refused >= 0
}

func longer(a, b time.Duration) bool { return b != Never && (a == Never || a > b) }
