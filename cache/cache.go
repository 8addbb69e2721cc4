// Package cache keeps answers so that nobody pays for the same one twice. It
// knows nothing of HTTP servers: the handlers look answers up, show them and
// hand new ones over.
//
// Its subpackages are leaves: canon says when two requests ask for the same,
// form turns a kept answer into what a client of another dialect, or one that
// wants (no) stream, expects, flight lets identical requests share one call, and
// semantic finds answers to requests that mean the same.
package cache

import (
	"time"

	"github.com/weirproxy/weir/wire"
)

// Key names an answer: a hash over its scope and all that may change it. Whoever
// has another scope has other keys.
type Key [32]byte

// Form is one spelling of an answer: what a client of one dialect gets.
type Form struct {
	// Operation is the client's. It is never one that upstreams alone have.
	Operation *wire.Operation

	// Stream says that Body is an event stream, else it is one JSON value.
	Stream bool

	// Usage says that a stream of OpenAI's chat or completions has the usage
	// chunk that clients have to ask for. It means nothing elsewhere.
	Usage bool

	// Body is the answer without what is the business of one call alone, such as
	// heartbeats and metadata events. It must not be changed.
	Body []byte
}

// FinishLength is the finish reason of an answer that met its cap on tokens, in
// whatever words its vendor says so.
const FinishLength = "length"

// Answer is a complete answer as it is kept. It must not be changed.
type Answer struct {
	// Made is when it was complete, Took how long its upstream needed from the
	// first content, or from the call where it was no stream, to the end.
	Made time.Time
	Took time.Duration

	// Provider and Model are the target that gave it.
	Provider, Model string

	// Usage is what its upstream charged for and Cost that in nano-dollars; -1
	// when the price was not known.
	Usage wire.Usage
	Cost  int64

	// Finish is the vendor's finish reason, or FinishLength.
	Finish string

	// Tags are the names by which it can be purged.
	Tags []string

	// Form is how its first client got it. Canonical is the answer before it was
	// translated for that client, in [form.Marshal]'s encoding; nil where it was
	// not, and Form has all there is.
	Form      Form
	Canonical []byte
}
