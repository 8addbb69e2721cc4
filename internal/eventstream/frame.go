// Package eventstream reads and writes application/vnd.amazon.eventstream, the
// binary framing of Amazon's streamed answers, and turns it into server-sent
// events, so that the rest of Weir has one kind of stream.
//
// A frame is the total length, the length of the headers, a CRC of those eight
// bytes, the headers, the payload, and a CRC of everything before it; all
// numbers are big-endian and the CRC is that of IEEE 802.3. (AWS, "Event
// stream encoding"; smithy.io, "Amazon Event Stream Specification".)
package eventstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// MaxFrame is the largest frame in bytes, by the vendor's convention.
const MaxFrame = 16 << 20

const (
	preludeSize = 12 // two lengths and their CRC
	trailerSize = 4
	minFrame    = preludeSize + trailerSize
	maxHeaders  = 128 << 10
)

// The types of header values.
const (
	typeTrue byte = iota
	typeFalse
	typeByte
	typeShort
	typeInteger
	typeLong
	typeBytes
	typeString
	typeTimestamp
	typeUUID
)

// ErrMalformed is wrapped by the errors for bytes that are no frame: a CRC that
// does not match, lengths that contradict each other, a header of no known type.
var ErrMalformed = errors.New("malformed event stream frame")

// Frame is one message. Its slices are valid until the reader's next call.
type Frame struct {
	// Headers are the encoded headers, checked; see [Frame.All].
	Headers []byte
	Payload []byte

	// The headers that say what the frame is; nil where it has none.
	MessageType   []byte // event, exception or error
	EventType     []byte
	ExceptionType []byte
	ErrorCode     []byte
	ErrorMessage  []byte
}

// Header is one header. Value is its bytes as encoded: nothing for booleans,
// big-endian for numbers and timestamps (milliseconds).
type Header struct {
	Name  []byte
	Type  byte
	Value []byte
}

// All iterates over the headers.
func (f *Frame) All() iter.Seq[Header] {
	return func(yield func(Header) bool) {
		for rest := f.Headers; len(rest) > 0; {
			h, n, err := readHeader(rest)
			if err != nil || !yield(h) {
				return
			}
			rest = rest[n:]
		}
	}
}

// read takes the headers and the payload from a frame whose CRCs are right.
func (f *Frame) read(headers, payload []byte) error {
	*f = Frame{Headers: headers, Payload: payload}
	for rest := headers; len(rest) > 0; {
		h, n, err := readHeader(rest)
		if err != nil {
			*f = Frame{}
			return err
		}
		rest = rest[n:]
		if h.Type != typeString {
			continue
		}
		switch string(h.Name) {
		case ":message-type":
			f.MessageType = h.Value
		case ":event-type":
			f.EventType = h.Value
		case ":exception-type":
			f.ExceptionType = h.Value
		case ":error-code":
			f.ErrorCode = h.Value
		case ":error-message":
			f.ErrorMessage = h.Value
		}
	}
	return nil
}

var errHeader = fmt.Errorf("%w: the headers are cut", ErrMalformed)

// readHeader reads the header at the start of b and says how long it is.
func readHeader(b []byte) (h Header, size int, err error) {
	nameEnd := 1 + int(b[0])
	if nameEnd == 1 || len(b) <= nameEnd {
		return Header{}, 0, errHeader
	}
	h.Name, h.Type = b[1:nameEnd], b[nameEnd]
	start := nameEnd + 1
	length := 0
	switch h.Type {
	case typeTrue, typeFalse:
	case typeByte:
		length = 1
	case typeShort:
		length = 2
	case typeInteger:
		length = 4
	case typeLong, typeTimestamp:
		length = 8
	case typeUUID:
		length = 16
	case typeBytes, typeString:
		if len(b) < start+2 {
			return Header{}, 0, errHeader
		}
		length = int(binary.BigEndian.Uint16(b[start:]))
		start += 2
	default:
		return Header{}, 0, fmt.Errorf("%w: header type %d", ErrMalformed, h.Type)
	}
	if len(b) < start+length {
		return Header{}, 0, errHeader
	}
	h.Value = b[start : start+length : start+length]
	return h, start + length, nil
}
