package gemini_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/wiretest"
)

// maxSeed keeps recordings with images from slowing the fuzzer down.
const maxSeed = 16 << 10

func FuzzDecodeRequest(f *testing.F) {
	for _, r := range recordings(f, "generate") {
		if len(r.request) > 0 && len(r.request) < maxSeed {
			f.Add(r.request)
		}
	}
	f.Add([]byte(`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}},{"text":"","thought":true,"thoughtSignature":"x"}]},{"parts":[{"functionResponse":{"name":"f","response":{"error":{"a":1}},"parts":[{"inlineData":{"mimeType":"image/png","data":"-_8"}}]}}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxSeed || !json.Valid(body) || !utf8.Valid(body) { // what is not UTF-8 is replaced on the way
			return
		}
		req, err := gemini.Codec{}.DecodeRequest(body)
		if err != nil {
			var failure *wire.Failure
			if !errors.As(err, &failure) || failure.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		loss := wire.NewLoss(req)
		if _, err := (gemini.Codec{}).EncodeRequest(nil, req, loss); err != nil || len(loss.Fields()) > 0 {
			return // another vendor's thinking, or more than Gemini takes
		}
		roundTrip(t, body, "gemini-2.5-flash")
	})
}

func FuzzDecodeResponse(f *testing.F) {
	for _, r := range recordings(f, "generate") {
		if !r.stream && len(r.response) > 0 && len(r.response) < maxSeed {
			f.Add(r.response)
		}
	}
	f.Add([]byte(`{"candidates":[{"content":{"parts":[{"text":"é"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]},"groundingMetadata":{"groundingChunks":[{"web":{"uri":"u"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":2,"text":"é"},"groundingChunkIndices":[0]}]},"logprobsResult":{"chosenCandidates":[{"token":"é"}],"topCandidates":[{"candidates":[{"token":"a","logProbability":-1}]}]}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > maxSeed {
			return
		}
		_ = gemini.Door{}.Observer().Answer(body, &wire.Seen{})
		first, err := gemini.Codec{}.DecodeResponse(body)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		encoded := gemini.Codec{}.EncodeResponse(nil, first, reply)
		if _, err := (gemini.Codec{}).DecodeResponse(encoded); err != nil {
			t.Fatalf("%v in %s", err, encoded)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	for _, r := range recordings(f, "generate") {
		if r.stream && len(r.response) < maxSeed {
			f.Add(r.response, uint16(7))
		}
	}
	f.Add([]byte(parts(`{"functionCall":{"name":"f","willContinue":true,"partialArgs":[{"jsonPath":"$.a[1]['b']","stringValue":"x"}]}}`)+frame(finish)), uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint16) {
		if len(stream) > maxSeed {
			return
		}
		observer := gemini.Door{}.Observer()
		_, _ = observer.Event(&sse.Event{Data: stream, HasData: true}, &wire.Seen{})
		first, events, err := wiretest.Collect(gemini.Codec{}.StreamDecoder(), stream, int(chunk))
		if err != nil {
			return
		}
		if _, gathered := wiretest.Gather(events); gathered != nil {
			t.Fatal(gathered)
		}
		encoded := recode(events)
		if bytes.Contains(encoded, []byte("\r\ndata: \r\n")) {
			t.Fatalf("an empty event in %q", encoded)
		}
		second, _, err := wiretest.Collect(gemini.Codec{}.StreamDecoder(), encoded, 0)
		if err != nil {
			t.Fatalf("%v in %s", err, encoded)
		}
		if diff := cmp.Diff(shape(first), shape(second), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n%s", diff, encoded)
		}
	})
}

// shape is what must survive a stream: text, calls and reasons to finish.
func shape(res *wire.Response) []string {
	var list []string
	for _, c := range res.Choices {
		for _, b := range c.Blocks {
			s := b.Type.String() + " " + b.Text + b.Signature
			if b.Call != nil {
				s += b.Call.Name + b.Call.Arguments
			}
			list = append(list, s)
		}
		if len(c.Blocks) == 0 && c.Finish == wire.FinishPolicy {
			continue // becomes the prompt's, whatever the word was
		}
		list = append(list, strconv.Itoa(int(c.Finish)))
	}
	return list
}
