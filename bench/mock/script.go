// Package mock is the upstream of the benchmark: OpenAI's Chat Completions,
// Responses and Embeddings and Anthropic's Messages over HTTP/1.1, as cheap as
// can be, so that what is measured is the gateway. Every piece of text that it
// sends holds a mark.
package mock

import "time"

// Script says how the upstream answers from now on. The whole upstream has one,
// since gateways hide from it who asks.
type Script struct {
	Stream bool          `json:"stream"` // answer with event streams
	Only   string        `json:"only"`   // … only where the path ends so; the others with whole answers
	TTFT   time.Duration `json:"ttft"`   // before the first piece of text, or a whole answer
	Gap    time.Duration `json:"gap"`    // between pieces; 0: all at once
	Tokens int           `json:"tokens"` // pieces of a stream
	Pad    int           `json:"pad"`    // bytes of text in a piece, or in a whole answer, beside the mark

	Status     int `json:"status"`      // of failures
	ErrorEvery int `json:"error_every"` // each so manyth call fails; 0: none
	CutAfter   int `json:"cut_after"`   // pieces after which a stream breaks off; 0: never
}

// Stats are what the upstream has seen.
type Stats struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"` // of bodies
	Open     int64 `json:"open"`  // streams under way
	Chunks   int64 `json:"chunks"`
	Gone     int64 `json:"gone"`      // streams whose reader hung up
	LastGone int64 `json:"last_gone"` // when the last one did, in Unix nanoseconds
}
