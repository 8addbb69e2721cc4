package keys

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Source is where keys come from while the gateway runs: a file, a database.
type Source interface {
	// Name is how errors and listings call the source.
	Name() string

	// Load returns all keys of the source. changed is false, and the keys
	// nil, when they are the same as at the last Load. After an error the next
	// Load reads again.
	Load(ctx context.Context) (list []Key, changed bool, err error)
}

// Interval is how often sources are asked for changes. With it a change is in
// effect within a second on every instance.
const Interval = 500 * time.Millisecond

// Watcher keeps a set up to date with one source. Run is called once; Sync is
// safe for concurrent use.
type Watcher struct {
	set    *Set
	source Source
	said   string // the error that Run reported last

	// mu holds that what is loaded later is handed over later.
	mu      sync.Mutex
	pending []Key
	waiting bool // pending was refused by the set
}

// NewWatcher returns a watcher that has not yet loaded anything.
func NewWatcher(set *Set, source Source) *Watcher {
	return &Watcher{set: set, source: source}
}

// Sync loads the source if it changed and hands its keys to the set. After an
// error the set holds what it held before. Keys that the set refused are
// offered again at the next Sync: the other source of a duplicate may have
// given it up.
func (w *Watcher) Sync(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	list, changed, err := w.source.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading keys from %s: %w", w.source.Name(), err)
	}
	if changed {
		w.pending, w.waiting = list, true
	}
	if !w.waiting {
		return nil
	}
	if err := w.set.Replace(w.source.Name(), w.pending); err != nil {
		return fmt.Errorf("taking keys over: %w", err)
	}
	w.pending, w.waiting = nil, false
	return nil
}

// Run syncs at every tick until ctx is done. report is called with an error
// when it is a new one, and with nil when all is well again.
func (w *Watcher) Run(ctx context.Context, ticks <-chan time.Time, report func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			err := w.Sync(ctx)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != w.said {
				w.said = text
				report(err)
			}
		}
	}
}
