package tokenizer

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// entry is one token of an unpacked vocabulary.
type entry struct {
	off  uint32 // into vocab.blob
	id   uint32 // rank and token id
	size uint16
	left uint16 // length of the left of the two tokens that merge into it
}

// vocab is a vocabulary sorted by the bytes of its tokens.
type vocab struct {
	blob    []byte
	entries []entry
	size    int // one more than the highest id
	longest int // bytes of the longest token
	nodes   int // at least as many as the nodes of a trie over the tokens
}

func (v *vocab) bytes(e entry) []byte { return v.blob[e.off : e.off+uint32(e.size)] }

var errPacked = errors.New("packed vocabulary is damaged")

// unpackVocab reads what internal/gen/vocab writes: the number of tokens, the
// width of a rank in bits, four deflated streams (length shared with the
// token before, length of the rest, length of the left half, the rests), and
// the ranks. Tokens of rank limit and above are left out; 0 keeps all.
func unpackVocab(packed string, limit int) (*vocab, error) {
	data := []byte(packed)
	number := func() int {
		n, size := binary.Uvarint(data)
		data = data[max(size, 0):]
		return int(n)
	}
	count, width := number(), number()
	var streams [4][]byte
	var wait sync.WaitGroup
	var errs [4]error
	for i := range streams {
		raw, small := number(), number()
		if small > len(data) || raw > 1<<26 {
			return nil, errPacked
		}
		streams[i] = make([]byte, raw)
		part := data[:small]
		data = data[small:]
		wait.Go(func() { _, errs[i] = io.ReadFull(flate.NewReader(bytes.NewReader(part)), streams[i]) })
	}
	wait.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("inflating vocabulary: %w", err)
	}
	shared, rest, left, suffix := streams[0], streams[1], streams[2], streams[3]
	if len(shared) != count || len(rest) != count || len(left) != count || len(data) < count*width/8+8 {
		return nil, errPacked
	}
	return assemble(shared, rest, left, suffix, data, width, limit)
}

func assemble(shared, rest, left, suffix, ranks []byte, width, limit int) (*vocab, error) {
	total := 0
	for i := range shared {
		total += int(shared[i]) + int(rest[i])
	}
	v := &vocab{blob: make([]byte, 0, total), entries: make([]entry, 0, len(shared)), nodes: 1 + len(suffix)}
	previous := entry{}
	for i := range shared {
		bit := i * width
		id := uint32(binary.LittleEndian.Uint64(ranks[bit/8:])>>(bit%8)) & (1<<width - 1)
		e := entry{off: uint32(len(v.blob)), id: id, size: uint16(shared[i]) + uint16(rest[i]), left: uint16(left[i])}
		if int(shared[i]) > int(previous.size) || int(rest[i]) > len(suffix) || e.left >= max(e.size, 1) {
			return nil, errPacked
		}
		v.blob = append(v.blob, v.blob[previous.off:previous.off+uint32(shared[i])]...)
		v.blob = append(v.blob, suffix[:rest[i]]...)
		suffix = suffix[rest[i]:]
		previous = e
		if limit > 0 && int(id) >= limit {
			continue
		}
		v.entries = append(v.entries, e)
		v.size, v.longest = max(v.size, int(id)+1), max(v.longest, int(e.size))
	}
	return v, nil
}
