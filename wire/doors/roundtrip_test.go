package doors_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
	"github.com/weirproxy/weir/wire/wiretest/recorded"
)

// TestAnswersKeepTheirMeaning translates every recorded answer to every
// client's dialect and reads it back.
func TestAnswersKeepTheirMeaning(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	n := 0
	for _, rec := range recorded.All(t, filepath.Join("..", "..", "integration", "testdata", "fixtures")) {
		t.Run(rec.Name, func(t *testing.T) {
			res, err := rec.Decode(1 + random.IntN(300))
			if err != nil {
				if res != nil && res.Failure != nil {
					return
				}
				t.Fatalf("decoding: %v", err)
			}
			if res.Failure != nil || len(res.Choices) == 0 {
				return
			}
			n++
			for _, client := range []*wire.Operation{wire.Chat, wire.Responses, wire.Messages, wire.GeminiGenerate} {
				t.Run(client.Name, func(t *testing.T) { checkMeaning(t, rec, res, client, random) })
			}
		})
	}
	if n < 200 {
		t.Errorf("only %d recordings", n)
	}
}

func checkMeaning(t *testing.T, rec *recorded.Recording, res *wire.Response, client *wire.Operation, random *rand.Rand) {
	codec := doors.Codec(client)
	reply := &wire.Reply{Request: &wire.Request{Model: "m", IncludeUsage: true}, ID: "abc", Created: 1700000000, Model: "m"}
	want := recorded.MeaningOf(res, 0)
	whole := codec.EncodeResponse(nil, res, reply)
	back, err := codec.DecodeResponse(whole)
	if err != nil {
		t.Fatalf("whole: %v in %s", err, whole)
	}
	if diff := want.Diff(recorded.MeaningOf(back, 0)); diff != "" {
		t.Errorf("whole: %s\n%s", diff, whole)
	}
	if !rec.Stream {
		return
	}
	encoder := codec.StreamEncoder(reply)
	var out []byte
	decoder := doors.Codec(rec.Op).StreamDecoder()
	if err := wiretest.Feed(decoder, rec.Answer, 1+random.IntN(500), func(ev *wire.Event) { out = encoder.Encode(out, ev) }); err != nil {
		t.Fatalf("decoding: %v", err)
	}
	back, _, err = wiretest.Collect(codec.StreamDecoder(), out, 1+random.IntN(500))
	if err != nil {
		t.Fatalf("streamed: %v in %s", err, out)
	}
	if diff := want.Diff(recorded.MeaningOf(back, 0)); diff != "" {
		t.Errorf("streamed: %s\n%s", diff, out)
	}
}
