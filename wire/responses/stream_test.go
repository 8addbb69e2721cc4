package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/responses"
	"github.com/weirproxy/weir/wire/wiretest"
)

// lastResponse is what the last event of a stream holds.
func lastResponse(t *testing.T, stream []byte) []byte {
	t.Helper()
	var last []byte
	for line := range bytes.Lines(stream) {
		if data, ok := bytes.CutPrefix(line, []byte("data: {")); ok {
			var ev struct{ Response json.RawMessage }
			if err := json.Unmarshal(append([]byte("{"), data...), &ev); err != nil {
				t.Fatal(err)
			}
			if ev.Response != nil {
				last = ev.Response
			}
		}
	}
	return last
}

// anyProof compares signatures by their presence: OpenAI encrypts reasoning anew
// for the last event.
var anyProof = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Signature" },
	cmp.Comparer(func(a, b string) bool { return (a == "") == (b == "") }))

// TestRecordedStreams checks each recorded stream against the whole response
// that its last event holds, however the bytes arrive.
func TestRecordedStreams(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, f := range answers(t, true) {
		t.Run(f.name, func(t *testing.T) {
			whole, err := codec.DecodeResponse(lastResponse(t, f.body))
			if err != nil {
				t.Fatal(err)
			}
			for _, chunk := range []int{0, 1, 1 + random.IntN(50), 1 + random.IntN(5000)} {
				got, _, err := wiretest.Collect(codec.StreamDecoder(), f.body, chunk)
				if err != nil {
					t.Fatal(err)
				}
				if whole.Failure != nil {
					if got.Failure == nil || got.Failure.Kind != whole.Failure.Kind || got.Failure.Message != whole.Failure.Message {
						t.Errorf("failure %+v, want %+v", got.Failure, whole.Failure)
					}
					continue
				}
				diff := cmp.Diff(whole, got,
					cmpopts.IgnoreFields(wire.Response{}, "ServiceTier"), cmpopts.IgnoreFields(wire.Choice{}, "LogProbs"),
					cmpopts.IgnoreSliceElements(func(b wire.Block) bool { return b.Type == wire.RawBlock }), anyProof)
				if diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// encodeAll encodes events as a client of this dialect gets them.
func encodeAll(events []wire.Event, reply *wire.Reply) []byte {
	enc := codec.StreamEncoder(reply)
	var stream []byte
	for i := range events {
		stream = enc.Encode(stream, &events[i])
	}
	return stream
}

// TestStreamsKeepTheirMeaning decodes, encodes and decodes recorded streams.
func TestStreamsKeepTheirMeaning(t *testing.T) {
	for _, f := range answers(t, true) {
		t.Run(f.name, func(t *testing.T) {
			first, events, err := wiretest.Collect(codec.StreamDecoder(), f.body, 0)
			if err != nil {
				t.Fatal(err)
			}
			stream := encodeAll(events, reply(t, askedBody))
			checkStream(t, stream)
			second, _, err := wiretest.Collect(codec.StreamDecoder(), stream, 7)
			if err != nil {
				t.Fatal(err)
			}
			if first.Failure != nil {
				if second.Failure == nil || second.Failure.Kind != first.Failure.Kind {
					t.Errorf("%+v", second.Failure)
				}
				return
			}
			second.Created, second.ServiceTier = first.Created, first.ServiceTier
			for _, c := range second.Choices { // ids of items are the encoder's own
				for i := range c.Blocks {
					c.Blocks[i].ID = first.Choices[0].Blocks[i].ID
				}
			}
			if diff := cmp.Diff(first, second, sameResponse); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// checkStream checks what clients check: numbers without gaps, all that is
// added is done, the end holds what was sent, one end.
func checkStream(t testing.TB, stream []byte) {
	t.Helper()
	type part struct {
		Type, Text, Refusal string
	}
	type item struct {
		ID, Type, Status string
		Arguments, Input any
		Content, Summary []part
	}
	var (
		done []json.RawMessage
		open = map[int]string{}
		text = map[[2]int]string{}
		args = map[int]string{}
		id   string
		n    int
		end  string
	)
	for block := range strings.SplitSeq(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(block, "\ndata: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("event %q", block)
		}
		var ev struct {
			Type                                   string
			SequenceNumber                         int    `json:"sequence_number"`
			OutputIndex                            int    `json:"output_index"`
			ContentIndex                           int    `json:"content_index"`
			SummaryIndex                           int    `json:"summary_index"`
			ItemID                                 string `json:"item_id"`
			Delta, Text, Refusal, Arguments, Input string
			Item                                   json.RawMessage
			Response                               *struct {
				ID, Status string
				Output     []json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if name != "event: "+ev.Type || ev.SequenceNumber != n || end != "" {
			t.Fatalf("event %d after %q: %s", n, end, block)
		}
		n++
		if ev.Item == nil && ev.Response == nil && open[ev.OutputIndex] != ev.ItemID {
			t.Fatalf("%s of no open item", block)
		}
		at := [2]int{ev.OutputIndex, ev.ContentIndex + ev.SummaryIndex}
		switch ev.Type {
		case "response.created", "response.in_progress":
			id = ev.Response.ID
		case "response.completed", "response.incomplete", "response.failed":
			end = ev.Type
			if ev.Response.ID != id || "response."+ev.Response.Status != ev.Type {
				t.Errorf("end of another response: %s", block)
			}
			if diff := cmp.Diff(done, ev.Response.Output, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the end holds other items: %s", diff)
			}
			if end != "response.failed" && len(open) > 0 {
				t.Errorf("open at the end: %v", open)
			}
		case "response.output_item.added":
			var it item
			if err := json.Unmarshal(ev.Item, &it); err != nil || ev.OutputIndex != len(done)+len(open) {
				t.Fatalf("%v in %s", err, block)
			}
			open[ev.OutputIndex] = it.ID
		case "response.output_item.done":
			var it item
			if err := json.Unmarshal(ev.Item, &it); err != nil || open[ev.OutputIndex] != it.ID {
				t.Fatalf("%v in %s", err, block)
			}
			if got := args[ev.OutputIndex]; it.Type == "function_call" && it.Arguments != got || it.Type == "custom_tool_call" && it.Input != got {
				t.Errorf("other arguments than were sent: %s", block)
			}
			for i, p := range append(it.Summary, it.Content...) {
				if p.Text+p.Refusal != text[[2]int{ev.OutputIndex, i}] {
					t.Errorf("another text than was sent: %s", block)
				}
			}
			delete(open, ev.OutputIndex)
			done = append(done, ev.Item)
		case "response.output_text.delta", "response.refusal.delta", "response.reasoning_summary_text.delta":
			text[at] += ev.Delta
		case "response.output_text.done", "response.refusal.done", "response.reasoning_summary_text.done":
			if ev.Text+ev.Refusal != text[at] {
				t.Errorf("another text than was sent: %s", block)
			}
		case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
			args[ev.OutputIndex] += ev.Delta
		case "response.function_call_arguments.done", "response.custom_tool_call_input.done":
			if ev.Arguments+ev.Input != args[ev.OutputIndex] {
				t.Errorf("other arguments than were sent: %s", block)
			}
		}
	}
	if end == "" {
		t.Error("no end")
	}
}

// streamed is a whole answer as the events of a stream.
func streamed(res *wire.Response) (events []wire.Event) {
	c := res.Choices[0]
	events = append(events, wire.Event{Kind: wire.EventStart, ID: res.ID, Model: res.Model, Created: res.Created})
	for i, b := range c.Blocks {
		open := wire.Event{Kind: wire.EventBlock, Index: i, Block: b.Type, Raw: b.Raw, Vendor: b.Vendor}
		text := b.Text
		if b.Call != nil {
			open.ID, open.Name, open.Custom = b.Call.ID, b.Call.Name, b.Call.Custom
			text = b.Call.Arguments
		}
		events = append(events, open)
		sign := wire.Event{Kind: wire.EventSignature, Index: i, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID}
		if b.Signature != "" && b.Call != nil {
			events = append(events, sign)
		}
		for _, piece := range strings.SplitAfter(text, " ") {
			events = append(events, wire.Event{Kind: wire.EventDelta, Index: i, Text: []byte(piece)})
		}
		for j := range b.Citations {
			events = append(events, wire.Event{Kind: wire.EventCitation, Index: i, Citation: &b.Citations[j]})
		}
		if b.Signature != "" && b.Call == nil {
			events = append(events, sign)
		}
		events = append(events, wire.Event{Kind: wire.EventBlockEnd, Index: i})
	}
	return append(events,
		wire.Event{Kind: wire.EventUsage, Usage: &res.Usage},
		wire.Event{Kind: wire.EventFinish, Finish: c.Finish, Native: c.Native},
		wire.Event{Kind: wire.EventEnd})
}

func TestEncodeStream(t *testing.T) {
	stream := encodeAll(streamed(everything()), reply(t, askedBody))
	checkStream(t, stream)
	golden(t, "stream.sse", stream)

	t.Run("as the whole answer", func(t *testing.T) {
		var last, whole any
		if err := json.Unmarshal(lastResponse(t, stream), &last); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(codec.EncodeResponse(nil, everything(), reply(t, askedBody)), &whole); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole, last); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("failed in the middle", func(t *testing.T) {
		events := append(streamed(everything())[:8:8], wire.Event{Kind: wire.EventFail, Failure: &wire.Failure{Kind: wire.KindOverloaded, Message: "busy"}}, wire.Event{Kind: wire.EventEnd})
		stream := encodeAll(events, reply(t, ""))
		checkStream(t, stream)
		got, _, err := wiretest.Collect(codec.StreamDecoder(), stream, 0)
		if err != nil || got.Failure == nil || got.Failure.Message != "busy" {
			t.Errorf("%v, %+v", err, got.Failure)
		}
	})

	t.Run("a signature after the arguments", func(t *testing.T) {
		stream := encodeAll([]wire.Event{
			{Kind: wire.EventStart},
			{Kind: wire.EventBlock, Block: wire.CallBlock, ID: "c", Name: "f"},
			{Kind: wire.EventDelta, Text: []byte("{}")},
			{Kind: wire.EventSignature, Signature: "s", Vendor: wire.VendorGemini},
			{Kind: wire.EventBlockEnd},
			{Kind: wire.EventFinish, Finish: wire.FinishTools},
			{Kind: wire.EventEnd},
		}, reply(t, ""))
		checkStream(t, stream)
		got, err := codec.DecodeResponse(lastResponse(t, stream))
		if err != nil || len(got.Choices[0].Blocks) != 1 || got.Choices[0].Blocks[0].Signature != "s" {
			t.Errorf("%v, %+v", err, got)
		}
	})
}

// TestDecodeStreams are streams that servers send otherwise than OpenAI.
func TestDecodeStreams(t *testing.T) {
	const completed = `{"type":"response.completed","response":{"status":"completed"}}`
	call := func(id, args string) wire.Block {
		return wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: id, Name: "f", Arguments: args}}
	}
	for _, tt := range []struct {
		name   string
		data   []string
		want   []wire.Block
		finish wire.Finish
	}{
		{"nothing but the end", []string{`{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"h"}],"id":"rs","encrypted_content":"e"},{"type":"message","content":[{"type":"output_text","text":"a"}]}]}}`}, []wire.Block{{Type: wire.ThinkingBlock, Text: "h", Signature: "e", Vendor: wire.VendorOpenAI, ID: "rs"}, {Text: "a"}}, wire.FinishStop},
		{"deltas alone", []string{`{"type":"response.output_text.delta","delta":"a"}`, `{"type":"response.output_text.delta","delta":"b"}`, completed}, []wire.Block{{Text: "ab"}}, wire.FinishStop},
		{"the whole text alone", []string{`{"type":"response.output_item.added","item":{"type":"message"}}`, `{"type":"response.output_text.done","text":"ab"}`, `{"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"ab"}]}}`, completed}, []wire.Block{{Text: "ab"}}, wire.FinishStop},
		{"whole items alone", []string{`{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"ab","annotations":[{"type":"url_citation","url":"u"}]},{"type":"refusal","refusal":"no"}]}}`, `{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}`, completed}, []wire.Block{{Text: "ab", Citations: []wire.Citation{{URL: "u"}}}, {Type: wire.RefusalBlock, Text: "no"}, call("c", "{}")}, wire.FinishTools},
		{"arguments at the end", []string{`{"type":"response.output_item.added","item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}`, `{"type":"response.function_call_arguments.done","arguments":"{\"a\":1}"}`, `{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}}`, completed}, []wire.Block{call("c", `{"a":1}`)}, wire.FinishTools},
		{"arguments in the item", []string{`{"type":"response.output_item.added","item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}`, `{"type":"response.function_call_arguments.done","arguments":"{}"}`, completed}, []wire.Block{call("c", "{}")}, wire.FinishTools},
		{"interleaved calls", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}`,
			`{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"d","name":"f"}}`,
			`{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"b\""}`,
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\""}`,
			`{"type":"response.function_call_arguments.delta","output_index":1,"delta":":2}"}`,
			`{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"d","name":"f","arguments":"{\"b\":2}"}}`,
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":":1}"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}}`,
			completed,
		}, []wire.Block{call("c", `{"a":1}`), call("d", `{"b":2}`)}, wire.FinishTools},
		{"several summaries", []string{
			`{"type":"response.output_item.added","item":{"type":"reasoning"}}`,
			`{"type":"response.reasoning_summary_text.delta","summary_index":0,"delta":"a"}`,
			`{"type":"response.reasoning_summary_text.done","summary_index":0,"text":"a"}`,
			`{"type":"response.reasoning_summary_text.done","summary_index":1,"text":"b"}`,
			`{"type":"response.reasoning_text.delta","content_index":0,"delta":"raw"}`,
			`{"type":"response.output_item.done","item":{"type":"reasoning","id":"rs","encrypted_content":"e","summary":[{"text":"a"},{"text":"b"}]}}`,
			completed,
		}, []wire.Block{{Type: wire.ThinkingBlock, Text: "a\n\nb", Signature: "e", Vendor: wire.VendorOpenAI, ID: "rs"}}, wire.FinishStop},
		{"a server's tool", []string{`{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws"}}`, `{"type":"response.web_search_call.searching","output_index":0}`, `{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"ws"}}`, `{"type":"response.output_text.delta","output_index":1,"delta":"a"}`, completed}, []wire.Block{{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: `{"type":"web_search_call","id":"ws"}`}, {Text: "a"}}, wire.FinishStop},
		{"cut", []string{`{"type":"response.output_text.delta","delta":"a"}`, `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}`, `[DONE]`}, []wire.Block{{Text: "a"}}, wire.FinishLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stream []byte
			for _, data := range tt.data {
				stream = sse.AppendEvent(stream, "", []byte(data))
			}
			got, _, err := wiretest.Collect(codec.StreamDecoder(), stream, 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Choices[0].Blocks, cmpopts.IgnoreFields(wire.Choice{}, "Native")); diff != "" {
				t.Error(diff)
			}
			if got.Choices[0].Finish != tt.finish {
				t.Errorf("finish %d", got.Choices[0].Finish)
			}
		})
	}
}

func TestFailedStreams(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		kind       wire.Kind
	}{
		{"flat", `{"type":"error","code":"rate_limit_exceeded","message":"m"}`, wire.KindRateLimit},
		{"inside", `{"type":"error","error":{"code":"context_length_exceeded","message":"m"}}`, wire.KindContextLength},
		{"failed", `{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}`, wire.KindUpstream},
		{"as chat has it", `{"error":{"message":"m","code":"server_error"}}`, wire.KindUpstream},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := wiretest.Collect(codec.StreamDecoder(), sse.AppendEvent(nil, "", []byte(tt.data)), 0)
			if err != nil || got.Failure == nil || got.Failure.Kind != tt.kind || got.Failure.Message != "m" {
				t.Errorf("%v, %+v", err, got.Failure)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		if _, _, err := wiretest.Collect(codec.StreamDecoder(), []byte("data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n"), 0); err != io.ErrUnexpectedEOF {
			t.Error(err)
		}
	})
	t.Run("no JSON", func(t *testing.T) {
		if _, _, err := wiretest.Collect(codec.StreamDecoder(), []byte("data: {\n\n"), 0); !errors.Is(err, wire.ErrMalformed) {
			t.Error(err)
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	for _, fx := range answers(f, true) {
		if len(fx.body) < 20000 {
			f.Add(fx.body)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		res, events, err := wiretest.Collect(codec.StreamDecoder(), stream, 0)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) && err != io.ErrUnexpectedEOF {
				t.Fatal(err)
			}
			return
		}
		encoded := encodeAll(events, &wire.Reply{ID: "x"})
		again, _, err := wiretest.Collect(responses.Codec{}.StreamDecoder(), encoded, 0)
		if err != nil {
			t.Fatalf("%v in %s", err, encoded)
		}
		if (res.Failure == nil) != (again.Failure == nil) {
			t.Errorf("%+v became %+v", res.Failure, again.Failure)
		}
	})
}
