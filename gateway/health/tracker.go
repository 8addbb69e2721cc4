// Package health knows which upstreams work: the state of targets (one model
// of one provider), the cooldowns and learned quotas of the accounts that
// they are called with, how fast they answer, and how many extra calls they
// may be sent. It learns from the calls that are made anyway.
package health

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Clock tells the time; tests replace it.
type Clock interface {
	Now() time.Time
}

// Target is one model of one provider.
type Target struct {
	Provider string
	Model    string
}

// String is the target as configurations write it.
func (t Target) String() string { return t.Provider + "/" + t.Model }

// Tracker is what is known of all targets and accounts. It outlives
// configurations, so that a reload does not send traffic back to a target
// that is down. Safe for concurrent use; what is hot is locked per target.
type Tracker struct {
	clock   Clock
	random  func() float64
	seed    maphash.Seed
	changes changes
	known   atomic.Int64
	shards  [shardCount]shard
	retries Budget // of the targets that are not remembered

	mu        sync.RWMutex
	providers map[string]*provider

	inspections inspections
}

// shard holds the targets of one part of the hashes, so that looking up is
// not a lock that all calls share.
type shard struct {
	mu      sync.RWMutex
	targets map[Target]*target
	swept   time.Time
}

const (
	shardCount = 64

	// maxTargets bounds the memory that a client who invents model names can
	// take: beyond it, targets that are not known are not remembered, but for
	// those of the configuration.
	maxTargets = 10_000

	// A target that is healthy and was not called for so long makes room for
	// others when the table is full.
	idleTime = 10 * time.Minute

	// sweepEvery bounds how often a full shard is searched for such targets.
	sweepEvery = time.Second
)

// New returns a Tracker that knows nothing yet. random returns numbers in
// [0, 1) and is used by many goroutines at once.
func New(clock Clock, random func() float64) *Tracker {
	t := &Tracker{clock: clock, random: random, seed: maphash.MakeSeed(), providers: make(map[string]*provider)}
	for i := range t.shards {
		t.shards[i].targets = make(map[Target]*target)
	}
	t.retries.init(clock, retryRatio, retryFloor)
	t.inspections.targets = make(map[Target]*inspection)
	return t
}

func (t *Tracker) shard(key Target) *shard {
	h := 31*maphash.String(t.seed, key.Provider) + maphash.String(t.seed, key.Model)
	return &t.shards[h%shardCount]
}

// find returns a target that is known, else nil.
func (t *Tracker) find(key Target) *target {
	s := t.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.targets[key]
}

// enter counts a call to key in. The result is nil when there is no room to
// remember the target. Counting happens under the shard's lock, so that a
// target in use is never swept.
func (t *Tracker) enter(key Target, now time.Time) *target {
	s := t.shard(key)
	s.mu.RLock()
	x := s.targets[key]
	if x != nil {
		x.inFlight.Add(1)
	}
	s.mu.RUnlock()
	if x != nil {
		return x
	}
	p := t.provider(key.Provider)
	s.mu.Lock()
	defer s.mu.Unlock()
	if x = t.add(s, key, p, now, false); x != nil {
		x.inFlight.Add(1)
	}
	return x
}

// add returns the target of key, made if it is not known. The shard is locked.
func (t *Tracker) add(s *shard, key Target, p *provider, now time.Time, always bool) *target {
	if x := s.targets[key]; x != nil {
		return x
	}
	if !always && t.known.Load() >= maxTargets && !t.sweep(s, now) {
		return nil
	}
	x := &target{tracker: t, key: key, provider: p}
	x.retries.init(t.clock, retryRatio, retryFloor)
	s.targets[key] = x
	t.known.Add(1)
	return x
}

// sweep makes room in a shard and reports whether it could.
func (t *Tracker) sweep(s *shard, now time.Time) bool {
	if now.Sub(s.swept) < sweepEvery {
		return false
	}
	s.swept = now
	for key, x := range s.targets {
		if x.idle(now) {
			delete(s.targets, key)
			t.known.Add(-1)
		}
	}
	return t.known.Load() < maxTargets
}

// provider returns what is known of a provider, made if need be: names of
// providers come from configurations only.
func (t *Tracker) provider(name string) *provider {
	t.mu.RLock()
	p := t.providers[name]
	t.mu.RUnlock()
	if p != nil {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p = t.providers[name]; p == nil {
		p = &provider{name: name, tracker: t}
		t.providers[name] = p
	}
	return p
}

// each calls do for every known target, with no lock held. It is for reports
// and reloads.
func (t *Tracker) each(do func(*target)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		list := make([]*target, 0, len(s.targets))
		for _, x := range s.targets {
			list = append(list, x)
		}
		s.mu.RUnlock()
		for _, x := range list {
			do(x)
		}
	}
}
