package limitstest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
)

// model is the naive truth: it keeps every admission and adds up what lies in
// a window.
type model struct{ log []*admission }

type admission struct {
	at    int64
	wall  time.Time
	parts []part
	in    []*limits.Reservation
}

type part struct {
	rule *limits.Rule
	key  string

	// reserved is what was asked for, or less since it was amended; counted is
	// what is known by now, without debts.
	asked, reserved, counted int64

	// debt is what was used beyond the reservation, known by owed.
	debt     int64
	owed     int64
	owedWall time.Time

	released bool
	renewed  int64
}

// check holds a decision against the log. What was admitted must leave no true
// window over its limit; what was refused must be so for a window that is
// longer by one slot at most.
func (m *model) check(t *testing.T, a *admission, admitted bool) {
	t.Helper()
	room := true
	for i := range a.parts {
		p := &a.parts[i]
		if p.rule.Shadow {
			continue
		}
		strict, loose := m.sums(a, p)
		amount := p.reserved
		if p.rule.Unit == limits.Concurrency {
			amount = 1
		}
		if admitted && strict+amount > p.rule.Amount {
			t.Errorf("%s: admitted %d over %d in a true window", p.rule, amount, strict)
		}
		if loose > p.rule.Amount-amount {
			room = false
		}
	}
	if room && !admitted {
		t.Errorf("refused, although there was room in windows longer by a slot: %+v", a.in[0].Decisions)
	}
}

// sums are what p's true window holds at a without debts, and what the window
// that is longer by one slot holds at most.
func (m *model) sums(a *admission, p *part) (strict, loose int64) {
	window := int64(p.rule.Window / time.Microsecond)
	for _, b := range m.log {
		for i := range b.parts {
			q := &b.parts[i]
			if q.key != p.key {
				continue
			}
			switch {
			case p.rule.Unit == limits.Concurrency:
				if !q.released && max(b.at, q.renewed)+limits.LeaseTime > a.at {
					strict++
					loose++
				}
			case p.rule.Calendar != limits.Sliding:
				start, _ := p.rule.Period(a.wall)
				if !b.wall.Before(start) {
					strict += q.counted
					loose = limits.Add(loose, q.counted, q.debt)
				} else if !q.owedWall.Before(start) {
					loose = limits.Add(loose, q.debt)
				}
			default:
				if b.at > a.at-window {
					strict += q.counted
				}
				longer := a.at - window - p.rule.Slot()
				if b.at > longer {
					loose = limits.Add(loose, q.counted, q.debt)
				} else if q.owed > longer {
					loose = limits.Add(loose, q.debt)
				}
			}
		}
	}
	return strict, loose
}

// amend lowers what a has reserved by chance; some amounts are more than it
// holds, and change nothing.
func (a *admission) amend(rnd *rand.Rand) []int64 {
	amounts := make([]int64, len(a.parts))
	for i := range a.parts {
		p := &a.parts[i]
		if amounts[i] = rnd.Int64N(p.reserved + 1); rnd.IntN(6) == 0 {
			amounts[i] = p.reserved + rnd.Int64N(50)
		}
		if p.rule.Unit != limits.Concurrency {
			p.reserved = min(p.reserved, amounts[i])
			p.counted = p.reserved
		}
	}
	return amounts
}

func (m *model) settle(a *admission, actual []int64, now int64, wall time.Time) {
	for i := range a.parts {
		p := &a.parts[i]
		p.released = true
		if actual == nil {
			continue
		}
		p.counted = min(p.reserved, actual[i])
		if p.debt = actual[i] - p.counted; p.debt > 0 {
			p.owed, p.owedWall = now, wall
		}
	}
}

// renew checks that a lease which has not run out is kept.
func (m *model) renew(t *testing.T, a *admission, now int64, kept bool) {
	t.Helper()
	for i := range a.parts {
		p := &a.parts[i]
		if p.rule.Unit != limits.Concurrency {
			continue
		}
		if live := max(a.at, p.renewed)+limits.LeaseTime > now; live && !kept {
			t.Error("a lease was lost before its time")
		}
		if kept {
			p.renewed = now
		}
	}
}
