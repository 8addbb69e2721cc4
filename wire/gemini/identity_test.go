package gemini_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/wiretest"
)

var reply = &wire.Reply{ID: "weir-1", Created: 1, Model: "gemini"}

// sameRequest compares what two bodies mean. How names are spelled does not
// matter, and members of turns and parts are not written back.
var sameRequest = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(wire.Request{}, "Spelling"),
	cmpopts.SortSlices(func(a, b wire.Extra) bool { return a.Name < b.Name }),
	cmp.Transformer("name", func(x wire.Extra) [2]string {
		return [2]string{strings.ToLower(strings.ReplaceAll(x.Name, "_", "")), x.Raw}
	}),
}

// kept leaves out what is not written back.
func kept(list []wire.Extra) []wire.Extra {
	return slices.DeleteFunc(slices.Clone(list), func(x wire.Extra) bool {
		inside := strings.HasPrefix(x.Name, "contents") || strings.HasPrefix(x.Name, "tools") || strings.HasPrefix(x.Name, "system")
		return inside && strings.ContainsAny(x.Name, ".[")
	})
}

func roundTrip(t testing.TB, body []byte, model string) {
	t.Helper()
	first, err := gemini.Codec{}.DecodeRequest(body)
	if err != nil {
		t.Fatal(err)
	}
	first.Model = model
	encoded, err := gemini.Codec{}.EncodeRequest(nil, first, wire.NewLoss(first))
	if err != nil {
		t.Fatal(err)
	}
	second, err := gemini.Codec{}.DecodeRequest(encoded)
	if err != nil {
		t.Fatalf("%v in %s", err, encoded)
	}
	second.Model = model
	first.Extra = kept(first.Extra)
	if diff := cmp.Diff(first, second, sameRequest); diff != "" {
		t.Errorf("%s\n%s", diff, encoded)
	}
	again, err := gemini.Codec{}.EncodeRequest(nil, second, wire.NewLoss(second))
	if err != nil || !bytes.Equal(encoded, again) {
		t.Errorf("other bytes the second time: %v\n%s\n%s", err, encoded, again)
	}
}

func TestRecordedRequestsRoundTrip(t *testing.T) {
	n := 0
	for _, r := range recordings(t, "generate") {
		if r.request == nil {
			continue
		}
		n++
		t.Run(r.name, func(t *testing.T) { roundTrip(t, r.request, "gemini-2.5-flash") })
	}
	if n < 30 {
		t.Errorf("only %d requests", n)
	}
}

func TestRecordedAnswersRoundTrip(t *testing.T) {
	for _, r := range recordings(t, "generate") {
		if r.stream || r.response == nil {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			first, err := gemini.Codec{}.DecodeResponse(r.response)
			if err != nil {
				t.Fatal(err)
			}
			encoded := gemini.Codec{}.EncodeResponse(nil, first, reply)
			second, err := gemini.Codec{}.DecodeResponse(encoded)
			if err != nil {
				t.Fatalf("%v in %s", err, encoded)
			}
			second.Created = first.Created // Gemini's own answers have none
			if first.Failure != nil {
				second.Failure.RetryAfter = first.Failure.RetryAfter
				if first.Failure.Kind == wire.KindBudget {
					second.Failure.Kind = wire.KindBudget
				}
			}
			if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n%s", diff, encoded)
			}
			var seen wire.Seen
			text := ""
			seen.Text = func(b []byte) { text += string(b) }
			if err := (gemini.Door{}).Observer().Answer(r.response, &seen); err != nil {
				t.Fatal(err)
			}
			if seen.Usage != first.Usage.Usage || seen.ID != first.ID || seen.Model != first.Model {
				t.Errorf("the observer saw %+v, the decoder %+v", seen, first)
			}
			if (r.status >= 400) != (first.Failure != nil) {
				t.Errorf("status %d, failure %v", r.status, first.Failure)
			}
		})
	}
}

// recode encodes events as a stream.
func recode(events []wire.Event) []byte {
	encoder := gemini.Codec{}.StreamEncoder(reply)
	var out []byte
	for i := range events {
		out = encoder.Encode(out, &events[i])
	}
	return out
}

func TestRecordedStreamsRoundTrip(t *testing.T) {
	n := 0
	for _, r := range recordings(t, "generate") {
		if !r.stream || r.status != 200 {
			continue
		}
		n++
		t.Run(r.name, func(t *testing.T) {
			first, events, err := wiretest.Collect(gemini.Codec{}.StreamDecoder(), r.response, 0)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			for range 5 {
				again, _, err := wiretest.Collect(gemini.Codec{}.StreamDecoder(), r.response, 1+rng.IntN(200))
				if diff := cmp.Diff(first, again); err != nil || diff != "" {
					t.Fatal(err, diff)
				}
			}
			encoded := recode(events)
			second, _, err := wiretest.Collect(gemini.Codec{}.StreamDecoder(), encoded, 7)
			if err != nil {
				t.Fatalf("%v in %s", err, encoded)
			}
			second.Created = first.Created
			if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n%s", diff, encoded)
			}
			observed(t, r.response, first)
		})
	}
	if n < 15 {
		t.Errorf("only %d streams", n)
	}
}

// observed compares a decoded stream with what the observer of pass-through
// sees of it.
func observed(t *testing.T, stream []byte, res *wire.Response) {
	t.Helper()
	text := ""
	seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
	observer := gemini.Door{}.Observer()
	reader := sse.NewReader(bytes.NewReader(stream), 0)
	var ev sse.Event
	var class wire.Class
	for reader.Next(&ev) == nil {
		c, err := observer.Event(&ev, &seen)
		if err != nil {
			t.Fatal(err)
		}
		class |= c
	}
	if !class.Has(wire.Content | wire.Finishing) {
		t.Errorf("class %06b", class)
	}
	words := ""
	for _, b := range res.Choices[0].Blocks {
		if b.Type == wire.TextBlock || b.Type == wire.ThinkingBlock {
			words += b.Text
			if !strings.Contains(text, b.Text) {
				t.Errorf("the observer missed %q", b.Text)
			}
		}
	}
	if seen.Usage != res.Usage.Usage || seen.ID != res.ID || seen.Model != res.Model || seen.Finish != res.Choices[0].Native {
		t.Errorf("the observer saw %+v, the decoder %+v", seen, res)
	}
}
