package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

//go:embed lend.lua
var lendSource string

const opLend = "lend"

// loanTTL is how long after its lease a loan's last report is remembered, in
// milliseconds: one that is sent again within it is counted once.
const loanTTL = 600_000

// Lend implements limits.Lender. As Reserve, it waits for the server to be told
// what was decided without it.
func (s *Store) Lend(ctx context.Context, percent int64, loans []limits.Loan) (bool, error) {
	if s.untold.Load() > 0 {
		return false, errNotSent
	}
	for attempt := 0; ; attempt++ {
		e := s.requestLoans(percent, loans)
		err := s.run(ctx, e)
		status := e.status()
		switch {
		case err != nil:
		case status == statusSkewed && attempt == 0:
			e.forget()
			continue
		case status < 0 || len(e.reply.claims) != perLoan*len(loans):
			err = fmt.Errorf("borrowing from redis: %w: status %d", limits.ErrUnavailable, status)
		default:
			e.reply.lent(loans)
		}
		e.forget()
		return err == nil && status == statusDone, err
	}
}

// lent notes the answers in loans.
func (p *reply) lent(loans []limits.Loan) {
	for i := range loans {
		loan, at := &loans[i], p.claims[perLoan*i:]
		limit := min(max(loan.Rule.Amount, 0), limits.MaxAmount)
		loan.Decision = limits.Decision{
			Limit: limit, Used: at[0], Remaining: max(0, limit-at[0]),
			Reset: time.Duration(at[1]) * time.Microsecond, Wait: waiting(at[2]), Over: at[2] != 0, Generation: p.generation,
		}
		loan.Head, loan.Held, loan.Now = at[3], at[4], p.now
	}
}

// requestLoans is a run of lend.lua.
func (s *Store) requestLoans(percent int64, loans []limits.Loan) *errand {
	e := s.errand(s.lending, "generation", "held:")
	for i := range loans {
		e.key(s.tag, loans[i].Key)
	}
	for i := range loans {
		e.key(s.tag, "loans:", loans[i].Key)
	}
	op := opLend
	if loans[0].Force {
		op = opForce
	}
	e.word(op)
	e.number(s.fixed())
	e.number(0)
	e.number(loanTTL)
	e.word(s.instance)
	now := s.now()
	for i := range loans {
		loan := &loans[i]
		e.claim(&loan.Claim, limits.Hold{Known: loan.Known, Generation: loan.Generation}, loan.Amount, now)
	}
	e.number(percent)
	e.number(int64(s.Instances()))
	for i := range loans {
		loan := &loans[i]
		for _, n := range [...]int64{loan.Seq, loan.Question, loan.Last, loan.Holding, loan.Give, loan.Also, loan.Ahead, loan.Time} {
			e.number(n)
		}
		for _, d := range loan.Deltas {
			e.text = append(strconv.AppendInt(e.text, d.Slot, 10), ':')
			e.text = append(strconv.AppendInt(e.text, d.Amount, 10), ':')
			e.text = append(strconv.AppendInt(e.text, d.Last, 10), ';')
		}
		e.end()
	}
	return e
}

// Interface guard.
var _ limits.Lender = (*Store)(nil)
