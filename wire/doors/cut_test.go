package doors_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
	"github.com/weirproxy/weir/wire/wiretest/recorded"
)

// terminators are what tells clients that a stream is whole.
var terminators = map[*wire.Operation][]string{
	wire.Chat:           {"[DONE]"},
	wire.Responses:      {"response.completed", "response.incomplete"},
	wire.Messages:       {"message_stop"},
	wire.GeminiGenerate: {`"finishReason"`, `"blockReason"`},
}

// TestCutStreams cuts every recorded stream in many places, also within
// events. What the upstream did not end, no dialect may.
func TestCutStreams(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	cuts := 0
	for _, rec := range recorded.All(t, filepath.Join("..", "..", "integration", "testdata", "fixtures")) {
		if !rec.Stream {
			continue
		}
		t.Run(rec.Name, func(t *testing.T) {
			checkCut(t, rec, rec.Answer)
			for range 4 {
				cuts += checkCut(t, rec, rec.Answer[:random.IntN(len(rec.Answer))])
			}
		})
	}
	if cuts < 300 {
		t.Errorf("only %d cuts", cuts)
	}
}

func checkCut(t *testing.T, rec *recorded.Recording, stream []byte) int {
	t.Helper()
	decoder := doors.Codec(rec.Op).StreamDecoder()
	res, _, err := wiretest.Collect(decoder, stream, 0)
	if !errors.Is(err, wire.ErrMalformed) {
		decoder.End(func(ev *wire.Event) { t.Errorf("event %d after the end, after %d bytes", ev.Kind, len(stream)) })
	}
	if err == nil && res.Failure == nil {
		for _, c := range res.Choices {
			if c.Finish == wire.FinishNone {
				t.Errorf("complete without a finish after %d bytes", len(stream))
			}
		}
		return 0
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("after %d bytes: %v", len(stream), err)
	}
	for client, words := range terminators {
		encoder := doors.Codec(client).StreamEncoder(&wire.Reply{Request: &wire.Request{}, ID: "abc", Model: "m"})
		var out []byte
		_ = wiretest.Feed(doors.Codec(rec.Op).StreamDecoder(), stream, 0, func(ev *wire.Event) { out = encoder.Encode(out, ev) })
		for _, word := range words {
			if bytes.Contains(out, []byte(word)) {
				t.Errorf("%s ends after %d bytes of %d: %s", client.Name, len(stream), len(rec.Answer), out[max(0, len(out)-300):])
			}
		}
		if strings.Count(string(out), `"content_block_start"`) < strings.Count(string(out), `"content_block_stop"`) {
			t.Errorf("%s: blocks end twice", client.Name)
		}
	}
	return 1
}
