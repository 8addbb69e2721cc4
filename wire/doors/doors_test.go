package doors_test

import (
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/responses"
)

func TestOf(t *testing.T) {
	for op, want := range map[*wire.Operation]wire.Door{
		wire.Messages:        anthropic.Door{},
		wire.CountTokens:     anthropic.Door{},
		wire.Responses:       responses.Door{},
		wire.ResponsesTokens: responses.Door{},
		wire.ResponsesFold:   responses.Door{},
		wire.Chat:            openai.Door{Op: wire.Chat},
		wire.Completions:     openai.Door{Op: wire.Completions},
		wire.Embeddings:      openai.Door{Op: wire.Embeddings},
		wire.Transcription:   openai.Door{Op: wire.Transcription},
	} {
		if got := doors.Of(op); got != want {
			t.Errorf("%s: %#v, want %#v", op.Path, got, want)
		}
	}
}
