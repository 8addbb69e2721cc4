package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

//go:embed lend.lua
var lendSource string

const opLend = "lend"

// loanTTL is how long after its lease a loan's last report is remembered, in
// milliseconds: one that is sent again within it is counted once.
const loanTTL = "600000"

// Lend implements limits.Lender. As Reserve, it waits for the server to be told
// what was decided without it.
func (s *Store) Lend(ctx context.Context, percent int64, loans []limits.Loan) (bool, error) {
	if s.untold.Load() > 0 {
		return false, errNotSent
	}
	for attempt := 0; ; attempt++ {
		p, err := s.run(ctx, s.lending, 5, s.encodeLoans(percent, loans))
		if err != nil {
			return false, err
		}
		if p.status == statusSkewed && attempt == 0 {
			continue
		}
		if p.status < 0 || len(p.claims) != 5*len(loans) {
			return false, fmt.Errorf("borrowing from redis: %w: status %d", limits.ErrUnavailable, p.status)
		}
		for i := range loans {
			loan, at := &loans[i], p.claims[5*i:]
			limit := min(max(loan.Rule.Amount, 0), limits.MaxAmount)
			loan.Decision = limits.Decision{
				Limit: limit, Used: at[0], Remaining: max(0, limit-at[0]),
				Reset: time.Duration(at[1]) * time.Microsecond, Wait: waiting(at[2]), Over: at[2] != 0, Generation: p.generation,
			}
			loan.Head, loan.Held, loan.Now = at[3], at[4], p.now
		}
		return p.status == statusDone, nil
	}
}

// encodeLoans writes a run of the script lend.lua.
func (s *Store) encodeLoans(percent int64, loans []limits.Loan) call {
	claims := make([]limits.Claim, len(loans))
	holds := make([]limits.Hold, len(loans))
	for i := range loans {
		claims[i] = loans[i].Claim
		holds[i] = limits.Hold{Known: loans[i].Known, Generation: loans[i].Generation}
	}
	c := s.encode(opLend, s.instance, claims, holds, nil, s.now())
	c.args[3] = loanTTL
	c.args = append(c.args, number(percent), number(int64(s.Instances())))
	for i := range loans {
		loan := &loans[i]
		c.keys = append(c.keys, s.tag+"loans:"+loan.Key)
		var deltas strings.Builder
		for _, d := range loan.Deltas {
			deltas.WriteString(strconv.FormatInt(d.Slot, 10))
			deltas.WriteByte(':')
			deltas.WriteString(strconv.FormatInt(d.Amount, 10))
			deltas.WriteByte(';')
		}
		c.args = append(c.args, number(loan.Seq), number(loan.Question), number(loan.Last), number(loan.Holding), number(loan.Give), number(loan.Also), number(loan.Ahead), number(loan.Time), deltas.String())
	}
	return c
}

// Interface guard.
var _ limits.Lender = (*Store)(nil)
