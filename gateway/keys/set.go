package keys

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Set is all keys of a gateway, from all sources. Look-ups take no lock: they
// read an immutable snapshot, which [Set.Replace] swaps.
type Set struct {
	hasher *Hasher
	now    atomic.Pointer[snapshot]

	// asked says that there is a source beyond those known from the start.
	asked atomic.Bool

	mu      sync.Mutex // serialises writers
	order   []string
	sources map[string][]*entry
}

// NewSet returns a set without keys. The sources named are known from the
// start; others come after them. Where two sources have a key of the same
// name, id or secret, the one that has it first keeps it and the other is
// refused.
func NewSet(h *Hasher, sources ...string) *Set {
	s := &Set{hasher: h, order: slices.Clone(sources), sources: map[string][]*entry{}}
	empty, _ := s.build()
	s.now.Store(empty)
	return s
}

// Hasher returns the hasher that the set's hashes were made with.
func (s *Set) Hasher() *Hasher { return s.hasher }

// Replace makes list all the keys of source, at once and for every look-up
// that begins afterwards. On an error, which names the key and, for
// duplicates, both sources, nothing changes.
func (s *Set) Replace(source string, list []Key) error {
	compiled := make([]*entry, 0, len(list))
	for i := range list {
		key := list[i].Clone()
		key.Source = source
		e, err := compile(s.hasher, key)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		compiled = append(compiled, e)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.sources[source]
	s.sources[source] = compiled
	if !slices.Contains(s.order, source) {
		s.order = append(s.order, source)
		s.asked.Store(true)
	}
	next, err := s.build()
	if err != nil {
		if known {
			s.sources[source] = before
		} else {
			delete(s.sources, source)
		}
		return err
	}
	s.now.Store(next)
	return nil
}

// build merges the sources in their order.
func (s *Set) build() (*snapshot, error) {
	n := 0
	for _, list := range s.sources {
		n += len(list)
	}
	next := &snapshot{
		hasher:   s.hasher,
		byID:     make(map[uint64]*entry, n),
		byMAC:    map[mac]*entry{},
		byName:   make(map[string]*entry, n),
		sorted:   make([]*Key, 0, n),
		stranger: &entry{unlisted: true, previous: &neverReplaced},
	}
	owners := make(map[mac]*entry, n)
	for _, source := range s.order {
		for _, e := range s.sources[source] {
			if err := next.add(e, owners); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(next.expiries)
	slices.SortFunc(next.sorted, func(a, b *Key) int { return strings.Compare(a.Name, b.Name) })
	return next, nil
}

// Find returns the key that credential is a secret of, or [ErrUnknown],
// [ErrDisabled], [ErrExpired] or [ErrDamaged].
func (s *Set) Find(credential string, now time.Time) (*Key, error) {
	return s.now.Load().find(credential, now.UnixNano())
}

// Anonymous returns the key of requests that bring no credential. ok is false
// when there is none, or none that is valid.
func (s *Set) Anonymous(now time.Time) (key *Key, ok bool) {
	key, err := s.now.Load().forNobody(now.UnixNano())
	return key, err == nil
}

// Get returns the key of a name or an id.
func (s *Set) Get(ref string) (*Key, bool) {
	snap := s.now.Load()
	e, ok := snap.byName[ref]
	if id, isID := number(ref); !ok && isID {
		e, ok = snap.byID[id]
	}
	if !ok {
		return nil, false
	}
	return e.key, true
}

// All returns every key, sorted by name. The slice must not be changed.
func (s *Set) All() []*Key { return s.now.Load().sorted }

// Len is the number of keys.
func (s *Set) Len() int { return len(s.now.Load().sorted) }

// Asked reports whether callers need a key: there is one, or a source that has
// none at the moment. A file whose last key was taken out opens no doors.
func (s *Set) Asked() bool { return s.asked.Load() || s.Len() > 0 }
