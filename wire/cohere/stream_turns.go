package cohere

import (
	"bytes"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

var toolCall, content = []byte("tool-call-"), []byte("content-")

// words is the block that text and plans have in common, beside the calls, which
// have numbers.
const words = -1

// turn is the block that the event of this kind belongs to; waits reports that it is
// another than the open call.
func (d *streamDecoder) turn(kind []byte) (block int64, waits bool) {
	switch {
	case !d.inTheWay():
		return 0, false
	case bytes.HasPrefix(kind, toolCall):
		block = d.doc.IntAt(d.doc.Root, "index")
		return block, block != d.at
	default:
		return words, bytes.HasPrefix(kind, content) || string(kind) == "tool-plan-delta"
	}
}

// inTheWay says that others wait for the open call, which is over when it says so.
func (d *streamDecoder) inTheWay() bool { return d.open && d.block == wire.CallBlock }

// releaseAll reads what is kept before ev, which comes behind the blocks.
func (d *streamDecoder) releaseAll(ev *sse.Event) error {
	return d.held.ReleaseAll(&d.doc, ev, d.close, d.read)
}
