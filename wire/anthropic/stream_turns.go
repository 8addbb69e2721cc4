package anthropic

import (
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// block reads the event of a block that the document holds, or keeps it for
// later.
func (d *streamDecoder) block(ev *sse.Event) error {
	doc, root := &d.doc, d.doc.Root
	index := doc.IntAt(root, "index")
	if index != d.upstream && d.inTheWay() {
		return d.held.Keep(index, ev)
	}
	switch kind := doc.Get(root, "type"); string(kind.Raw(doc.Data)) {
	case `"content_block_start"`:
		return d.blockStart(index, doc.Get(root, "content_block"))
	case `"content_block_delta"`:
		return d.delta(index, doc.Get(root, "delta"))
	}
	d.blockStop()
	return d.held.Release(doc, d.inTheWay, d.block)
}

// inTheWay says that others wait for the open block: a call, and thinking with its
// signature, are over when they say so. Text can be gone on with in another block.
func (d *streamDecoder) inTheWay() bool {
	return d.open && d.announced && d.kind != wire.TextBlock
}

// releaseAll reads what is kept before ev, which comes behind the blocks.
func (d *streamDecoder) releaseAll(ev *sse.Event) error {
	return d.held.ReleaseAll(&d.doc, ev, d.blockStop, d.block)
}
