// Package gemini is the door of Google's generateContent API, as AI Studio
// (generativelanguage.googleapis.com) and Vertex AI speak it. The model and
// the wish for a stream stand in the path, not in the body.
package gemini

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// Door is the Gemini dialect of operation Op.
//
// Google's SDK for Go fails on everything in a stream that is not a `data:`
// line with a JSON object: on comments, event names, blank lines and [DONE].
type Door struct {
	Op *wire.Operation
}

// frameEnd ends an event. Google uses CRLF, and so do its own examples.
const frameEnd = "\r\n\r\n"

// Observer returns an observer for one answer.
func (Door) Observer() wire.Observer { return &observer{} }

// AppendErrorEvent appends a data line with a top-level error, which Google's
// SDKs raise.
func (Door) AppendErrorEvent(dst []byte, f *wire.Failure, _ *wire.Seen) []byte {
	return appendErrorFrame(dst, f)
}

func appendErrorFrame(dst []byte, f *wire.Failure) []byte {
	dst = append(dst, "data: "...)
	dst = append(dst, wire.ErrorBody(wire.Gemini, f)...)
	return append(dst, frameEnd...)
}

// AppendHeartbeat appends a chunk without candidates, the only sign of life
// that all of Google's SDKs accept.
func (Door) AppendHeartbeat(dst []byte) []byte {
	return append(dst, `data: {"candidates":[]}`+frameEnd...)
}

// AppendMetadata appends a chunk without candidates; the SDKs pass over
// members that they do not know.
func (Door) AppendMetadata(dst, meta []byte, seen *wire.Seen) []byte {
	w := jsonw.Writer{B: append(dst, "data: "...)}
	w.Object()
	w.Key("candidates")
	w.Array()
	w.EndArray()
	w.StrIf("modelVersion", seen.Model)
	w.StrIf("responseId", seen.ID)
	w.RawMember("aiMetadata", string(meta))
	w.End()
	return append(w.B, frameEnd...)
}

// Interface guard.
var _ wire.Door = Door{}
