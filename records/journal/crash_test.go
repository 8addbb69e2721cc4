package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/wire"
)

var begun = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// patience bounds waits for what must happen.
const patience = 30 * time.Second

func row(id string, output int64) ledger.Row {
	return ledger.Row{
		RequestID: id, Time: begun, Key: "ci", Principal: "ci", Team: "platform", Dialect: "openai", Operation: "chat",
		Model: "chat", Provider: "openai", UpstreamModel: "gpt-4.1", Stream: true, Status: 200, FinishReason: "stop",
		Attempts: 1, BytesOut: 4096, Input: 1200, Output: output, UsageSource: "provider", CostNano: 4_200_000, Priced: true,
	}
}

// request is what the test knows of a request: the last thing that it said,
// and the last that was made durable.
type request struct {
	said, acked state
	tokens      int64 // said last
	ackedTokens int64
	noted       bool // its begin outlives the process, if not the machine
}

type state int

const (
	nothing state = iota
	opened
	final
	forgotten
)

// history drives a journal with random requests and remembers what must be
// there afterwards.
type history struct {
	rng      *rand.Rand
	requests map[string]*request
	n        int
}

// step says one thing to the journal; false when the machine is off.
func (h *history) step(j *Journal, fs *fakeFS) bool {
	select {
	case <-fs.off:
		return false
	default:
	}
	switch k := h.rng.IntN(16); {
	case k < 3:
		id := fmt.Sprintf("req_%d", h.n)
		h.n++
		r := &request{said: opened}
		h.requests[id] = r
		if j.Open(row(id, 0)) == nil {
			select {
			case <-fs.off:
			default:
				r.noted = true
			}
		}
	case k < 6:
		if id, r := h.pick(); r != nil {
			r.tokens += 1 + h.rng.Int64N(50)
			j.Checkpoint(id, ledger.Progress{Usage: wire.Usage{Input: 1200, Output: r.tokens}})
		}
	case k < 8:
		if id, r := h.pick(); r != nil {
			r.said, r.tokens = final, r.tokens+1
			_ = j.Append(row(id, r.tokens))
		}
	case k < 9:
		if id, r := h.pick(); r != nil && h.rng.IntN(3) == 0 {
			r.said = forgotten
			j.Forget(id)
		}
	default:
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			select {
			case <-fs.off:
				cancel()
			case <-ctx.Done():
			}
		}()
		if j.Sync(ctx) == nil {
			h.ack()
		}
	}
	return true
}

func (h *history) ack() {
	for _, r := range h.requests {
		r.acked, r.ackedTokens = r.said, r.tokens
	}
}

// pick returns an open request.
func (h *history) pick() (string, *request) {
	for n := range h.n {
		id := fmt.Sprintf("req_%d", (n+h.rng.IntN(h.n))%h.n)
		if r := h.requests[id]; r.said == opened {
			return id, r
		}
	}
	return "", nil
}

// died is what a crash does to the history: requests that ran are over, and
// those that were not durable may be there or not.
func (h *history) died() {
	for id, r := range h.requests {
		if r.said == opened || r.acked != r.said {
			h.requests[id].said = max(r.said, r.acked)
		}
	}
}

// check compares the store with the history after everything was delivered.
func (h *history) check(t *testing.T, store *fakeStore, power bool) {
	t.Helper()
	for id, r := range h.requests {
		got, there := store.get(id)
		switch {
		case !power && r.noted && r.said == opened && !there:
			t.Errorf("%s was told that it is noted, and has no row after a kill", id)
		case r.acked == forgotten:
			if there {
				t.Errorf("%s was taken back and has a row", id)
			}
		case r.acked == final && (!there || got.Output != r.tokens || got.Error != ""):
			t.Errorf("%s: final with %d tokens, has %v %+v", id, r.tokens, there, got)
		case r.acked == opened && r.said != forgotten:
			if !there {
				t.Errorf("%s was open and has no row", id)
			} else if got.Output < r.ackedTokens || got.Output > r.tokens {
				t.Errorf("%s: noted between %d and %d tokens, has %d", id, r.ackedTokens, r.tokens, got.Output)
			} else if got.Error != ledger.Interrupted && r.said != final {
				t.Errorf("%s was cut off and says %q", id, got.Error)
			}
		}
	}
	for id := range store.rows {
		if h.requests[id] == nil {
			t.Errorf("%s was never asked for", id)
		}
	}
}

