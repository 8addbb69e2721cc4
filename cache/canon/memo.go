package canon

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"math"
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

	// saidSize is what texts take besides themselves.
	saidSize = int64(unsafe.Sizeof(said{})) * 5 / 4

	// macSize is that of a GMAC.
	macSize = 16
)

type memoKey [macSize]byte

// noted is what is remembered of a request. It has no pointer, so that the collector
// does not look into maps of it.
type noted struct {
	digest, partition Digest
	temperature       float64
	choices           int64
	userTurns         int32
	// said is where its generation has its texts, from 1 on; 0: it has none.
	said uint32

	hasTemperature, hasSeed, tools, media, otherOutput bool
	// cut says that its LastUser is not remembered, though there may be one.
	cut bool
}

// said are the texts of a request.
type said struct{ lastUser, stateful string }

func (w *said) size() int64 { return int64(len(w.lastUser) + len(w.stateful)) }

// note is what is remembered of a request. Without needText its LastUser is not.
func note(digest Digest, f *Facts, needText bool) (e noted, w said) {
	e = noted{
		digest: digest, partition: f.Partition, temperature: f.Temperature, choices: f.Choices,
		userTurns: int32(min(f.UserTurns, math.MaxInt32)), hasTemperature: f.HasTemperature, hasSeed: f.HasSeed, //nolint:gosec // fits
		tools: f.Tools, media: f.Media, otherOutput: f.OtherOutput, cut: !needText,
	}
	w = said{stateful: f.Stateful}
	if needText {
		w.lastUser = f.LastUser
	}
	if w.size() > longText && w.lastUser != "" {
		w.lastUser, e.cut = "", true
	}
	return e, w
}

func (e *noted) facts(w said) Facts {
	return Facts{
		Partition: e.partition, LastUser: w.lastUser, Stateful: w.stateful, UserTurns: int(e.userTurns), Choices: e.choices,
		Temperature: e.temperature, HasTemperature: e.hasTemperature, HasSeed: e.hasSeed,
		Tools: e.tools, Media: e.media, OtherOutput: e.otherOutput,
	}
}

// generation is requests that were met at about the same time.
type generation struct {
	entries map[memoKey]noted
	said    []said
}

// of are the texts of e.
func (g *generation) of(e *noted) said {
	if e.said == 0 {
		return said{}
	}
	return g.said[e.said-1]
}

// forget empties it, and keeps its memory.
func (g *generation) forget() {
	clear(g.entries)
	clear(g.said)
	g.said = g.said[:0]
}

// shard has two generations. New entries and those that are met again go to
// the young one; when it is half of what is allowed, the old one is dropped and
// it takes that place. So nothing is sorted, and what is used stays.
type shard struct {
	mu         sync.Mutex
	young, old generation
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
		return of(op, body, o, needText)
	}
	k := m.keys.Get().(*keyer)
	key := k.key(m.mac, scope, op, body, o)
	m.keys.Put(k)
	s := &m.shards[key[0]%shards]
	if e, w, ok := s.get(&key); ok && !(e.cut && needText) {
		return e.digest, e.facts(w), nil
	}
	digest, facts, err := of(op, body, o, needText)
	if err == nil {
		e, w := note(digest, &facts, needText)
		s.put(&key, &e, w)
	}
	return digest, facts, err
}

// Len is the number of requests that are remembered, for metrics.
func (m *Memo) Len() (n int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.young.entries) + len(s.old.entries)
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

func (s *shard) get(key *memoKey) (noted, said, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.young.entries[*key]; ok {
		return e, s.young.of(&e), true
	}
	e, ok := s.old.entries[*key]
	if !ok {
		return noted{}, said{}, false
	}
	w := s.old.of(&e)
	delete(s.old.entries, *key)
	s.add(key, &e, w)
	return e, w, true
}

func (s *shard) put(key *memoKey, e *noted, w said) {
	if w.size() > longText {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.young.entries[*key]; ok && (e.cut || !was.cut) {
		return
	}
	delete(s.young.entries, *key)
	delete(s.old.entries, *key)
	s.add(key, e, w)
}

// add puts e into the young generation, the mutex held.
func (s *shard) add(key *memoKey, e *noted, w said) {
	size := entrySize
	if w != (said{}) {
		size += w.size() + saidSize
	}
	if s.maxEntries < 1 || size > s.maxBytes {
		return
	}
	if len(s.young.entries) == s.maxEntries || s.bytes+size > s.maxBytes {
		s.old.forget()
		s.young, s.old = s.old, s.young
		s.bytes = 0
	}
	if s.young.entries == nil {
		s.young.entries = make(map[memoKey]noted)
	}
	if e.said = 0; w != (said{}) {
		s.young.said = append(s.young.said, w)
		e.said = uint32(len(s.young.said)) //nolint:gosec // no more than fit
	}
	s.young.entries[*key] = *e
	s.bytes += size
}
