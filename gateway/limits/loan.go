package limits

import "context"

// Lender is a shared Store that also lends room ahead of its use; see Leased.
type Lender interface {
	Store

	// Instances is how many gateways share the store; at least 1.
	Instances() int

	// Lend takes the reports of all loans, and grants what they ask for, or,
	// when one of the amounts has no room and its rule is no shadow, nothing:
	// then it returns false. The loans hold the answers. An error leaves open
	// whether the reports have arrived: they are sent again under the same Seq.
	Lend(ctx context.Context, percent int64, loans []Loan) (ok bool, err error)
}

// Loan is what an instance reports of one counter and asks for, and what it
// holds then.
type Loan struct {
	// Claim's Amount must be granted.
	Claim

	// Known is what the counter held at least, this loan apart, as of
	// Generation.
	Known int64

	// Seq names the report: what is used or given back is counted once.
	Seq int64

	// Deltas are what was used or, when negative, refunded since the last
	// report. Give is what goes back besides.
	Deltas []Delta
	Give   int64

	// Also is what other requests wait for, Ahead what is wanted ahead of time.
	// Either may be granted in part.
	Also, Ahead int64

	// Time is how long the store keeps the loan for an instance that does not
	// report again, in microseconds.
	Time int64

	// Decision is the answer, with what the fleet uses and holds; Held is what
	// this instance holds, Head the newest slot, Now the store's time.
	Decision   Decision
	Held       int64
	Head       int64
	Now        int64
	Generation int64
}

// Delta is a change of a slot. A slot that is yet to come is the newest.
type Delta struct{ Slot, Amount int64 }

// newest is a slot that is yet to come.
const newest = MaxAmount
