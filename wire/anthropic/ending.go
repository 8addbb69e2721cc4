package anthropic

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Ending knows which block of a stream is open. The zero value is ready.
type Ending struct {
	open  bool
	index int64
}

// Pass implements wire.Ending.
func (e *Ending) Pass(ev *sse.Event) {
	if !ev.HasData {
		return
	}
	root, err := wire.ParseAnswer(ev.Data)
	if err != nil {
		return
	}
	switch string(jsonscan.Lookup(ev.Data, root, "type").Raw(ev.Data)) {
	case `"content_block_start"`:
		e.open = true
		e.index, _ = jsonscan.Lookup(ev.Data, root, "index").Int(ev.Data)
	case `"content_block_stop"`:
		e.open = false
	}
}

// AppendLength implements wire.Ending. The input of a call that is not whole
// stays as it is, as with Anthropic itself.
func (e *Ending) AppendLength(dst []byte, seen *wire.Seen, _ bool) []byte {
	if e.open {
		dst = appendBlockStop(dst, e.index)
	}
	w := jsonw.Writer{B: append(dst, "event: message_delta\ndata: "...)}
	w.Object()
	w.Str("type", "message_delta")
	w.Key("delta")
	w.Object()
	writeStop(&w, &wire.Choice{Finish: wire.FinishLength}, false, false)
	w.End()
	w.Key("usage")
	w.Object()
	writeCounters(&w, &wire.Report{Usage: seen.Usage})
	w.End()
	w.End()
	return append(append(w.B, "\n\n"...), messageStop...)
}

const messageStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

func appendBlockStop(dst []byte, index int64) []byte {
	dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	dst = strconv.AppendInt(dst, index, 10)
	return append(dst, "}\n\n"...)
}

// Interface guard.
var _ wire.Ending = (*Ending)(nil)
