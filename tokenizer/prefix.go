package tokenizer

import "encoding/binary"

// What a chat client sends again with every turn is not a message here and there,
// but all of the list of messages up to where the last turn ended. So the list's
// beginning is remembered as a whole: it costs one hash of its bytes, instead of a
// walk over the JSON and two hashes of each message.
//
// The list is hashed in blocks, each together with the blocks before it. For the
// end of a block the memo knows what the messages that end before it cost. Where
// they end is remembered with that, as a block ends anywhere in a message.

// prefix is what the messages at the beginning of a list cost.
type prefix struct {
	cost     cost
	messages uint32
	end      uint32 // bytes of the list that they take
}

// list is the list of messages that a Prompt is being shown.
type list struct {
	before   cost // of what came before the list
	messages int  // before the list

	keys []memoKey // of all up to the end of each block
	next int       // the first block that ends after the last message
	so   prefix    // up to the last message
}

// listKind is added to the kind of messages for lists of them.
const listKind = 1 << 7

// BeginMessages opens a list of messages and returns how many bytes of it, up to
// the end of a message, are remembered: they are to be left out.
func (p *Prompt) BeginMessages(kind byte, raw []byte) (known int) {
	l := &p.list
	l.before, l.messages, l.next, l.so = p.sum, p.messages, 0, prefix{}
	l.keys = p.memo.chain(l.keys[:0], p.memo.key(p.family.id, kind|listKind, nil), raw)
	for i := len(l.keys); i > 0; i-- {
		if so, ok := p.memo.find(l.keys[i-1]); ok {
			l.so, l.next = so, i
			p.memo.hits.Add(uint64(so.messages))
			break
		}
	}
	p.sum = l.so.cost
	p.messages += int(l.so.messages)
	return int(l.so.end)
}

// Passed notes that a message has ended, with the first so many bytes of the list.
func (p *Prompt) Passed(bytes int) {
	l, block := &p.list, p.memo.block
	for ; l.next < len(l.keys) && (l.next+1)*block < bytes; l.next++ {
		// Where no message ends in the block, the one before it says as much.
		if int(l.so.end) > l.next*block {
			p.memo.put(l.keys[l.next], l.so)
		}
	}
	l.so = prefix{p.sum, uint32(p.messages - l.messages), uint32(bytes)}
}

// EndMessages closes the list.
func (p *Prompt) EndMessages() { p.add(p.list.before) }

// chain appends the keys of the whole blocks of raw, each of which stands for what
// is before its block and for k too.
//
// Two lists that differ share a key if what blockHash makes of a block is the same
// for two that follow the same beginning, with a chance of 2^-64 for each such pair:
// even in a memo that is full of ways to go on from there, of less than 2^-48 for
// each block. From there on keys are hashed as those of messages are.
func (m *Memo) chain(dst []memoKey, k memoKey, raw []byte) []memoKey {
	var link [32]byte
	for ; len(raw) >= m.block; raw = raw[m.block:] {
		hi, lo := m.blocks.sum(raw[:m.block])
		binary.LittleEndian.PutUint64(link[0:], hi)
		binary.LittleEndian.PutUint64(link[8:], lo)
		binary.LittleEndian.PutUint64(link[16:], k[0])
		binary.LittleEndian.PutUint64(link[24:], k[1])
		k = m.key(0, 0, link[:])
		dst = append(dst, k)
	}
	return dst
}
