package canon

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"unsafe"

	"github.com/weirproxy/weir/wire"
)

// Memo remembers digests by the bytes of requests, so that one that is spelled
// the same again costs one hash of its body and is not decoded. It is safe for
// concurrent use.
//
// What is remembered for one scope is not found by another: else the time that
// an answer takes would tell tenants what others have asked.
type Memo struct {
	shards [shards]shard
	keys   sync.Pool // *keyer
}

const (
	// shards is a power of two.
	shards = 16

	// longText is the most bytes of text that an entry may hold.
	longText = 4 << 10

	// entrySize is what an entry takes besides its texts, and a guess of what the
	// map needs for it.
	entrySize = int64(unsafe.Sizeof(noted{})+unsafe.Sizeof(memoKey{})) * 5 / 4
)

type memoKey [sha256.Size]byte

type noted struct {
	digest Digest
	facts  Facts
}

// shard has two generations. New entries and those that are met again go to
// the young one; when it is half of what is allowed, the old one is dropped and
// it takes that place. So nothing is sorted, and what is used stays.
type shard struct {
	mu         sync.Mutex
	young, old map[memoKey]noted
	bytes      int64 // of the young generation

	maxEntries int // of a generation
	maxBytes   int64
}

// NewMemo returns a memo of at most so many requests and bytes, both divided
// among 16 shards: less than two entries or bytes for each shard remember
// nothing.
func NewMemo(entries int, bytes int64) *Memo {
	m := new(Memo)
	for i := range m.shards {
		m.shards[i].maxEntries = entries / (2 * shards)
		m.shards[i].maxBytes = bytes / (2 * shards)
	}
	m.keys.New = func() any { return &keyer{hash: sha256.New()} }
	return m
}

// Of is [Of] for a request within a scope. Errors are not remembered.
func (m *Memo) Of(scope []byte, op *wire.Operation, body []byte, o Options) (Digest, Facts, error) {
	k := m.keys.Get().(*keyer)
	key := k.key(scope, op, body, o)
	m.keys.Put(k)
	s := &m.shards[key[0]%shards]
	if e, ok := s.get(&key); ok {
		return e.digest, e.facts, nil
	}
	digest, facts, err := Of(op, body, o)
	if err == nil {
		s.put(&key, &noted{digest, facts})
	}
	return digest, facts, err
}

// Len is the number of requests that are remembered, for metrics.
func (m *Memo) Len() (n int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}

// keyer is what it takes to make a key without an allocation.
type keyer struct {
	hash hash.Hash
	head []byte
	sum  memoKey
}

func (k *keyer) key(scope []byte, op *wire.Operation, body []byte, o Options) memoKey {
	k.head = append(binary.AppendUvarint(k.head[:0], uint64(len(scope))), scope...)
	k.head = append(append(append(k.head, op.Dialect...), op.Path...), 0)
	if o.IgnoreSeed {
		k.head = append(k.head, 1)
	} else {
		k.head = append(k.head, 0)
	}
	k.hash.Reset()
	_, _ = k.hash.Write(k.head)
	_, _ = k.hash.Write(body)
	k.hash.Sum(k.sum[:0])
	return k.sum
}

func (s *shard) get(key *memoKey) (noted, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.young[*key]
	if !ok {
		if e, ok = s.old[*key]; ok {
			delete(s.old, *key)
			s.add(key, &e)
		}
	}
	return e, ok
}

func (s *shard) put(key *memoKey, e *noted) {
	if len(e.facts.LastUser)+len(e.facts.Stateful) > longText {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[*key]; !ok {
		delete(s.old, *key)
		s.add(key, e)
	}
}

// add puts e into the young generation, the mutex held.
func (s *shard) add(key *memoKey, e *noted) {
	size := entrySize + int64(len(e.facts.LastUser)+len(e.facts.Stateful))
	if s.maxEntries < 1 || size > s.maxBytes {
		return
	}
	if s.young == nil || len(s.young) == s.maxEntries || s.bytes+size > s.maxBytes {
		s.young, s.old = make(map[memoKey]noted), s.young
		s.bytes = 0
	}
	s.young[*key] = *e
	s.bytes += size
}
