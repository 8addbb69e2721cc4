package gateway

import (
	"cmp"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
)

// The sources of a record's token counts.
const (
	SourceProvider  = "provider"
	SourceEstimated = "estimated"
	SourceNone      = "none"
)

// Limited is what one limit decided about an exchange. Amounts are in the
// rule's unit.
type Limited struct {
	// Scope and Name are whose limit it is.
	Scope, Name string
	Rule        *limits.Rule

	// Asked is what was asked for, Used and Remaining what the counter held and
	// had left then; Over says that there was no room.
	Asked, Used, Remaining int64
	Over                   bool
}

// Of says whose limit it is.
func (l *Limited) Of() string { return ScopeName(l.Scope, l.Name) }

// AppendOf appends what Of says to dst: access logs have it of each limit of each
// request.
func (l *Limited) AppendOf(dst []byte) []byte {
	switch l.Scope {
	case ScopeGlobal, ScopeSite:
		return append(dst, ScopeName(l.Scope, l.Name)...)
	default:
		return append(append(append(append(dst, l.Scope...), " '"...), l.Name...), '\'')
	}
}

// ScopeName is how clients are told whose a limit is.
func ScopeName(scope, name string) string {
	var room [64]byte
	return string(AppendScopeName(room[:0], scope, name))
}

// AppendScopeName appends what ScopeName returns.
func AppendScopeName(dst []byte, scope, name string) []byte {
	switch scope {
	case ScopeGlobal:
		return append(dst, "the gateway"...)
	case ScopeSite:
		return append(dst, "the site"...)
	default:
		return append(append(append(append(dst, scope...), " '"...), name...), '\'')
	}
}

// Record is what remains of an exchange: one line of the ledger.
type Record struct {
	RequestID     string
	Time          time.Time
	Key           string
	Principal     string
	Team          string
	User          string
	Dialect       wire.Dialect
	Operation     string
	Model         string
	Provider      string
	UpstreamModel string
	CountedAs     string // the model that limits count it for; empty: the target that the client named
	UpstreamID    string
	Downgraded    string // the model that a limit turned it to
	Stream        bool
	Status        int
	Error         string
	Phase         string
	FinishReason  string
	ClientGone    bool
	Cut           string   // CutByCap or CutByLimit, where the gateway ended the answer
	Dropped       []string // members that a translation left out
	Usage         wire.Usage
	UsageSource   string

	// Cost is what the exchange cost. Priced is false when the target's price
	// is not known, which is not the same as free: Cost is then that at another
	// model's price if CostEstimated, else nothing.
	Cost          prices.Cost
	Priced        bool
	CostEstimated bool

	// Overhead is what calls cost whose answers nobody was shown, in
	// nano-dollars: the losers of hedges, and streams that broke before their
	// first content; and what continuations cost beyond the text that they
	// added, see [Attempt.Continues]; and the embedding of its text. The caller is not charged for them.
	Overhead int64

	// Continued is how often the answer broke off and another target went on
	// with it.
	Continued int

	// Limits are what limits decided, Trail what became of each attempt, in
	// their order.
	Limits []Limited
	Trail  []Step

	// Cache, Stored, Saved and Similarity are as in [Exchange].
	Cache      string
	Stored     bool
	Saved      int64
	Similarity float64

	Attempts int
	BytesOut int64
	Timings  Timings
}

// Settle ends the exchange: it makes its one record and hands it to every
// sink. Every way out of an exchange leads here, and only the first call does
// anything; the others return nil.
func (x *Exchange) Settle() *Record {
	x.mu.Lock()
	if x.settled {
		x.mu.Unlock()
		return nil
	}
	x.settled = true
	x.Timings.Total = x.gateway.clock.Now().Sub(x.Start)
	record := x.newRecordLocked()
	for _, a := range x.tried {
		a.forgetLocked()
	}
	x.mu.Unlock()

	x.gateway.deliver(record)
	return record
}

// newRecordLocked is recordLocked into memory that is the record's alone.
func (x *Exchange) newRecordLocked() *Record {
	// One piece of memory for what most exchanges leave.
	room := new(struct {
		Record
		trail [1]Step
	})
	x.recordLocked(&room.Record)
	room.Trail = x.trailLocked(room.trail[:0])
	return &room.Record
}

