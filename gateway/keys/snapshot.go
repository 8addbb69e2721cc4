package keys

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The reasons for which a credential is refused. Unknown ids and wrong secrets
// are both ErrUnknown; the others are told to those only who have the secret.
var (
	ErrUnknown  = errors.New("the key is not known")
	ErrDisabled = errors.New("the key is disabled")
	ErrExpired  = errors.New("the key has expired")
)

// entry is what a look-up needs of a key, in the 64 bytes of one cache line.
type entry struct {
	mac      mac
	expires  int64 // Unix nanoseconds
	previous *replaced
	key      *Key
	disabled bool
	unlisted bool // no key has this entry
}

// replaced are the secrets before the current one. Every key has them:
// those without share one that nothing fits.
type replaced [maxPrevious]struct {
	mac   mac
	until int64 // Unix nanoseconds from which on the MAC fits no more
}

// neverReplaced is read only.
var neverReplaced replaced

// forever is later than any clock will say.
const forever = math.MaxInt64

// unix is t in nanoseconds; times that do not fit, and none at all, are far.
func unix(t time.Time) int64 {
	if t.IsZero() || t.Year() > 2261 {
		return forever
	}
	return t.UnixNano()
}

// compile reads a key's hashes.
func compile(h *Hasher, key Key) (*entry, error) {
	if err := key.validate(); err != nil {
		return nil, err
	}
	e := &entry{key: &key, expires: unix(key.Expires), disabled: key.Disabled, previous: &neverReplaced}
	if key.Anonymous {
		return e, nil
	}
	var err error
	if e.mac, err = h.parse(key.Hash); err != nil {
		return nil, fmt.Errorf("key '%s': %w", key.Name, err)
	}
	if len(key.Previous) > 0 {
		e.previous = new(replaced)
	}
	for i, p := range key.Previous {
		if e.previous[i].mac, err = h.parse(p.Hash); err != nil {
			return nil, fmt.Errorf("key '%s', previous: %w", key.Name, err)
		}
		e.previous[i].until = unix(p.Expires)
	}
	return e, nil
}

// snapshot is an immutable table of keys.
type snapshot struct {
	hasher *Hasher
	byID   map[uint64]*entry
	byMAC  map[mac]*entry // keys without an id
	byName map[string]*entry
	sorted []*Key // by name

	// expiries are when keys and replaced secrets are over, in Unix nanoseconds,
	// sorted.
	expiries []int64

	anonymous *entry
	stranger  *entry // compared with when no key is found
	work      *work  // counts in tests; nil
}

// work is what a look-up costs.
type work struct{ macs, lookups, compares int }

// add enters e or says whom it collides with. owners are the secrets of the
// keys that were added before.
func (s *snapshot) add(e *entry, owners map[mac]*entry) error {
	key := e.key
	if other, taken := s.byName[key.Name]; taken {
		return clash("name '"+key.Name+"'", other.key, key)
	}
	s.byName[key.Name] = e
	s.sorted = append(s.sorted, key)
	s.expires(e.expires)
	if key.Anonymous {
		if s.anonymous != nil {
			return clash("role of the anonymous key", s.anonymous.key, key)
		}
		s.anonymous = e
		return nil
	}
	id, hasID := number(key.ID)
	if hasID {
		if other, taken := s.byID[id]; taken {
			return clash("id '"+key.ID+"'", other.key, key)
		}
		s.byID[id] = e
	}
	macs := []mac{e.mac}
	for i := range key.Previous {
		macs = append(macs, e.previous[i].mac)
		s.expires(e.previous[i].until)
	}
	for _, m := range macs {
		if other, taken := owners[m]; taken && other != e {
			return clash("secret", other.key, key)
		}
		owners[m] = e
		if !hasID {
			s.byMAC[m] = e
		}
	}
	return nil
}

func (s *snapshot) expires(at int64) {
	if at != forever {
		s.expiries = append(s.expiries, at)
	}
}

// forNobody returns the key of requests that bring no credential.
func (s *snapshot) forNobody(now int64) (*Key, error) {
	switch e := s.anonymous; {
	case e == nil:
		return nil, ErrUnknown
	case e.disabled:
		return nil, ErrDisabled
	case now >= e.expires:
		return nil, ErrExpired
	default:
		return e.key, nil
	}
}

func clash(what string, a, b *Key) error {
	return fmt.Errorf("two keys have the same %s: '%s' from %s and '%s' from %s", what, a.Name, a.Source, b.Name, b.Source)
}

// find returns the key of a credential. Whatever is wrong with one that is not
// damaged, the work is the same: one MAC, both look-ups, every comparison.
func (s *snapshot) find(credential string, now int64) (*Key, error) {
	scratch := s.hasher.take(credential)
	defer s.hasher.put(scratch)
	id, form := parse(scratch.text)
	if form == damaged {
		return nil, ErrDamaged
	}
	// Both maps are asked whatever the first says. How long a map takes to
	// find a MAC tells nothing of how near a guess is: near credentials have
	// MACs that are far from each other. The first is asked before the MAC is
	// known, so that the processor waits for memory while it computes.
	e, byID := s.byID[id]
	if !byID {
		e = s.stranger
	}
	s.hasher.sum(scratch, form == own)
	if whole, byMAC := s.byMAC[scratch.sum]; byMAC && !byID {
		e = whole
	}
	match := same(&e.mac, &scratch.sum)
	for i := range e.previous {
		fits := same(&e.previous[i].mac, &scratch.sum)
		if now < e.previous[i].until {
			match |= fits
		}
	}
	if s.work != nil {
		s.work.macs++
		s.work.lookups += 2
		s.work.compares += 1 + len(e.previous)
	}
	switch {
	case match == 0 || e.unlisted || len(credential) > maxCredential:
		return nil, ErrUnknown
	case e.disabled:
		return nil, ErrDisabled
	case now >= e.expires:
		return nil, ErrExpired
	}
	return e.key, nil
}
