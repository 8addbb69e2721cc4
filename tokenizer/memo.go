package tokenizer

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const (
	memoShards = 64
	memoSets   = 128 // sets in a shard
	memoWays   = 8   // entries in a set
	// memoMin is the size from which remembering beats counting.
	memoMin = 64
	// prefixBlock is the unit in which lists of messages are remembered.
	prefixBlock = 8 << 10
)

// toolKind is the kind of tool definitions in the memo; those of messages are less.
const toolKind = 't'

// memoKey is two hashes of the JSON of a message or tool under seeds of the
// process that nobody is shown: nobody can prepare two messages that collide in
// both.
type memoKey [2]uint64

// cost is what a part of a prompt costs.
type cost struct {
	text  uint32 // tokens of the family's encoding
	fixed uint32 // tokens of the model
	flags uint8
	calls uint16 // earlier tool calls
}

const (
	costEstimated = 1 << iota
	costSystem    // a system message is among the messages
)

type memoEntry struct {
	key   memoKey
	value prefix // a message or a tool has its cost only
	stamp uint32 // shard's clock at the last use; 0: empty
}

type memoShard struct {
	mu    sync.Mutex
	clock uint32
	sets  [memoSets][memoWays]memoEntry
}

// Memo remembers what messages, tool definitions and the beginnings of
// conversations cost, because a chat client sends the whole history again with
// every turn. It holds the most recently used 65,536 of them (2.6 MB) and is safe
// for concurrent use.
type Memo struct {
	seeds        [2]maphash.Seed
	blocks       *blockHash
	shards       [memoShards]memoShard
	block        int // bytes: prefixBlock, but for tests
	hits, misses atomic.Uint64
}

// NewMemo returns an empty Memo with random seeds.
func NewMemo() *Memo {
	return &Memo{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, blocks: newBlockHash(), block: prefixBlock}
}

// sharedMemo is the memo of all prompts of the process. It is a cache of a pure
// function, so sharing it between configurations is invisible but for speed.
var sharedMemo = sync.OnceValue(NewMemo)

// MemoStats returns how many messages and tools were found in the memo since
// the process started, and how many had to be counted.
func MemoStats() (hits, misses uint64) {
	m := sharedMemo()
	return m.hits.Load(), m.misses.Load()
}

func (m *Memo) set(k memoKey) (*memoShard, *[memoWays]memoEntry) {
	shard := &m.shards[k[0]%memoShards]
	return shard, &shard.sets[k[1]%memoSets]
}

// key hashes b for both seeds. What tells families and kinds apart goes into the
// hashes, not into a copy of b.
func (m *Memo) key(family uint32, kind byte, b []byte) memoKey {
	tag := uint64(family)<<8 | uint64(kind)
	return memoKey{mix(maphash.Bytes(m.seeds[0], b), tag), mix(maphash.Bytes(m.seeds[1], b), tag)}
}

// mix is one to one in h for a tag, so that equal keys of one tag mean equal
// hashes, and spreads the tag over all bits.
func mix(h, tag uint64) uint64 {
	h ^= tag * 0x9E3779B97F4A7C15
	h ^= h >> 32
	h *= 0xD6E8FEB86659FD93
	return h ^ h>>32
}

// get looks up what a message or a tool costs.
func (m *Memo) get(k memoKey) (c cost, ok bool) {
	v, ok := m.find(k)
	if ok {
		m.hits.Add(1)
	} else {
		m.misses.Add(1)
	}
	return v.cost, ok
}

func (m *Memo) find(k memoKey) (v prefix, ok bool) {
	shard, set := m.set(k)
	shard.mu.Lock()
	for i := range set {
		if e := &set[i]; e.stamp != 0 && e.key == k {
			shard.clock++
			e.stamp = max(shard.clock, 1)
			v, ok = e.value, true
			break
		}
	}
	shard.mu.Unlock()
	return v, ok
}

// put remembers v in the place of the least recently used entry of its set.
func (m *Memo) put(k memoKey, v prefix) {
	shard, set := m.set(k)
	shard.mu.Lock()
	oldest := &set[0]
	for i := range set {
		if set[i].key == k || set[i].stamp < oldest.stamp {
			oldest = &set[i]
			if oldest.key == k {
				break
			}
		}
	}
	shard.clock++
	*oldest = memoEntry{key: k, value: v, stamp: max(shard.clock, 1)}
	shard.mu.Unlock()
}