// recordLocked makes the record but for its trail.
func (x *Exchange) recordLocked(record *Record) {
	usage, source, finish, cut, id := wire.Usage{}, SourceNone, "", "", ""
	if a := x.attempt; a != nil {
		cut, id = a.cut, a.step.UpstreamID
		usage, source = a.chargedLocked(x.outcome.Err == nil && (!x.outcome.ClientGone || x.outcome.HandedOver))
		finish = a.seen.Finish
	}
	*record = Record{
		RequestID:     x.ID,
		Time:          x.Start,
		Key:           x.Principal.Key,
		Principal:     x.Principal.Name(),
		Team:          x.Principal.Team,
		User:          x.Principal.User,
		Dialect:       x.Dialect,
		Operation:     x.Operation.Name,
		Model:         x.Model,
		Provider:      x.Target.Provider,
		UpstreamModel: x.Target.Model,
		CountedAs:     cmp.Or(x.Alias, x.Downgraded),
		UpstreamID:    id,
		Downgraded:    x.Downgraded,
		Stream:        x.Stream,
		Status:        x.outcome.Status,
		FinishReason:  finish,
		ClientGone:    x.outcome.ClientGone,
		Cut:           cut,
		Dropped:       x.Dropped,
		Continued:     x.attempt.continued(),
		Usage:         usage,
		UsageSource:   source,
		Cache:         x.Cache,
		Saved:         x.Saved,
		Stored:        x.Stored,
		Similarity:    x.Similarity,
		Attempts:      x.Attempts,
		BytesOut:      x.outcome.BytesOut,
		Timings:       x.Timings,
	}
	record.Cost, record.Priced, record.CostEstimated = x.costLocked(usage, source)
	record.Limits, record.Overhead = x.Limits, x.Overhead
	for _, a := range x.tried {
		if wasted := a.wastedLocked(x.attempt); a.Price != nil && !wasted.IsZero() {
			record.Overhead = limits.Add(record.Overhead, a.Price.Cost(prices.FromUsage(wasted)).Total)
		}
	}
	switch {
	case x.outcome.Err != nil:
		record.Error, record.Phase = x.outcome.Err.Kind.String(), x.outcome.Err.Phase
	case x.outcome.ClientGone:
		record.Error = "client_gone"
		if x.outcome.Stalled {
			record.Phase = PhaseClientWrite
		}
	}
}

// finished reports whether the vendor gave its finish reason: its usage, if
// any, came with it or after it. A Responses stream says "in_progress" until
// it is over.
func finished(reason string) bool {
	return reason != "" && reason != "in_progress" && reason != "queued"
}

// costLocked is what usage costs at the prices of the targets that it came
// from; source says who knows it. What no upstream took costs nothing, whatever the
// price.
func (x *Exchange) costLocked(usage wire.Usage, source string) (cost prices.Cost, priced, estimated bool) {
	priced = true
	charge := func(price *prices.Price, usage wire.Usage, of *Attempt) {
		if price == nil {
			priced = priced && usage.IsZero()
			return
		}
		bill := prices.FromUsage(usage)
		if of != nil && source != SourceNone {
			bill = of.billLocked(usage)
		}
		if part := price.Cost(bill); cost == (prices.Cost{}) {
			cost = part
		} else {
			cost = cost.Plus(part)
		}
		if price.Estimated() && !usage.IsZero() {
			priced, estimated = false, true
		}
	}
	if x.attempt == nil || x.attempt.before == nil {
		charge(x.Price, usage, x.attempt)
	} else {
		x.attempt.chargesLocked(usage, charge)
	}
	return cost, priced, estimated
}

// Draft makes the record that the exchange would make if it ended now, without
// its trail.
func (x *Exchange) Draft(record *Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.recordLocked(record)
}

// Outset is the Draft of an exchange whose call is about to be sent. Its prompt is
// estimated from its size, since counting it would keep the call waiting; who
// lives on counts it when somebody has to know.
func (x *Exchange) Outset(record *Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if a := x.attempt; a != nil {
		a.bySize = true
		defer func() { a.bySize = false }()
	}
	x.recordLocked(record)
}

// CostOf is what usage would cost at the exchange's target, in nano-dollars,
// perhaps by an estimate; ok is false when there is none.
func (x *Exchange) CostOf(usage wire.Usage) (nano int64, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	cost, priced, estimated := x.costLocked(usage, SourceProvider)
	return cost.Total, priced || estimated
}
