package wire

// Usage is what a vendor charges for, in tokens. Input includes what was read
// from and written to the provider's prompt cache and Output includes
// reasoning, whatever the vendor's own convention, so that sums mean the same
// for all of them.
type Usage struct {
	Input      int64
	Output     int64
	CacheRead  int64
	CacheWrite int64
	Reasoning  int64
}

// IsZero reports whether nothing was used.
func (u Usage) IsZero() bool { return u == Usage{} }

// Seen is what an [Observer] has learned of an answer so far. It belongs to
// the goroutine that relays the answer.
type Seen struct {
	// Usage is the last report that was not null; reports are cumulative and
	// are never added up. Reported says that there was one.
	Usage    Usage
	Reported bool

	// Details are those of the last report.
	Details Details

	// Finish is the vendor's own finish reason, and ID and Model are the
	// answer's own.
	Finish string
	ID     string
	Model  string

	// Created is the answer's creation time in OpenAI chunks, as written.
	Created string

	// Sequence is the last sequence_number of a Responses stream, -1 before
	// the first.
	Sequence int64

	// Blocked says that the upstream has refused the prompt by its policy in an
	// answer that is none: nothing was generated.
	Blocked bool

	// Failure is the error that the upstream reported inside the answer.
	Failure *Failure

	// Text receives generated text as it passes: content, reasoning, refusals
	// and tool arguments. The bytes are only valid during the call. May be nil.
	Text func([]byte)
}

// TierOf is the service tier that a JSON string names, if it is one of those that have
// prices of their own in some vendor's list; else empty.
func TierOf(raw []byte) string {
	switch string(raw) {
	case `"batch"`:
		return "batch"
	case `"flex"`:
		return "flex"
	case `"priority"`:
		return "priority"
	}
	return ""
}

// AddText hands generated text to the Text callback, if there is one.
func (s *Seen) AddText(b []byte) {
	if s.Text != nil && len(b) > 0 {
		s.Text(b)
	}
}
