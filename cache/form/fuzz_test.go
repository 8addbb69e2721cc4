package form_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// kinds are all operations whose answers are kept.
var kinds = append([]*wire.Operation{wire.Embeddings, wire.GeminiEmbed, wire.GeminiBatchEmbed}, clients...)

func seeds(f *testing.F, add func(op, i int, stream bool, body []byte)) {
	for i, rec := range recordings(f) {
		for op := range kinds {
			if kinds[op] == rec.Op && i%5 == 0 && len(rec.Answer) < 8<<10 {
				add(op, i, rec.Stream, rec.Answer)
			}
		}
	}
	add(0, 0, false, []byte(packed))
	add(1, 1, false, []byte(single))
}

// FuzzCheck reads bytes that anybody may have put into a store. What it takes
// can be shown.
func FuzzCheck(f *testing.F) {
	seeds(f, func(op, _ int, stream bool, body []byte) { f.Add(uint8(op), stream, body) })
	f.Fuzz(func(t *testing.T, op uint8, stream bool, body []byte) {
		kept := cache.Form{Operation: kinds[int(op)%len(kinds)], Stream: stream, Body: body}
		facts, err := form.Check(kept, nil)
		if err == nil && (facts.Choices == 0 || facts.Finish == wire.FinishNone) {
			t.Errorf("%+v", facts)
		}
	})
}

// FuzzConvert converts them: what comes of an answer that passes the check has
// the form that was asked for, and does so too.
func FuzzConvert(f *testing.F) {
	seeds(f, func(op, i int, stream bool, body []byte) {
		f.Add(uint8(op), stream, body, uint8(i/5), i%2 == 0, []byte(`{"model":"m","input":"x","messages":[{"role":"user","content":"x"}],"prompt":"x","contents":[{"parts":[{"text":"x"}]}],"max_tokens":5}`))
	})
	f.Fuzz(func(t *testing.T, op uint8, stream bool, body []byte, to uint8, streamed bool, request []byte) {
		kept := cache.Form{Operation: kinds[int(op)%len(kinds)], Stream: stream, Usage: true, Body: body}
		if !json.Valid(request) {
			request = nil
		}
		w := form.Want{Operation: kinds[int(to)%len(kinds)], Stream: streamed, Usage: len(body)%2 == 0, Body: request, ID: "abc", Created: 1}
		_, bad := form.Check(kept, nil)
		got, err := form.Convert(&cache.Answer{Form: kept}, w)
		if err != nil || bad != nil {
			return
		}
		if got.Operation != w.Operation || got.Stream != w.Stream {
			t.Fatalf("%s, stream %t", got.Operation.Name, got.Stream)
		}
		if _, err := form.Check(got, nil); err != nil {
			t.Fatalf("%v in\n%s\nof\n%s", err, got.Body, body)
		}
	})
}

// FuzzEcho changes nothing but the members of response objects.
func FuzzEcho(f *testing.F) {
	f.Add(false, []byte(response(`,"user":"a","metadata":{"x":"y"}`)), []byte(`{"user":"b"}`))
	f.Add(true, []byte("data: {\"response\":{\"user\":\"a\"}}\n\n"), []byte(`{}`))
	f.Fuzz(func(t *testing.T, stream bool, body, request []byte) {
		kept := cache.Form{Operation: wire.Responses, Stream: stream, Body: body}
		got, err := form.Echo(kept, request)
		if err != nil {
			return
		}
		again, err := form.Echo(got, request)
		if err != nil || string(again.Body) != string(got.Body) {
			t.Fatalf("%v: %s\nof %s", err, again.Body, got.Body)
		}
		if !stream && json.Valid(body) && !json.Valid(got.Body) {
			t.Fatalf("no JSON: %s", got.Body)
		}
		if stream && count(body) != count(got.Body) {
			t.Fatalf("%d events, %d before: %q", count(got.Body), count(body), got.Body)
		}
	})
}

func count(body []byte) (n int) {
	reader := sse.NewReader(bytes.NewReader(body), 0)
	var ev sse.Event
	for reader.Next(&ev) == nil {
		n++
	}
	return n
}
