package wire

import (
	"bytes"
	"fmt"

	"github.com/weirproxy/weir/internal/sse"
)

// maxHeld bounds what is kept of blocks whose turn has not come.
const maxHeld = 16 << 20

// Held keeps the events of blocks that an upstream sends in turns: an [Event]
// stream has one open block at a time. The zero Held is ready.
type Held struct {
	blocks []heldBlock   // in the order in which they began
	place  map[int64]int // in blocks, with those that are gone before
	gone   int
	size   int

	// releasing is set while kept events are read, which may end blocks in turn.
	releasing bool
}

type heldBlock struct {
	number int64
	events []sse.Event
}

// Keep keeps a copy of an event of the block that has this number in the upstream's
// stream.
func (h *Held) Keep(block int64, ev *sse.Event) error {
	if h.size += len(ev.Data); h.size > maxHeld {
		return fmt.Errorf("keeping events of blocks that overlap: %w", ErrMalformed)
	}
	at, ok := h.place[block]
	if !ok {
		if h.place == nil {
			h.place = make(map[int64]int)
		}
		at = h.gone + len(h.blocks)
		h.place[block] = at
		h.blocks = append(h.blocks, heldBlock{number: block})
	}
	b := &h.blocks[at-h.gone]
	b.events = append(b.events, sse.Event{Name: bytes.Clone(ev.Name), Data: bytes.Clone(ev.Data), HasData: true})
	return nil
}

// Release has the kept blocks read one after the other, as long as none of them is
// in the way of the next. doc is the document that read reads.
func (h *Held) Release(doc *Doc, inTheWay func() bool, read func(*sse.Event) error) error {
	if h.releasing {
		return nil
	}
	for len(h.blocks) > 0 && !inTheWay() {
		if err := h.release(doc, read); err != nil {
			return err
		}
	}
	return nil
}

// ReleaseAll has all that was kept read before ev, which comes behind the blocks: end
// ends one that has not said that it is over. doc is of ev afterwards, as before.
func (h *Held) ReleaseAll(doc *Doc, ev *sse.Event, end func(), read func(*sse.Event) error) error {
	if len(h.blocks) == 0 {
		return nil
	}
	for len(h.blocks) > 0 {
		end()
		if err := h.release(doc, read); err != nil {
			return err
		}
	}
	return doc.Reset(ev.Data)
}

// release has the first block read.
func (h *Held) release(doc *Doc, read func(*sse.Event) error) error {
	b := h.blocks[0]
	h.blocks = h.blocks[1:]
	delete(h.place, b.number)
	h.gone++
	h.releasing = true
	defer func() { h.releasing = false }()
	for i := range b.events {
		h.size -= len(b.events[i].Data)
		if err := doc.Reset(b.events[i].Data); err != nil {
			return err
		}
		if err := read(&b.events[i]); err != nil {
			return err
		}
	}
	return nil
}
