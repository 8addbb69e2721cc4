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
	events []sse.Event
	size   int
}

// Keep keeps a copy of an event.
func (h *Held) Keep(ev *sse.Event) error {
	if h.size += len(ev.Data); h.size > maxHeld {
		return fmt.Errorf("keeping events of blocks that overlap: %w", ErrMalformed)
	}
	h.events = append(h.events, sse.Event{Name: bytes.Clone(ev.Name), Data: bytes.Clone(ev.Data), HasData: true})
	return nil
}

// Any reports whether something is kept.
func (h *Held) Any() bool { return len(h.events) > 0 }

// Take hands over what is kept, in its order.
func (h *Held) Take() []sse.Event {
	events := h.events
	*h = Held{}
	return events
}
