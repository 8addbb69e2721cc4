package anthropic

import (
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// block reads the event of a block that the document holds, or keeps it for
// later: a call, and thinking with its signature, are over when they say so. Text
// can be gone on with in another block.
func (d *streamDecoder) block(ev *sse.Event) error {
	doc, root := &d.doc, d.doc.Root
	index := doc.IntAt(root, "index")
	if d.open && d.announced && d.kind != wire.TextBlock && index != d.upstream {
		return d.held.Keep(ev)
	}
	switch kind := doc.Get(root, "type"); string(kind.Raw(doc.Data)) {
	case `"content_block_start"`:
		return d.blockStart(index, doc.Get(root, "content_block"))
	case `"content_block_delta"`:
		return d.delta(index, doc.Get(root, "delta"))
	}
	d.blockStop()
	return d.release()
}

// release reads what was kept, as far as its turn has come.
func (d *streamDecoder) release() error {
	for _, ev := range d.held.Take() {
		if err := d.doc.Reset(ev.Data); err != nil {
			return err
		}
		if err := d.block(&ev); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll reads all that was kept before ev, which comes behind the blocks:
// what is open has not said that it is over.
func (d *streamDecoder) releaseAll(ev *sse.Event) error {
	if !d.held.Any() {
		return nil
	}
	for d.held.Any() {
		d.blockStop()
		if err := d.release(); err != nil {
			return err
		}
	}
	return d.doc.Reset(ev.Data)
}
