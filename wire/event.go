package wire

import "github.com/weirproxy/weir/internal/sse"

// EventKind is what an Event tells.
type EventKind uint8

// The kinds of events, in the order in which a stream has them. See Event.
const (
	// EventStart: ID, Model, Created. Exactly once, first.
	EventStart EventKind = iota

	// EventBlock opens block Index of Choice: Block, and for a call ID, Name,
	// Custom, and Signature and Vendor if they are known already (EventSignature
	// tells them again). Indexes count from 0 in the order of opening; a choice has one open
	// block at a time.
	EventBlock

	// EventDelta goes on with the open block: Text, or LogProbs with it.
	EventDelta

	// EventSignature gives the open block's Signature, Vendor and ID.
	EventSignature

	// EventCitation adds Citation to the open block.
	EventCitation

	// EventBlockEnd closes the open block.
	EventBlockEnd

	// EventFinish ends Choice: Finish, Native, StopString, Explanation. Its
	// blocks are closed.
	EventFinish

	// EventUsage is a report so far; the last wins. It may come at any time
	// between EventStart and EventEnd.
	EventUsage

	// EventFail: Failure. The stream ends here, without EventEnd.
	EventFail

	// EventEnd is the proper end of the stream, exactly once.
	EventEnd
)

// Event is the canonical form of a piece of a streamed answer. A decoder may
// use one Event again and again, and Text and LogProbs are valid during the
// call only.
type Event struct {
	Kind   EventKind
	Choice int
	Index  int
	Block  BlockType

	ID      string
	Name    string
	Model   string
	Created int64
	Custom  bool

	Text     []byte
	LogProbs []byte

	Signature string
	Vendor    Vendor
	Citation  *Citation
	Raw       string // of a RawBlock, with EventBlock

	Finish      Finish
	Native      string
	StopString  string
	Explanation string

	Usage   *Report
	Failure *Failure
}

// StreamDecoder reads one streamed answer. It is not safe for concurrent use.
type StreamDecoder interface {
	// Decode reads one event of the upstream and hands on what it tells. The
	// error wraps ErrMalformed.
	Decode(ev *sse.Event, emit func(*Event)) error

	// End is called when the body ended cleanly. It completes streams whose
	// dialect has no terminator; for a stream that is not complete it emits
	// nothing. Calling it after EventEnd does nothing.
	End(emit func(*Event))
}

// StreamEncoder writes one streamed answer. It is not safe for concurrent use.
type StreamEncoder interface {
	// Encode appends whole events of the dialect to dst; what an event adds
	// nothing to appends nothing. EventFail appends the dialect's error event
	// and no terminator; EventEnd appends all that the dialect ends with.
	Encode(dst []byte, ev *Event) []byte
}

// Identified is implemented by encoders whose events name their stream. The
// relay's own events must have the same names: OpenAI's accumulators drop
// chunks with another id.
type Identified interface {
	// Identify puts the names that the stream has shown its client in the place
	// of the upstream's.
	Identify(seen *Seen)
}

// Identify puts the names that enc's stream has shown into seen, if it has
// any.
func Identify(enc StreamEncoder, seen *Seen) {
	if named, ok := enc.(Identified); ok {
		named.Identify(seen)
	}
}
