// Package openai is the door of OpenAI's API but for Responses: chat
// completions, legacy completions, embeddings, moderations, images, audio and
// re-ranking, as OpenAI and the many compatible servers speak them.
package openai

import (
	"bytes"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Door is the OpenAI dialect of operation Op.
type Door struct {
	Op *wire.Operation
}

// Observer returns an observer for one answer.
func (d Door) Observer() wire.Observer { return &observer{} }

// AppendErrorEvent appends a data line with a top-level error, which every
// OpenAI SDK raises.
func (d Door) AppendErrorEvent(dst []byte, f *wire.Failure, _ *wire.Seen) []byte {
	return sse.AppendEvent(dst, "", wire.AppendOpenAIError(nil, f))
}

// AppendHeartbeat appends a comment.
func (d Door) AppendHeartbeat(dst []byte) []byte {
	return sse.AppendComment(dst, "keep-alive")
}

// AppendMetadata appends a chunk without choices, the shape of the usage
// chunk, which clients of include_usage know to expect. Its object is empty in
// chat, as that of Azure's asynchronous filters: openai-python's helper takes the
// usage of the last chunk that has an object, also when it is none.
func (d Door) AppendMetadata(dst, meta []byte, seen *wire.Seen) []byte {
	object := ""
	if d.Op == wire.Completions {
		object = objectOf(d.Op)
	}
	data := appendNames(nil, object, seen)
	data = append(data, `],"ai_metadata":`...)
	data = append(data, meta...)
	data = append(data, '}')
	return sse.AppendEvent(dst, "", data)
}

// appendHead appends the beginning of a chunk, up to its first choice, with the
// names that the stream has.
func appendHead(dst []byte, op *wire.Operation, seen *wire.Seen) []byte {
	return appendNames(dst, objectOf(op), seen)
}

// objectOf is what chunks of an operation call themselves.
func objectOf(op *wire.Operation) string {
	if op == wire.Completions {
		return "text_completion"
	}
	return "chat.completion.chunk"
}

func appendNames(dst []byte, object string, seen *wire.Seen) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonscan.AppendString(dst, seen.ID)
	dst = append(dst, `,"object":"`...)
	dst = append(dst, object...)
	dst = append(dst, `","created":`...)
	if seen.Created == "" {
		dst = append(dst, '0')
	} else {
		dst = append(dst, seen.Created...)
	}
	dst = append(dst, `,"model":`...)
	dst = jsonscan.AppendString(dst, seen.Model)
	return append(dst, `,"choices":[`...)
}

var done = []byte("[DONE]")

// IsDone reports whether data is the end marker of a stream. Some servers pad
// it, so only its beginning counts, as in the SDKs.
func IsDone(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(data), done)
}

// Interface guards.
var (
	_ wire.Door = Door{}
)
