package bedrock

import (
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// turn reads the event of a block that the document holds, or keeps it for later:
// blocks may come interleaved, and all but text are over when they say so.
func (d *streamDecoder) turn(ev *sse.Event) error {
	root := d.doc.Root
	if d.open && d.block != wire.TextBlock && d.at != d.doc.IntAt(root, "contentBlockIndex") {
		return d.later.Keep(ev)
	}
	switch string(ev.Name) {
	case "contentBlockStart":
		return d.blockStart(root)
	case "contentBlockDelta":
		return d.delta(root)
	}
	d.close()
	return d.release()
}

// release reads what was kept, as far as its turn has come.
func (d *streamDecoder) release() error {
	for _, ev := range d.later.Take() {
		if err := d.doc.Reset(ev.Data); err != nil {
			return err
		}
		if err := d.turn(&ev); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll reads all that was kept before ev, which comes behind the blocks:
// what is open has not said that it is over.
func (d *streamDecoder) releaseAll(ev *sse.Event) error {
	if !d.later.Any() {
		return nil
	}
	for d.later.Any() {
		d.close()
		if err := d.release(); err != nil {
			return err
		}
	}
	return d.doc.Reset(ev.Data)
}
