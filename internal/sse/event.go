package sse

import "strconv"

// MaxEvent is the default limit of one event in bytes.
const MaxEvent = 16 << 20

// Event is one block of lines up to and including the blank line that ends it.
// A blank line that ends nothing is an event of its own. The slices are valid
// until the reader's next call to Next or Reset.
type Event struct {
	// Raw is the bytes as received, with the blank line that ends the event.
	// Together the events' Raw are the stream, except for a byte order mark at
	// its start and for an LF that follows a blank line of a stream whose lines
	// end in a lone CR.
	Raw []byte
	// Name is the value of the last `event` field, nil if there is none.
	Name []byte
	// Data is the values of the `data` fields joined by LF; a slice of Raw when
	// there is one.
	Data []byte
	// HasData is false for comments, blank lines and blocks without `data`.
	HasData bool
	// Unknown is set when a line is no field of the standard: often the body of
	// an error, JSON or HTML, under the wrong content type.
	Unknown bool
	// Clean is set when every official SDK takes Raw as it is. It is not for:
	// a byte order mark, lines ended by a lone CR, `id`, `retry` and unknown
	// fields, data that is empty, a name that is empty or has no data, [DONE] in
	// any form but the plain one, a blank line alone, an unfinished event.
	// CRLF, comments and several data lines are clean.
	Clean bool
}

// TooLongError reports an event of more than Limit bytes.
type TooLongError struct{ Limit int }

func (e *TooLongError) Error() string {
	return "reading event: longer than the limit of " + strconv.Itoa(e.Limit) + " bytes"
}
