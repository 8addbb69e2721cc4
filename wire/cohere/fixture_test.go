package cohere_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/cohere"
	"github.com/weirproxy/weir/wire/wiretest"
)

const fixtures = "../../integration/testdata/fixtures/cohere/"

// recording is a recorded exchange of v2/chat.
type recording struct {
	request []byte // nil when the source has none
	answer  []byte
	stream  bool
	status  int
}

func recordings(t testing.TB) map[string]recording {
	t.Helper()
	metas, err := filepath.Glob(fixtures + "chat*.meta.json")
	if err != nil || len(metas) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	found := make(map[string]recording)
	for _, path := range metas {
		name := strings.TrimSuffix(filepath.Base(path), ".meta.json")
		if strings.HasPrefix(name, "chat-v1") {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var meta struct {
			Stream  bool
			Status  int
			Request struct{ Body json.RawMessage }

			Response struct {
				BodyFile string `json:"body_file"`
			}
		}
		if err := json.Unmarshal(raw, &meta); err != nil {
			t.Fatal(err)
		}
		r := recording{stream: meta.Stream, status: meta.Status}
		if string(meta.Request.Body) != "null" {
			r.request = meta.Request.Body
		}
		r.answer = fixture(t, meta.Response.BodyFile)
		found[name] = r
	}
	return found
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(fixtures + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecordedRequests(t *testing.T) {
	codec := cohere.Codec{}
	for name, r := range recordings(t) {
		if r.request == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			first, err := codec.DecodeRequest(r.request)
			if err != nil {
				t.Fatal(err)
			}
			loss := wire.NewLoss(first)
			body, err := codec.EncodeRequest(nil, first, loss)
			if err != nil || loss.String() != "" {
				t.Fatalf("lost %q, error %v", loss, err)
			}
			second, err := codec.DecodeRequest(body)
			if err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("%s\n%s", body, diff)
			}
		})
	}
}

// shown is what an observer calls the text of an answer.
func shown(res *wire.Response) (text string) {
	for _, b := range res.Choices[0].Blocks {
		text += b.Text
		if b.Call != nil {
			text += b.Call.Name + b.Call.Arguments
		}
	}
	return text
}

func TestRecordedAnswers(t *testing.T) {
	codec := cohere.Codec{}
	for name, r := range recordings(t) {
		if r.stream || r.status != 200 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			first, err := codec.DecodeResponse(r.answer)
			if err != nil {
				t.Fatal(err)
			}
			body := codec.EncodeResponse(nil, first, &wire.Reply{})
			second, err := codec.DecodeResponse(body)
			if err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("%s\n%s", body, diff)
			}
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			if err := (cohere.Door{}).Observer().Answer(r.answer, &seen); err != nil {
				t.Fatal(err)
			}
			text = strings.Replace(text, "null", "{}", 1) // the arguments of a call without any
			if seen.Usage != first.Usage.Usage || seen.Finish != first.Choices[0].Native || seen.ID != first.ID || text != shown(first) {
				t.Errorf("the observer saw %+v and %q, the decoder %+v and %q", seen, text, first.Usage, shown(first))
			}
		})
	}
}

func TestRecordedStreams(t *testing.T) {
	codec := cohere.Codec{}
	for name, r := range recordings(t) {
		if !r.stream {
			continue
		}
		t.Run(name, func(t *testing.T) {
			first, events, err := wiretest.Collect(codec.StreamDecoder(), r.answer, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1, 3, 17, 256} {
				again, _, err := wiretest.Collect(codec.StreamDecoder(), r.answer, size)
				if diff := cmp.Diff(first, again); diff != "" || err != nil {
					t.Errorf("%d bytes at a time: %v: %s", size, err, diff)
				}
			}
			text := ""
			seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
			classes := observe(t, r.answer, &seen)
			if seen.Usage != first.Usage.Usage || seen.Finish != first.Choices[0].Native || seen.ID != first.ID || text != shown(first) {
				t.Errorf("the observer saw %+v and %q, the decoder %+v and %q", seen, text, first, shown(first))
			}
			if want := wire.Content | wire.Finishing | wire.Terminal; classes != want {
				t.Errorf("classes %06b", classes)
			}
			encoder := codec.StreamEncoder(&wire.Reply{})
			var out []byte
			for i := range events {
				out = encoder.Encode(out, &events[i])
			}
			second, _, err := wiretest.Collect(codec.StreamDecoder(), out, 0)
			if diff := cmp.Diff(first, second); diff != "" || err != nil {
				t.Errorf("%v: %s\n%s", err, out, diff)
			}
		})
	}
}

// observe shows a stream to an observer and joins the classes of its events.
func observe(t testing.TB, stream []byte, seen *wire.Seen) (all wire.Class) {
	t.Helper()
	observer := cohere.Door{}.Observer()
	reader := sse.NewReader(bytes.NewReader(stream), 0)
	var ev sse.Event
	for reader.Next(&ev) == nil {
		class, err := observer.Event(&ev, seen)
		if err != nil {
			t.Fatal(err)
		}
		all |= class
	}
	return all
}
