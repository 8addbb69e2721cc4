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
// chunk, which clients of include_usage know to expect.
func (d Door) AppendMetadata(dst, meta []byte, seen *wire.Seen) []byte {
	data := append([]byte(nil), `{"id":`...)
	data = jsonscan.AppendString(data, seen.ID)
	data = append(data, `,"object":"`...)
	if d.Op == wire.Completions {
		data = append(data, "text_completion"...)
	} else {
		data = append(data, "chat.completion.chunk"...)
	}
	data = append(data, `","created":`...)
	if seen.Created == "" {
		data = append(data, '0')
	} else {
		data = append(data, seen.Created...)
	}
	data = append(data, `,"model":`...)
	data = jsonscan.AppendString(data, seen.Model)
	data = append(data, `,"choices":[],"ai_metadata":`...)
	data = append(data, meta...)
	data = append(data, '}')
	return sse.AppendEvent(dst, "", data)
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
