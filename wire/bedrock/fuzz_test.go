package bedrock_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/bedrock"
	"github.com/weirproxy/weir/wire/wiretest"
)

// FuzzDecodeRequest: what was once translated stays what it is.
func FuzzDecodeRequest(f *testing.F) {
	for _, r := range recordings(f) {
		if r.request != nil && len(r.request) < 5000 {
			f.Add(r.request)
		}
	}
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"cachePoint":{}},{"document":{"format":"pdf","name":"a","source":{"bytes":"AA=="}}}]}],"outputConfig":{"textFormat":{"structure":{"jsonSchema":{"schema":"{}"}}}},"additionalModelRequestFields":{"x":1,"output_config":{"effort":"low","y":2}}}`))
	codec := bedrock.Codec{}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		req, err := codec.DecodeRequest(body)
		if err != nil {
			return
		}
		var last []byte
		for range 3 {
			req.Model = sonnet45
			out, err := codec.EncodeRequest(nil, req, wire.NewLoss(req))
			if err != nil {
				return
			}
			if !json.Valid(out) {
				t.Fatalf("no JSON: %s", out)
			}
			next, err := codec.DecodeRequest(out)
			if err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			next.Model = sonnet45
			if last != nil {
				if diff := cmp.Diff(req, next, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("%s\n%s", out, diff)
				}
			}
			req, last = next, out
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	for _, r := range recordings(f) {
		if !r.stream && len(r.answer) < 5000 {
			f.Add(r.answer)
		}
	}
	codec := bedrock.Codec{}
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = bedrock.Door{}.Observer().Answer(body, &wire.Seen{Text: func([]byte) {}})
		_, _ = bedrock.EmbedCodec{}.DecodeEmbedResponse(body)
		first, err := codec.DecodeResponse(body)
		if err != nil {
			return
		}
		out := codec.EncodeResponse(nil, first, &wire.Reply{})
		if !json.Valid(out) {
			t.Fatalf("no JSON: %s", out)
		}
		second, err := codec.DecodeResponse(out)
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		out2 := codec.EncodeResponse(nil, second, &wire.Reply{})
		third, err := codec.DecodeResponse(out2)
		if diff := cmp.Diff(second, third); diff != "" || err != nil {
			t.Fatalf("%v: %s\n%s", err, out2, diff)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	for _, r := range recordings(f) {
		if r.stream && len(r.answer) < 5000 {
			f.Add(r.answer)
		}
	}
	f.Add([]byte(long(2)))
	codec := bedrock.Codec{}
	f.Fuzz(func(t *testing.T, stream []byte) {
		first, events, err := wiretest.Collect(codec.StreamDecoder(), stream, 0)
		observer := bedrock.Door{}.Observer()
		for _, ev := range events {
			if ev.Kind == wire.EventFail && ev.Failure == nil {
				t.Fatal("a failure without a reason")
			}
		}
		_, _ = observer.Event(&sse.Event{Name: []byte("metadata"), Data: stream, HasData: true}, &wire.Seen{})
		if err != nil {
			if len(events) > 0 && events[len(events)-1].Kind == wire.EventEnd {
				t.Fatalf("a rule was broken: %v", err)
			}
			return
		}
		encoder := codec.StreamEncoder(&wire.Reply{})
		var out []byte
		for i := range events {
			out = encoder.Encode(out, &events[i])
		}
		second, _, err := wiretest.Collect(codec.StreamDecoder(), out, 0)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if first.Failure == nil && len(first.Choices) > 0 && len(second.Choices) > 0 {
			if a, b := shown(first), shown(second); a != b {
				t.Fatalf("%q became %q", a, b)
			}
		}
	})
}