func options(fs FS) Options {
	// Two seconds pass between any two looks at the clock, so that what is done
	// once a second is done all the time.
	var looks atomic.Int64
	return Options{
		Dir: "/j", FS: fs, SegmentSize: 2048, Window: time.Microsecond, Retry: time.Millisecond,
		Now: func() time.Time { return begun.Add(2 * time.Second * time.Duration(looks.Add(1))) },
	}
}

// life runs one process until its machine goes off, or for steps.
func (h *history) life(t *testing.T, fs *fakeFS, store *fakeStore, steps int) {
	t.Helper()
	store.set(func() { store.dead = fs.off })
	j, err := Open(options(fs))
	if err != nil {
		return // the machine went off while it recovered
	}
	j.SetStore(store)
	for range steps {
		if !h.step(j, fs) {
			break
		}
	}
	fs.mu.Lock()
	select {
	case <-fs.off:
	default:
		close(fs.off)
	}
	fs.mu.Unlock()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = j.Close(over)
}

// TestCrash turns the machine off, or kills the process, at every operation on
// the file system, with twenty seeds: appends, rotations, checkpoints, the
// removal of segments and the position of the delivery are all among them.
// Then it does so again in the recovery.
func TestCrash(t *testing.T) {
	const steps = 120
	var mu sync.Mutex
	hit := map[string]int{} // where it happened
	t.Cleanup(func() {
		want := []string{"create", "write", "sync", "syncdir", "remove", "rename", "open", "read"}
		if slices.ContainsFunc(want, func(op string) bool { return hit[op] == 0 }) {
			t.Errorf("not every operation was a point of failure: %v", hit)
		}
		t.Log(hit)
	})
	seeds := uint64(20)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			for crashAt := 1; ; crashAt++ {
				rng := rand.New(rand.NewPCG(seed, uint64(crashAt)))
				power := rng.IntN(2) == 0
				h := &history{rng: rng, requests: map[string]*request{}}
				store := newFakeStore()
				lies := rand.New(rand.NewPCG(seed, 7))
				store.lies = func() bool { return lies.IntN(4) == 0 }

				fs := newFakeFS()
				fs.crashAt = crashAt
				h.life(t, fs, store, steps)
				over := fs.ops < crashAt // it got through all of its steps
				h.died()
				mu.Lock()
				hit[fs.last]++
				mu.Unlock()

				fs = fs.reboot(rng, power)
				fs.crashAt = 1 + rng.IntN(40)
				h.life(t, fs, store, 0)

				fs = fs.reboot(rng, power)
				store.set(func() { store.dead = nil })
				j, err := Open(options(fs))
				if err != nil {
					t.Fatalf("crash at %d: %v", crashAt, err)
				}
				j.SetStore(store)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				if err := j.Flush(ctx); err != nil {
					t.Fatalf("crash at %d: %v", crashAt, err)
				}
				if err := j.Close(ctx); err != nil {
					t.Fatalf("crash at %d: %v", crashAt, err)
				}
				cancel()
				h.check(t, store, power)
				if s := j.Stats(); s.Pending != 0 || s.Degraded {
					t.Errorf("crash at %d: %+v", crashAt, s)
				}
				if t.Failed() {
					t.Fatalf("crash at operation %d, power cut: %v", crashAt, power)
				}
				if over {
					t.Logf("%d operations", crashAt)
					return
				}
			}
		})
	}
}
