package bedrock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/eventstream"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/bedrock"
	"github.com/weirproxy/weir/wire/wiretest"
)

// recording is a recorded exchange of Converse.
type recording struct {
	model   string
	request []byte // nil when the source has none
	answer  []byte // JSON, or a stream of server-sent events
	stream  bool
	status  int
	cut     error // how the stream ended
}

func recordings(t testing.TB) map[string]recording {
	t.Helper()
	metas, err := filepath.Glob("../../integration/testdata/fixtures/bedrock/converse*.meta.json")
	if err != nil || len(metas) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	found := make(map[string]recording)
	for _, path := range metas {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var meta struct {
			Stream  bool
			Status  int
			Request struct {
				URL  string
				Body json.RawMessage
			}
			Response struct {
				BodyFile string `json:"body_file"`
			}
		}
		if err := json.Unmarshal(raw, &meta); err != nil {
			t.Fatal(err)
		}
		_, model, _ := strings.Cut(meta.Request.URL, "/model/")
		model, _, _ = strings.Cut(model, "/converse")
		if model, err = url.PathUnescape(model); err != nil {
			t.Fatal(err)
		}
		r := recording{model: model, stream: meta.Stream, status: meta.Status}
		if string(meta.Request.Body) != "null" {
			r.request = meta.Request.Body
		}
		if r.answer, err = os.ReadFile(filepath.Join(filepath.Dir(path), meta.Response.BodyFile)); err != nil {
			t.Fatal(err)
		}
		if r.stream {
			r.answer, r.cut = io.ReadAll(eventstream.SSE(bytes.NewReader(r.answer)))
		}
		found[strings.TrimSuffix(filepath.Base(path), ".meta.json")] = r
	}
	return found
}

func TestRecordedRequests(t *testing.T) {
	codec := bedrock.Codec{}
	for name, r := range recordings(t) {
		if r.request == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			first, err := codec.DecodeRequest(r.request)
			if err != nil {
				t.Fatal(err)
			}
			first.Model = r.model
			loss := wire.NewLoss(first)
			body, err := codec.EncodeRequest(nil, first, loss)
			if err != nil || loss.String() != "" {
				t.Fatalf("lost %q, error %v", loss, err)
			}
			second, err := codec.DecodeRequest(body)
			if err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			second.Model = r.model
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("%s\n%s", body, diff)
			}
			again, _ := codec.EncodeRequest([]byte("x"), first, wire.NewLoss(first))
			if string(again) != "x"+string(body) {
				t.Errorf("another time, another body: %s", again)
			}
		})
	}
}

func TestRecordedAnswers(t *testing.T) {
	codec := bedrock.Codec{}
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
			if err := (bedrock.Door{}).Observer().Answer(r.answer, &seen); err != nil {
				t.Fatal(err)
			}
			if seen.Usage != first.Usage.Usage || seen.Finish != first.Choices[0].Native || text != shown(first) {
				t.Errorf("the observer saw %+v and %q, the decoder %+v and %q", seen, text, first.Usage, shown(first))
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

func TestRecordedStreams(t *testing.T) {
	codec := bedrock.Codec{}
	for name, r := range recordings(t) {
		if !r.stream {
			continue
		}
		t.Run(name, func(t *testing.T) {
			first, events, err := wiretest.Collect(codec.StreamDecoder(), r.answer, 0)
			if cut := name == "converse-stream-truncated"; cut != errors.Is(err, io.ErrUnexpectedEOF) || cut != errors.Is(r.cut, io.ErrUnexpectedEOF) || !cut && err != nil {
				t.Fatalf("decoded with %v, framed with %v", err, r.cut)
			}
			for _, size := range []int{1, 3, 17, 256} {
				again, _, _ := wiretest.Collect(codec.StreamDecoder(), r.answer, size)
				if diff := cmp.Diff(first, again); diff != "" {
					t.Errorf("%d bytes at a time: %s", size, diff)
				}
			}
			observed(t, r, first)
			encoder := codec.StreamEncoder(&wire.Reply{})
			var out []byte
			for i := range events {
				out = encoder.Encode(out, &events[i])
			}
			second, _, err2 := wiretest.Collect(codec.StreamDecoder(), out, 0)
			if !errors.Is(err2, err) {
				t.Errorf("the copy ended with %v", err2)
			}
			// Whole blocks of the vendor's own tools are left out on the way.
			keep := cmpopts.IgnoreSliceElements(func(b wire.Block) bool { return b.Type == wire.RawBlock })
			if diff := cmp.Diff(first, second, keep); diff != "" {
				t.Errorf("%s\n%s", out, diff)
			}
		})
	}
}

// observed compares a decoded stream with what the observer sees of it.
func observed(t *testing.T, r recording, res *wire.Response) {
	t.Helper()
	text := ""
	seen := wire.Seen{Text: func(b []byte) { text += string(b) }}
	observer := bedrock.Door{}.Observer()
	reader := sse.NewReader(bytes.NewReader(r.answer), 0)
	var ev sse.Event
	var all wire.Class
	for reader.Next(&ev) == nil {
		class, err := observer.Event(&ev, &seen)
		if err != nil {
			t.Fatal(err)
		}
		all |= class
	}
	if seen.Usage != res.Usage.Usage || seen.Finish != res.Choices[0].Native {
		t.Errorf("the observer saw %+v, the decoder %+v", seen, res.Usage)
	}
	if !strings.Contains(text, shown(res)) && res.Choices[0].Blocks[0].Type != wire.RawBlock {
		t.Errorf("the observer saw %q, the decoder %q", text, shown(res))
	}
	if all.Has(wire.Terminal) != (r.cut == nil && res.Failure == nil) || all.Has(wire.Failed) != (res.Failure != nil) || !all.Has(wire.Content) {
		t.Errorf("classes %06b", all)
	}
}
