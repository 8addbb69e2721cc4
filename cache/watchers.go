package cache

import (
	"sync"
	"sync/atomic"
)

// Watchers are the Marks of a process that follow one Remote: what the Remote
// needs for [Remote.Watch]. The zero value is ready, and has read nothing.
type Watchers struct {
	mu  sync.Mutex
	set map[*watcher]struct{}

	// read says that all watchers know all that the store knew once.
	read atomic.Bool
}

// watcher is one Marks of this process.
type watcher struct {
	apply func([]Mark)
	known func() []Mark
}

// Watch adds a watcher. Until TellAll, what the store has may not be shown.
func (w *Watchers) Watch(apply func([]Mark), known func() []Mark) (stop func()) {
	one := &watcher{apply, known}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.set == nil {
		w.set = map[*watcher]struct{}{}
	}
	w.set[one] = struct{}{}
	w.read.Store(false)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.set, one)
	}
}

// Ready reports whether all watchers have been told everything.
func (w *Watchers) Ready() bool { return w.read.Load() }

// Tell tells the watchers news.
func (w *Watchers) Tell(marks []Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.set {
		one.apply(marks)
	}
}

// TellAll tells the watchers all marks that the store has, and returns those that
// it lacks.
func (w *Watchers) TellAll(stored []Mark) (missing []Mark) {
	has, lacks := make(map[string]uint64, len(stored)), map[string]uint64{}
	for _, m := range stored {
		has[m.Tag] = m.Value
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.set {
		one.apply(stored)
		for _, m := range one.known() {
			if m.Value > max(has[m.Tag], has[All]) {
				lacks[m.Tag] = max(lacks[m.Tag], m.Value)
			}
		}
	}
	w.read.Store(true)
	for tag, value := range lacks {
		missing = append(missing, Mark{tag, value})
	}
	return missing
}
