package eventstream

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
)

// payloadLimits leave the size of a payload to the limit of its frame.
var payloadLimits = jsonscan.Limits{Depth: 1024, Nodes: math.MaxInt, KeyLen: math.MaxInt, NumberLen: math.MaxInt}

// SSE returns src as a stream of server-sent events, one for each frame:
//
//   - an event: its type as the name, its payload as the data,
//   - an exception or error: its type or code as the name, and the payload, or
//     {"message": …} where that is no JSON object, as the data,
//   - a chunk of an invoke stream: the vendor's own event, taken out of its
//     base64, named by its own "type" if it has one (Anthropic's SDKs see no
//     event without a name).
//
// Reading fails as [Reader.Next] does, after the frames before have been read.
// Close closes src if it can be closed.
func SSE(src io.Reader) io.ReadCloser {
	return &adapter{frames: NewReader(src, 0), src: src}
}

type adapter struct {
	frames *Reader
	src    io.Reader
	frame  Frame
	buf    []byte // made for the last frame
	out    []byte // of buf, not read yet
	data   []byte // decoded chunk or made message
	name   string // last unknown name
}

// Read implements io.Reader. It returns what the source has delivered and
// does not wait for another frame to fill p.
func (a *adapter) Read(p []byte) (n int, err error) {
	for {
		moved := copy(p[n:], a.out)
		a.out = a.out[moved:]
		n += moved
		if n == len(p) || n > 0 && !a.frames.Ready() {
			return n, nil
		}
		if err := a.frames.Next(&a.frame); err != nil {
			if n > 0 {
				return n, nil // the error comes again
			}
			return 0, err
		}
		if err := a.render(); err != nil {
			a.frames.err = err
		}
	}
}

// Close implements io.Closer.
func (a *adapter) Close() error {
	if c, ok := a.src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (a *adapter) render() error {
	f := &a.frame
	name, data := a.nameOf(f.EventType), f.Payload
	switch {
	case string(f.MessageType) == "exception":
		name, data = a.errorName(f.ExceptionType), a.message(f.Payload)
	case string(f.MessageType) == "error":
		name, data = a.errorName(f.ErrorCode), f.Payload
		if len(data) == 0 {
			data = f.ErrorMessage
		}
		data = a.message(data)
	case name == "chunk":
		var err error
		if name, data, err = a.chunk(f.Payload); err != nil {
			return err
		}
	case len(data) == 0:
		data = emptyObject
	}
	a.buf = sse.AppendEvent(a.buf[:0], name, data)
	a.out = a.buf
	return nil
}

var emptyObject = []byte("{}")

// message is an error's payload as a JSON object.
func (a *adapter) message(payload []byte) []byte {
	if v, err := jsonscan.ParseLimits(payload, payloadLimits); err == nil && v.Kind == jsonscan.ObjectKind {
		return payload
	}
	a.data = append(a.data[:0], `{"message":`...)
	a.data = jsonscan.AppendString(a.data, string(payload))
	a.data = append(a.data, '}')
	return a.data
}

// chunk takes the vendor's event out of {"bytes": base64, "p": padding}.
func (a *adapter) chunk(payload []byte) (name string, data []byte, err error) {
	v, err := jsonscan.ParseLimits(payload, payloadLimits)
	if err != nil {
		return "", nil, fmt.Errorf("%w: a chunk that is no JSON", ErrMalformed)
	}
	encoded := jsonscan.Lookup(payload, v, "bytes")
	if encoded.Kind != jsonscan.String {
		return "chunk", payload, nil
	}
	text, _ := encoded.Text(payload, nil)
	if need := base64.StdEncoding.DecodedLen(len(text)); cap(a.data) < need {
		a.data = make([]byte, need)
	}
	a.data = a.data[:cap(a.data)]
	n, err := base64.StdEncoding.Decode(a.data, text)
	if err != nil {
		return "", nil, fmt.Errorf("%w: a chunk that is no base64", ErrMalformed)
	}
	data = bytes.TrimSpace(a.data[:n])
	if len(data) == 0 {
		return "", emptyObject, nil
	}
	if v, err := jsonscan.ParseLimits(data, payloadLimits); err == nil {
		if kind := jsonscan.Lookup(data, v, "type"); kind.Kind == jsonscan.String {
			name = a.nameOf(data[kind.Start+1 : kind.End-1])
		}
	}
	return name, data, nil
}

// errorName is never empty: an event without a name would pass for content.
func (a *adapter) errorName(b []byte) string {
	if len(b) == 0 {
		return "error"
	}
	return a.nameOf(b)
}

// nameOf is b as a string, without an allocation for the names that come by
// the thousand: a stream has long runs of one name, and few others.
func (a *adapter) nameOf(b []byte) string {
	switch string(b) {
	case "":
		return ""
	case "contentBlockDelta":
		return "contentBlockDelta"
	case "contentBlockStart":
		return "contentBlockStart"
	case "contentBlockStop":
		return "contentBlockStop"
	case "chunk":
		return "chunk"
	case "content_block_delta":
		return "content_block_delta"
	}
	if a.name != string(b) {
		a.name = string(b)
	}
	return a.name
}

// Interface guard.
var _ io.ReadCloser = (*adapter)(nil)
