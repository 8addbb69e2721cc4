package anthropic_test

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/wiretest"
)

const fixtures = "../../integration/testdata/fixtures/anthropic/"

// recorded calls f with every recording whose name matches the pattern.
func recorded(t testing.TB, pattern string, f func(name string, data []byte)) {
	t.Helper()
	names, err := filepath.Glob(fixtures + pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%d fixtures %s: %v", len(names), pattern, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f(filepath.Base(name), data)
	}
}

// recordedRequests calls f with the body of every recorded request.
func recordedRequests(t testing.TB, f func(name string, body []byte)) {
	t.Helper()
	recorded(t, "*.meta.json", func(name string, data []byte) {
		var meta struct {
			API     string
			Request struct{ Body json.RawMessage }
		}
		if err := json.Unmarshal(data, &meta); err != nil {
			t.Fatal(err)
		}
		body := meta.Request.Body
		if len(body) > 0 && body[0] == '{' && strings.Contains(string(body), `"messages"`) && !strings.Contains(name, "request-error-2") {
			f(strings.TrimSuffix(name, ".meta.json"), body)
		}
	})
}

// sameModel lets every option pass, so that what is compared is the codec.
const sameModel = "some-model"

func TestRecordedRequestsRoundTrip(t *testing.T) {
	n := 0
	recordedRequests(t, func(name string, body []byte) {
		n++
		t.Run(name, func(t *testing.T) {
			first, err := anthropic.Codec{}.DecodeRequest(body)
			if err != nil {
				t.Fatal(err)
			}
			first.Model = sameModel
			loss := wire.NewLoss(first)
			again, err := anthropic.Codec{}.EncodeRequest(nil, first, loss)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(again) {
				t.Fatalf("not JSON: %s", again)
			}
			second, err := anthropic.Codec{}.DecodeRequest(again)
			if err != nil {
				t.Fatalf("%v: %s", err, again)
			}
			if first.MaxTokens == 0 {
				second.MaxTokens = 0 // a count has no cap
			}
			if len(loss.Fields()) > 0 {
				t.Errorf("lost: %v", loss)
			}
			// The beta's name of the member is not used again.
			ignore := cmpopts.IgnoreFields(wire.Request{}, "Spelling")
			if diff := cmp.Diff(first, second, cmpopts.EquateEmpty(), ignore); diff != "" {
				t.Error(diff)
			}
			if twice, _ := (anthropic.Codec{}).EncodeRequest(nil, first, wire.NewLoss(first)); string(twice) != string(again) {
				t.Errorf("the same request gave\n%s\nand\n%s", again, twice)
			}
		})
	})
	if n < 30 {
		t.Errorf("%d requests", n)
	}
}

func TestRecordedAnswersRoundTrip(t *testing.T) {
	reply := &wire.Reply{ID: "x", Model: "m"}
	recorded(t, "messages-*.json", func(name string, body []byte) {
		if strings.HasSuffix(name, ".meta.json") {
			return
		}
		t.Run(name, func(t *testing.T) {
			first, err := anthropic.Codec{}.DecodeResponse(body)
			if err != nil {
				t.Fatal(err)
			}
			again := anthropic.Codec{}.EncodeResponse(nil, first, reply)
			second, err := anthropic.Codec{}.DecodeResponse(again)
			if err != nil {
				t.Fatalf("%v: %s", err, again)
			}
			// Cache writes come with their lifetimes, a tier is always said.
			ignore := cmpopts.IgnoreFields(wire.Report{}, "CacheWrite5m", "ServiceTier")
			if diff := cmp.Diff(first, second, ignore, cmpopts.IgnoreFields(wire.Response{}, "ServiceTier")); diff != "" {
				t.Error(diff)
			}
			var seen wire.Seen
			if err := (anthropic.Door{}).Observer().Answer(body, &seen); err != nil {
				t.Fatal(err)
			}
			if first.Failure == nil && (first.Usage.Usage != seen.Usage || first.ID != seen.ID || first.Choices[0].Native != seen.Finish) {
				t.Errorf("codec %+v, observer %+v", first, seen)
			}
		})
	})
}

func TestRecordedStreams(t *testing.T) {
	recorded(t, "*.sse", func(name string, stream []byte) {
		t.Run(name, func(t *testing.T) {
			want, events, wantErr := wiretest.Collect(anthropic.Codec{}.StreamDecoder(), stream, 0)
			if wantErr != nil && !errors.Is(wantErr, io.ErrUnexpectedEOF) {
				t.Fatal(wantErr)
			}
			for range 5 {
				chunk := 1 + rand.IntN(300)
				got, _, err := wiretest.Collect(anthropic.Codec{}.StreamDecoder(), stream, chunk)
				if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
					t.Errorf("in chunks of %d: %v\n%s", chunk, err, diff)
				}
			}
			observed(t, stream, want)

			// Encoded and decoded again, the stream means the same.
			var out []byte
			enc := anthropic.Codec{}.StreamEncoder(&wire.Reply{ID: "x", Model: "m"})
			for i := range events {
				out = enc.Encode(out, &events[i])
			}
			again, _, err := wiretest.Collect(anthropic.Codec{}.StreamDecoder(), out, 0)
			if !errors.Is(err, wantErr) {
				t.Fatalf("%v in\n%s", err, out)
			}
			ignore := cmpopts.IgnoreFields(wire.Report{}, "CacheWrite5m", "ServiceTier")
			if want.Failure != nil {
				ignore = cmp.Options{ignore, cmpopts.IgnoreFields(wire.Response{}, "Usage")}
			}
			if diff := cmp.Diff(want, again, ignore); diff != "" {
				t.Errorf("%s\n%s", diff, out)
			}
		})
	})
}

// observed compares a response with what the door's observer sees.
func observed(t *testing.T, stream []byte, res *wire.Response) {
	t.Helper()
	var text strings.Builder
	seen := wire.Seen{Text: func(b []byte) { text.Write(b) }}
	reader := sse.NewReader(strings.NewReader(string(stream)), sse.MaxEvent)
	observer := anthropic.Door{}.Observer()
	var ev sse.Event
	for reader.Next(&ev) == nil {
		if _, err := observer.Event(&ev, &seen); err != nil {
			t.Fatal(err)
		}
	}
	if (res.Failure == nil) != (seen.Failure == nil) || res.Usage.Usage != seen.Usage || res.ID != seen.ID || res.Model != seen.Model {
		t.Errorf("codec %+v, observer %+v", res, seen)
	}
	if len(res.Choices) == 0 {
		return
	}
	if res.Choices[0].Native != seen.Finish {
		t.Errorf("finish %q, observer %q", res.Choices[0].Native, seen.Finish)
	}
	for _, b := range res.Choices[0].Blocks {
		for _, part := range []string{b.Text, callText(b)} {
			if !strings.Contains(text.String(), part) {
				t.Errorf("the observer has not seen %q", part)
			}
		}
	}
}

func callText(b wire.Block) string {
	if b.Call == nil || b.Call.Arguments == "{}" {
		return ""
	}
	return b.Call.Name + b.Call.Arguments
}
