package canon

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"unsafe"

	"github.com/weirproxy/weir/wire"
)

// Memo remembers digests by the bytes of requests, so that one that is spelled
// the same again costs one pass over its body and is not decoded. It is safe for
// concurrent use.
//
// Requests are told apart by a GMAC under a key of the process's own. For two that
// differ it is the same with a chance of less than n/2^124, n being their bytes:
// unlike with hashes that are fast only, nobody can better that chance who does
// not know the key, and no tag ever leaves the memo. It is several times faster
// than a cryptographic hash, which all who ask again would wait for.
//
// What is remembered for one scope is not found by another: else the time that
// an answer takes would tell tenants what others have asked.
type Memo struct {
	shards [shards]shard
	mac    cipher.AEAD // nil where the platform's rules do not allow it: nothing is remembered
	keys   sync.Pool   // *keyer
}

const (
	// shards is a power of two.
	shards = 16

	// longText is the most bytes of text that an entry holds. Of a longer one only
	// the digests and the other facts are remembered.
	longText = 4 << 10

	// entrySize is what an entry takes besides its texts, and a guess of what the
	// map needs for it.
	entrySize = int64(unsafe.Sizeof(noted{})+unsafe.Sizeof(memoKey{})) * 5 / 4

	// macSize is that of a GMAC.
	macSize = 16
)

type memoKey [macSize]byte

type noted struct {
	digest Digest
	facts  Facts
	// cut says that facts has no LastUser although the request has one.
	cut bool
}

// texts is how many bytes of text e holds.
func (e *noted) texts() int64 { return int64(len(e.facts.LastUser) + len(e.facts.Stateful)) }

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
	m.keys.New = func() any { return new(keyer) }
	var key [aes.BlockSize]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // of a key's length alone
	}
	if m.mac, err = cipher.NewGCM(block); err != nil {
		m.mac = nil // GODEBUG=fips140=only
	}
	return m
}

// Of is [Of] for a request within a scope. Who does not need LastUser gets it only
// where it is at hand. Errors are not remembered.
func (m *Memo) Of(scope string, op *wire.Operation, body []byte, o Options, needText bool) (Digest, Facts, error) {
	if m.mac == nil {
		return Of(op, body, o)
	}
	k := m.keys.Get().(*keyer)
	key := k.key(m.mac, scope, op, body, o)
	m.keys.Put(k)
	s := &m.shards[key[0]%shards]
	if e, ok := s.get(&key); ok && !(e.cut && needText) {
		return e.digest, e.facts, nil
	}
	digest, facts, err := Of(op, body, o)
	if err == nil {
		s.put(&key, &noted{digest: digest, facts: facts})
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
	nonce     [12]byte // the same for all: tags are for nobody else
	head, sum []byte
}

// key is the tag of the body and of all else that its digest depends on: the cipher
// adds the lengths of both.
func (k *keyer) key(mac cipher.AEAD, scope string, op *wire.Operation, body []byte, o Options) memoKey {
	k.head = append(binary.AppendUvarint(k.head[:0], uint64(len(scope))), scope...)
	k.head = append(append(append(k.head, op.Dialect...), op.Path...), 0)
	if o.IgnoreSeed {
		k.head = append(k.head, 1)
	} else {
		k.head = append(k.head, 0)
	}
	k.sum = mac.Seal(k.sum[:0], k.nonce[:], k.head, body)
	return memoKey(k.sum[len(k.head):])
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
	if e.texts() > longText {
		e.cut, e.facts.LastUser = e.facts.LastUser != "", ""
		if e.texts() > longText {
			return
		}
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
	size := entrySize + e.texts()
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
