package tokenizer

import "hash/maphash"

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

// chain appends the keys of the whole blocks of raw, each together with what is
// before it and with k.
//
// A block is hashed once, to 64 bits under a seed of the process that nobody is
// shown, so two lists share a key by chance only if they are the same up to a block,
// and then two of 2^64 hashes are: in a memo that holds nothing but other ways to
// go on from there, with a chance of less than 2^-48 for each block.
func (m *Memo) chain(dst []memoKey, k memoKey, raw []byte) []memoKey {
	for ; len(raw) >= m.block; raw = raw[m.block:] {
		h := maphash.Bytes(m.seeds[0], raw[:m.block])
		k = memoKey{mix(h, k[0]), mix(h, k[1])}
		dst = append(dst, k)
	}
	return dst
}
