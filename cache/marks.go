package cache

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// All is the tag that every answer has.
const All = "all"

// maxMarks is how many tags have marks of their own. Whoever purges more within
// MaxLife purges everything, which is never wrong.
const maxMarks = 10_000

// suffix is how many low bits of a mark are random.
const suffix = 12

// Mark is one purge of a tag. Value is Unix milliseconds with random low bits
// and below 2^53, so that scripts of Redis can compare it; a tag's only grows.
type Mark struct {
	Tag   string
	Value uint64
}

// Stamp is how many purges a process knew at one moment.
type Stamp uint64

// Marks are the purges that answers may have missed. An answer is dead when one
// of its tags was purged after its request was looked up: also one that was
// under way meanwhile.
//
// Within the process that order is by Stamp, which needs neither clocks nor a
// look-up of tags. Between processes it is by the marks' values: an answer
// carries those that its tags had.
type Marks struct {
	now    func() time.Time
	random func() uint64

	// changes grows with every change of tags.
	changes atomic.Uint64
	// newest is the largest value that any tag has had.
	newest atomic.Uint64

	mu   sync.RWMutex
	tags map[string]tagged

	// attaching guards remotes.
	attaching sync.Mutex
	remotes   map[Remote]*watched
}

// tagged is a tag's last purge and when in the process's order it became known.
type tagged struct {
	value uint64
	since Stamp
}

// watched is a Remote whose purges are followed.
type watched struct {
	users int
	stop  func()
}

// NewMarks returns marks without a purge. random is for the marks' low bits; nil
// for the usual.
func NewMarks(now func() time.Time, random func() uint64) *Marks {
	if random == nil {
		random = rand.Uint64
	}
	return &Marks{now: now, random: random, tags: map[string]tagged{}, remotes: map[Remote]*watched{}}
}

// Stamp is the present moment: what a request notes when it is looked up.
func (m *Marks) Stamp() Stamp { return Stamp(m.changes.Load()) }

// Alive reports whether no tag was purged since a stamp was taken.
func (m *Marks) Alive(tags []string, since Stamp) bool {
	if m.Stamp() == since {
		return true
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.tags[All].since > since {
		return false
	}
	for _, tag := range tags {
		if m.tags[tag].since > since {
			return false
		}
	}
	return true
}

// values are the marks of All and of tags, in this order; nil when one was
// purged since.
func (m *Marks) values(tags []string, since Stamp) []uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	values := make([]uint64, 1+len(tags))
	for i := range values {
		tag := All
		if i > 0 {
			tag = tags[i-1]
		}
		of := m.tags[tag]
		if of.since > since {
			return nil
		}
		values[i] = of.value
	}
	return values
}

// covers reports whether an answer that carries values has seen all purges of
// its tags.
func (m *Marks) covers(tags []string, values []uint64) bool {
	if len(values) != 1+len(tags) {
		return false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.tags[All].value > values[0] {
		return false
	}
	for i, tag := range tags {
		if m.tags[tag].value > values[i+1] {
			return false
		}
	}
	return true
}

// Purge makes every answer dead that has one of the tags, here at once and in
// all processes that share an attached Remote soon. An error says that a Remote
// does not know yet; it will be told when it can be.
func (m *Marks) Purge(ctx context.Context, tags ...string) error {
	if len(tags) == 0 {
		return nil
	}
	m.mu.Lock()
	marks := make([]Mark, len(tags))
	for i, tag := range tags {
		marks[i] = Mark{tag, m.next(tag)}
		// A tag may be there twice.
		m.set(marks[i])
	}
	m.changed()
	m.mu.Unlock()
	var failed error
	for _, remote := range m.Remotes() {
		failed = errors.Join(failed, remote.Purge(ctx, marks))
	}
	return failed
}

// next is a value above what tag and All have; under mu.
func (m *Marks) next(tag string) uint64 {
	low := m.random() & (1<<suffix - 1)
	now := uint64(max(m.now().UnixMilli(), 0))<<suffix | low
	return max(now, m.tags[tag].value+1, m.tags[All].value+1)
}

// Apply notes purges that were made elsewhere.
func (m *Marks) Apply(marks []Mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := false
	for _, mark := range marks {
		changed = m.set(mark) || changed
	}
	if changed {
		m.changed()
	}
}

// set notes a mark as of the next change; under mu.
func (m *Marks) set(mark Mark) bool {
	if mark.Value <= max(m.tags[mark.Tag].value, m.tags[All].value) {
		return false
	}
	if mark.Tag == All {
		// Whoever has seen this one has seen all that are below it, and those
		// above it stay.
		for tag, of := range m.tags {
			if of.value <= mark.Value {
				delete(m.tags, tag)
			}
		}
	}
	m.tags[mark.Tag] = tagged{mark.Value, Stamp(m.changes.Load() + 1)}
	m.newest.Store(max(m.newest.Load(), mark.Value))
	return true
}

// changed ends a change, under mu, and keeps the tags few.
func (m *Marks) changed() {
	if len(m.tags) > maxMarks {
		oldest := uint64(max(m.now().Add(-MaxLife).UnixMilli(), 0)) << suffix
		newest := uint64(0)
		for tag, of := range m.tags {
			newest = max(newest, of.value)
			if of.value < oldest {
				delete(m.tags, tag)
			}
		}
		if len(m.tags) > maxMarks {
			m.set(Mark{All, newest + 1})
		}
	}
	m.changes.Add(1)
}

// Known are all marks, in no order.
func (m *Marks) Known() []Mark {
	m.mu.RLock()
	defer m.mu.RUnlock()
	marks := make([]Mark, 0, len(m.tags))
	for tag, of := range m.tags {
		marks = append(marks, Mark{tag, of.value})
	}
	return marks
}

// Newest is the last purge that is known. Processes that know of the same purges
// have the same.
func (m *Marks) Newest() uint64 { return m.newest.Load() }

// Remotes are those attached.
func (m *Marks) Remotes() []Remote {
	m.attaching.Lock()
	defer m.attaching.Unlock()
	return slices.Collect(maps.Keys(m.remotes))
}

// Attach follows a Remote's purges, and tells it those that are made here, until
// it was detached as often.
func (m *Marks) Attach(remote Remote) (detach func()) {
	m.attaching.Lock()
	w := m.remotes[remote]
	if w == nil {
		w = &watched{stop: remote.Watch(m.Apply, m.Known)}
		m.remotes[remote] = w
	}
	w.users++
	m.attaching.Unlock()
	return sync.OnceFunc(func() {
		m.attaching.Lock()
		w.users--
		last := w.users == 0
		if last {
			delete(m.remotes, remote)
		}
		m.attaching.Unlock()
		if last {
			w.stop()
		}
	})
}
