package cohere

import (
	"bytes"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

var toolCall, content = []byte("tool-call-"), []byte("content-")

// waits reports whether the event that the document holds belongs to another
// block than the open call, which is over when it says so.
func (d *streamDecoder) waits(kind []byte) bool {
	switch {
	case !d.open || d.block != wire.CallBlock:
		return false
	case bytes.HasPrefix(kind, toolCall):
		return d.doc.IntAt(d.doc.Root, "index") != d.at
	default:
		return bytes.HasPrefix(kind, content) || string(kind) == "tool-plan-delta"
	}
}

// release reads what was kept, as far as its turn has come.
func (d *streamDecoder) release() error {
	for _, ev := range d.held.Take() {
		if err := d.doc.Reset(ev.Data); err != nil {
			return err
		}
		if err := d.read(&ev); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll reads all that was kept before ev, which comes behind the blocks:
// what is open has not said that it is over.
func (d *streamDecoder) releaseAll(ev *sse.Event) error {
	for d.held.Any() {
		d.close()
		if err := d.release(); err != nil {
			return err
		}
	}
	return d.doc.Reset(ev.Data)
}
