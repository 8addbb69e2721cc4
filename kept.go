package weir

import (
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/canon"
	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/handlers"
	"github.com/weirproxy/weir/internal/telemetry"
)

// Bounds of what there is of answers besides the kept ones, in bytes: of one that
// is under way and others may follow, of all of those, and of what is remembered
// of requests.
const (
	longestTape   = 8 << 20
	allTapes      = 256 << 20
	spellingBytes = 32 << 20
	spellings     = 1 << 16
)

func newKept() (*handlers.Kept, error) {
	memory, err := cache.NewMemory(cache.DefaultSize)
	if err != nil {
		return nil, err
	}
	return &handlers.Kept{
		Memory:    memory,
		Marks:     cache.NewMarks(time.Now, nil),
		Flights:   flight.NewSet(longestTape, allTapes, time.Now),
		Refreshes: new(cache.Once),
		Index:     semantic.New(semantic.Options{}),
		Spellings: canon.NewMemo(spellings, spellingBytes),
	}, nil
}

// Kept implements handlers.Host.
func (a *App) Kept() *handlers.Kept { return a.shared.kept }

// Remote implements handlers.Host.
func (a *App) Remote() (cache.Remote, error) {
	if a.access.keeper == nil {
		return nil, nil
	}
	return a.access.keeper.Remote()
}

// WantMemory implements handlers.Host. The largest of all wishes counts, once the
// configuration starts: one that is rejected changes nothing.
func (a *App) WantMemory(size int64) { atLeast(&a.wanted, size) }

// WantRows implements handlers.Host.
func (a *App) WantRows(n int) { atLeast(&a.rows, int64(n)) }

func atLeast(largest *atomic.Int64, n int64) {
	for {
		was := largest.Load()
		if n <= was || largest.CompareAndSwap(was, n) {
			return
		}
	}
}

// resizeKept gives the answers the room that the configuration wants for them.
func (a *App) resizeKept() {
	if size := a.wanted.Load(); size > 0 {
		a.shared.kept.Memory.Resize(size)
	}
	a.shared.kept.Index.Resize(int(a.rows.Load()))
}

// keptStats are those of the process, for metrics.
func keptStats() (s telemetry.KeptStats, ok bool) {
	app, err := running()
	if err != nil {
		return s, false
	}
	kept := app.shared.kept
	memory := kept.Memory.Stats()
	s = telemetry.KeptStats{
		Entries: memory.Entries, Bytes: memory.Bytes, Evictions: memory.Evicted,
		FlightBytes: kept.Flights.Used(), SemanticRows: int64(kept.Index.Rows()),
	}
	for _, remote := range kept.Marks.Remotes() {
		s.Failures += remote.Stats().Failed
	}
	return s, true
}
