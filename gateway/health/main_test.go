package health

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/clocktest"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func newClock() *clocktest.Clock { return clocktest.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) }

// rig is a tracker with a clock that stands still and no jitter.
type rig struct {
	*Tracker
	clock *clocktest.Clock
	told  chan Change
}

func newRig() *rig {
	c := newClock()
	r := &rig{Tracker: New(c, func() float64 { return 0.5 }), clock: c, told: make(chan Change, 10_000)}
	r.OnChange(func(change Change) { r.told <- change })
	return r
}

var tgt = Target{"p", "m"}

// patience bounds waits for things that must happen; nothing is timed by it.
const patience = 10 * time.Second

// heard returns the changes told since it was last called: all of them,
// since one that is made here comes last.
func (r *rig) heard(t testing.TB) (list []string) {
	t.Helper()
	mark := ChangeKind("mark")
	r.Tracker.changes.add(Change{Kind: mark})
	for {
		select {
		case c := <-r.told:
			if c.Kind == mark {
				return list
			}
			text := string(c.Kind) + " " + c.Target.Provider
			if c.Target.Model != "" {
				text = string(c.Kind) + " " + c.Target.String()
			}
			if c.Account != "" {
				text += " " + c.Account
			}
			if c.Reason != "" {
				text += ": " + c.Reason
			}
			list = append(list, text)
		case <-time.After(patience):
			t.Fatal("the changes do not come")
		}
	}
}

// call makes a call to the target, whatever its state, and ends it at once.
func (r *rig) call(result Result) { r.callAs("", Settings{}, result) }

func (r *rig) callAs(account string, s Settings, result Result) {
	c := r.Begin(tgt, account, s)
	c.End(result)
}

func (r *rig) times(n int, result Result) {
	for range n {
		r.call(result)
	}
}

func (r *rig) state() State { return r.Look(tgt).State }

// seeded is a source of random numbers that a failure can be repeated with.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }
