package bedrock

import (
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// turn reads the event of a block that the document holds, or keeps it for later:
// blocks may come interleaved.
func (d *streamDecoder) turn(ev *sse.Event) error {
	root := d.doc.Root
	if at := d.doc.IntAt(root, "contentBlockIndex"); at != d.at && d.inTheWay() {
		return d.later.Keep(at, ev)
	}
	switch string(ev.Name) {
	case "contentBlockStart":
		return d.blockStart(root)
	case "contentBlockDelta":
		return d.delta(root)
	}
	d.close()
	return d.later.Release(&d.doc, d.inTheWay, d.turn)
}

// inTheWay says that others wait for the open block: all but text are over when they
// say so.
func (d *streamDecoder) inTheWay() bool { return d.open && d.block != wire.TextBlock }

// releaseAll reads what is kept before ev, which comes behind the blocks.
func (d *streamDecoder) releaseAll(ev *sse.Event) error {
	return d.later.ReleaseAll(&d.doc, ev, d.close, d.turn)
}
