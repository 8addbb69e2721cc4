package wire

import (
	"errors"

	"github.com/weirproxy/weir/internal/sse"
)

// Class says what an event of a stream is to the relay. The zero value is an
// event that shows nothing: a role chunk, message_start, a ping.
type Class uint8

// The bits of a Class.
const (
	// Content is something that the model made. The first such event is the
	// commit point.
	Content Class = 1 << iota

	// Terminal is the dialect's proper end of a stream.
	Terminal

	// Failed is the upstream's own error event.
	Failed

	// UsageOnly is a chunk that exists only because usage was asked for; it
	// is kept from clients that did not ask.
	UsageOnly

	// Finishing says that the model gave its finish reason.
	Finishing

	// Flawed is a chunk with a top-level error that is null, which SDKs take
	// for one.
	Flawed
)

// Has reports whether all of bits are set.
func (c Class) Has(bits Class) bool { return c&bits == bits }

// ErrMalformed is returned by an Observer for an event or an answer that is
// not what the dialect promises.
var ErrMalformed = errors.New("malformed upstream data")

// Observer watches one answer pass. It is not safe for concurrent use.
type Observer interface {
	// Event reads one stream event. It must not keep ev's bytes.
	Event(ev *sse.Event, seen *Seen) (Class, error)

	// Answer reads a whole answer.
	Answer(body []byte, seen *Seen) error
}

// Ending follows a stream that passes unread and that the gateway may have to
// end before its upstream does. It is not safe for concurrent use.
type Ending interface {
	// Pass reads an event that goes to the client, and keeps nothing of its
	// bytes.
	Pass(ev *sse.Event)

	// AppendLength appends the events that end the stream as the vendor ends one
	// that has met its cap on tokens: what is open is closed, and the usage is
	// seen's; askedUsage says that the client wants it where that is a choice.
	// The last event is the dialect's terminator.
	AppendLength(dst []byte, seen *Seen, askedUsage bool) []byte
}

// Resumer is implemented by an Ending of a dialect whose events have numbers
// and names that the gateway's own encoder would give otherwise.
type Resumer interface {
	// Resume returns an encoder that goes on with the stream behind the events
	// that have passed; nil if they are such that it cannot.
	Resume(reply *Reply) StreamEncoder
}

// Door is what the relay needs to know of an operation's dialect.
type Door interface {
	// Observer returns a new observer for one answer.
	Observer() Observer

	// AppendErrorEvent appends the event that ends a broken stream.
	AppendErrorEvent(dst []byte, f *Failure, seen *Seen) []byte

	// AppendHeartbeat appends what official SDKs take as a sign of life.
	AppendHeartbeat(dst []byte) []byte

	// AppendMetadata appends an event that carries the JSON object meta
	// before the terminator, in a form that official SDKs accept.
	AppendMetadata(dst, meta []byte, seen *Seen) []byte
}
