package tokenizer

import "unicode/utf8"

const (
	// eagerPending is how much undecided text is split anew by every Add; a
	// longer one only after it has grown by half, which keeps an endless word
	// linear.
	eagerPending = 64
	// exactPending is how much undecided text Count counts anew every time. It
	// is one piece, and no piece of real text comes near it.
	exactPending = 16 << 10
	// maxPending is from where an endless piece is counted as if it ended.
	maxPending = 1 << 20
)

// Stream counts a text that grows by deltas, such as the content of a streamed
// answer. Use one Stream for each output channel (content, reasoning, the
// arguments of each tool call). It is not safe for concurrent use.
//
// Pieces that no further text can change are counted and forgotten; what is
// left is normally the last word.
type Stream struct {
	enc       *Encoding
	continued bool   // something was committed
	committed int    // tokens of the text that is settled
	pending   []byte // UTF-8 that more text could split otherwise
	held      []byte // the start of a character, at most 3 bytes
	splitAt   int    // length of pending from which it is split again
	counted   int    // length of pending that tokens covers
	tokens    int
}

// NewStream returns an empty Stream.
func (e *Encoding) NewStream() *Stream { return &Stream{enc: e} }

// Add appends delta to the text. A UTF-8 sequence may be split between deltas.
// It never waits: until the vocabulary is loaded the text is only kept.
func (s *Stream) Add(delta []byte) {
	if len(s.held) > 0 {
		delta = append(s.held, delta...)
		s.held = s.held[:0]
	}
	whole := delta[:len(delta)-incomplete(delta)]
	if utf8.Valid(whole) {
		s.pending = append(s.pending, whole...)
	} else {
		s.pending = appendValid(s.pending, bytesAsString(whole))
	}
	s.held = append(s.held[:0], delta[len(whole):]...)
	if m := s.enc.model.Load(); m != nil && len(s.pending) >= s.splitAt {
		s.commit(m)
	}
}

// commit counts the pieces that are settled.
func (s *Stream) commit(m *model) {
	done, tokens := m.settled(bytesAsString(s.pending), s.continued)
	if done > 0 {
		s.committed += tokens
		s.continued = true
		s.pending = s.pending[:copy(s.pending, s.pending[done:])]
		s.counted, s.tokens = 0, 0
	}
	if len(s.pending) >= maxPending {
		s.committed += m.count(bytesAsString(s.pending), s.continued)
		s.continued = true
		s.pending = nil // whose memory would lie idle
		s.counted, s.tokens = 0, 0
	}
	s.splitAt = 0
	if n := len(s.pending); n > eagerPending {
		s.splitAt = n + n/2
	}
}

// Count returns the exact number of tokens of the text so far; a UTF-8
// sequence that is still incomplete counts as U+FFFD. Within one piece of more
// than 16 KiB (letters of one kind without a space, a mark or a digit between
// them) the last sixteenth may be counted by its upper bound, its bytes; one of
// more than 1 MiB is counted in parts.
func (s *Stream) Count() int {
	m, err := s.enc.loaded()
	if err != nil {
		return s.committed + len(s.pending) + len(s.held)
	}
	if len(s.pending) > eagerPending && s.splitAt == 0 {
		s.commit(m) // text that came before the vocabulary
	}
	if len(s.held) > 0 {
		n := len(s.pending)
		s.pending = append(s.pending, "\uFFFD"...)
		tokens := m.count(bytesAsString(s.pending), s.continued)
		s.pending = s.pending[:n]
		return s.committed + tokens
	}
	fresh := len(s.pending) - s.counted
	if fresh > 0 && (len(s.pending) < exactPending || fresh > s.counted/16) {
		s.tokens = m.count(bytesAsString(s.pending), s.continued)
		s.counted, fresh = len(s.pending), 0
	}
	return s.committed + s.tokens + fresh
}

// Reset empties the text and keeps the memory.
func (s *Stream) Reset() {
	*s = Stream{enc: s.enc, pending: s.pending[:0], held: s.held[:0]}
}
