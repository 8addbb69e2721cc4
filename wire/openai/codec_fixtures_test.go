package openai_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/wiretest"
)

// sameRequest leaves out how the client spelled things and whether it asked
// for usage, which Weir always does.
var sameRequest = cmp.Options{cmpopts.IgnoreFields(wire.Request{}, "Spelling", "IncludeUsage", "Extra"), cmpopts.EquateEmpty()}

func TestRecordedRequests(t *testing.T) {
	seen := 0
	for _, f := range fixtures(t, "chat") {
		if len(f.request) == 0 || string(f.request) == "null" || f.status >= 400 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			codec := openai.Codec{}
			first, err := codec.DecodeRequest(f.request)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			loss := wire.NewLoss(first)
			body, err := codec.EncodeRequest(nil, first, loss)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(body) {
				t.Fatalf("not JSON: %s", body)
			}
			second, err := codec.DecodeRequest(body)
			if err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if diff := cmp.Diff(first, second, sameRequest); diff != "" {
				t.Errorf("%s\n%s", diff, body)
			}
			again, _ := codec.EncodeRequest(nil, second, wire.NewLoss(second))
			if !bytes.Equal(body, again) {
				t.Errorf("not the same bytes:\n%s\n%s", body, again)
			}
			if len(loss.Fields()) > 0 {
				t.Logf("dropped %s", loss)
			}
		})
	}
	if seen < 80 {
		t.Errorf("only %d recordings", seen)
	}
}

func TestRecordedAnswers(t *testing.T) {
	seen := 0
	for _, f := range fixtures(t, "chat", "completions") {
		if f.stream || f.status != 200 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			codec := openai.Codec{}
			first, err := codec.DecodeResponse(f.body)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			var watched wire.Seen
			if err := (openai.Door{Op: wire.Chat}).Observer().Answer(f.body, &watched); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(watched.Usage, first.Usage.Usage); diff != "" {
				t.Errorf("usage: %s", diff)
			}
			reply := &wire.Reply{ID: "r1", Created: 1}
			body := codec.EncodeResponse(nil, first, reply)
			if !json.Valid(body) {
				t.Fatalf("not JSON: %s", body)
			}
			second, err := codec.DecodeResponse(body)
			if err != nil {
				t.Fatal(err)
			}
			want := filled(first)
			if diff := cmp.Diff(want, second, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(wire.Report{}, "ServiceTier", "CacheWrite5m")); diff != "" {
				t.Errorf("%s\n%s", diff, body)
			}
		})
	}
	if seen < 60 {
		t.Errorf("only %d recordings", seen)
	}
}

// filled is res as a client reads it, with the ids and empty arguments that
// an encoder fills in.
func filled(res *wire.Response) *wire.Response {
	n := 0
	if res.Created == 0 {
		res.Created = 1
	}
	if res.ServiceTier == "" {
		res.ServiceTier = res.Usage.ServiceTier
	}
	for i := range res.Choices {
		c := &res.Choices[i]
		c.StopString = ""
		if c.Finish == wire.FinishString && c.Native == "stop" {
			c.Finish = wire.FinishStop
		}
		for j := range c.Blocks {
			if b := &c.Blocks[j]; b.Type == wire.CallBlock {
				if b.Call.ID == "" {
					b.Call.ID = "call_r1_" + string(rune('0'+n))
				}
				n++
				if b.Call.Arguments == "" {
					b.Call.Arguments = "{}"
				}
			}
		}
	}
	return res
}

func TestRecordedStreams(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := 0
	for _, f := range fixtures(t, "chat", "completions") {
		if !f.stream || f.status != 200 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			seen++
			codec := openai.Codec{}
			whole, events, err := wiretest.Collect(codec.StreamDecoder(), f.body, 0)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				pieces, _, err := wiretest.Collect(codec.StreamDecoder(), f.body, 1+random.IntN(97))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(whole, pieces); diff != "" {
					t.Fatalf("in pieces: %s", diff)
				}
			}
			watch(t, f.body, whole)
			encoder := codec.StreamEncoder(&wire.Reply{ID: "r1", Created: 1, Request: &wire.Request{IncludeUsage: true}})
			var out []byte
			for i := range events {
				out = encoder.Encode(out, &events[i])
			}
			second, _, err := wiretest.Collect(codec.StreamDecoder(), out, 0)
			if err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if whole.Failure != nil {
				if second.Failure == nil {
					t.Errorf("the error is lost: %s", out)
				}
				return
			}
			if diff := cmp.Diff(filled(whole), filled(second), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n%s", diff, out)
			}
		})
	}
	if seen < 40 {
		t.Errorf("only %d recordings", seen)
	}
}

// watch compares with what the observer of pass-through sees.
func watch(t *testing.T, body []byte, res *wire.Response) {
	t.Helper()
	var text strings.Builder
	seen := wire.Seen{Text: func(b []byte) { text.Write(b) }}
	observer := openai.Door{Op: wire.Chat}.Observer()
	reader := sse.NewReader(bytes.NewReader(body), 0)
	var ev sse.Event
	for reader.Next(&ev) == nil {
		if _, err := observer.Event(&ev, &seen); err != nil {
			t.Fatal(err)
		}
		if seen.Failure != nil {
			break
		}
	}
	if diff := cmp.Diff(seen.Usage, res.Usage.Usage); diff != "" {
		t.Errorf("usage: %s", diff)
	}
	if (seen.Failure == nil) != (res.Failure == nil) {
		t.Errorf("failure %v, the observer's %v", res.Failure, seen.Failure)
	}
	got := 0
	for _, c := range res.Choices {
		for _, b := range c.Blocks {
			got += len(b.Text)
			if b.Call != nil {
				got += len(b.Call.Arguments) + len(b.Call.Name)
			}
		}
	}
	if got != text.Len() {
		t.Errorf("%d bytes of text, the observer saw %d", got, text.Len())
	}
}
