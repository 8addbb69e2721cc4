package limits

import "context"

// Lender is a shared Store that also lends room ahead of its use; see Leased.
type Lender interface {
	Store

	// Instances is how many gateways share the store; at least 1.
	Instances() int

	// Lend takes the reports of all loans, and grants what they ask for, or,
	// when one of the amounts has no room, unless it is forced or its rule is a
	// shadow, nothing: then it returns false. The loans hold the answers. An error leaves open
	// whether the reports have arrived: they are sent again under the same Seq.
	Lend(ctx context.Context, percent int64, loans []Loan) (ok bool, err error)
}

// Loan is what an instance reports of one counter and asks for, and what it
// holds then.
type Loan struct {
	// Claim's Amount must be granted.
	Claim

	// Force grants it whether there is room or not, as if the rule were a shadow.
	// All loans of a question have the same.
	Force bool

	// Known is what the counter is known to have held in Generation.
	Known, Generation int64

	// Seq names the report: what is used or given back is counted once.
	Seq int64

	// Question is this one's number, Last that of the last one that was
	// answered; 0 if none was.
	Question, Last int64

	// Holding is what this instance held then, and holds still: it is part of
	// Known. -1 if the store may have taken it back; then it is not.
	Holding int64

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

	// Decision is the answer, with what the fleet uses and holds; its Generation
	// is never 0. Held is what
	// this instance holds, Head the newest slot, Now the store's time.
	Decision Decision
	Held     int64
	Head     int64
	Now      int64
}

// Delta is a change of a slot. A slot that is yet to come is the newest. Last is
// when in the slot of a sliding window something was used last, in microseconds
// after its begin; -1 where nothing was used.
type Delta struct{ Slot, Amount, Last int64 }

// newest is a slot that is yet to come.
const newest = MaxAmount
