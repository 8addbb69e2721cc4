package integration

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/eventstream"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// playStream sends a stream in pieces, as op's vendor frames it.
func playStream(w http.ResponseWriter, op *wire.Operation, stream []byte) {
	contentType := "text/event-stream"
	if op.Dialect == wire.Bedrock {
		contentType, stream = "application/vnd.amazon.eventstream", framed(stream)
	}
	w.Header().Set("Content-Type", contentType)
	for len(stream) > 0 {
		n := min(97, len(stream))
		_, _ = w.Write(stream[:n])
		weirtest.Flush(w)
		stream = stream[n:]
	}
}

// framed puts events into Amazon's frames.
func framed(stream []byte) (out []byte) {
	reader := sse.NewReader(bytes.NewReader(stream), 0)
	var ev sse.Event
	for reader.Next(&ev) == nil {
		name := string(ev.Name)
		if strings.HasSuffix(name, "Exception") {
			out = eventstream.AppendException(out, name, ev.Data)
			continue
		}
		out = eventstream.AppendEvent(out, name, ev.Data)
	}
	return out
}
