package gemini_test

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/wiretest"
)

const finish = `{"candidates":[{"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}`

func TestDecodeStream(t *testing.T) {
	usage := wire.Report{Usage: wire.Usage{Input: 1, Output: 2}, Reported: true}
	for _, tt := range []struct {
		name, stream string
		want         wire.Response
		err          error
	}{
		{
			"text and thoughts", frame(`{"responseId":"r","modelVersion":"m","createTime":"2026-05-04T20:01:02.2Z","candidates":[{"content":{"parts":[{"text":"h","thought":true}]}}]}`) + parts(`{"text":"m","thought":true},{"text":"a"}`) + parts(`{"text":"b"},{"text":""}`) + frame(finish),
			wire.Response{ID: "r", Model: "m", Created: 1777924862, Usage: usage, Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "STOP", Blocks: []wire.Block{{Type: wire.ThinkingBlock, Text: "hm"}, text("ab")}}}},
			nil,
		},
		{
			"a signature ends a block", parts(`{"text":"a"}`) + parts(`{"text":"","thoughtSignature":"c2ln"}`) + parts(`{"text":"b"}`) + frame(finish),
			wire.Response{Usage: usage, Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "STOP", Blocks: []wire.Block{{Text: "a", Signature: "c2ln", Vendor: wire.VendorGemini}, text("b")}}}},
			nil,
		},
		{
			"arguments in pieces",
			parts(`{"functionCall":{"id":"i","name":"f","willContinue":true},"thoughtSignature":"c2ln"}`) +
				parts(`{"functionCall":{"partialArgs":[{"jsonPath":"$.a.b[1]","stringValue":"x\"","willContinue":true},{"jsonPath":"$['n m']","numberValue":1.50}],"willContinue":true}}`) +
				parts(`{"functionCall":{"partialArgs":[{"jsonPath":"$.a.b[1]","stringValue":"y"},{"jsonPath":"$.t","boolValue":true},{"jsonPath":"$.z","nullValue":"NULL_VALUE"}],"willContinue":true}}`) +
				parts(`{"functionCall":{}}`) + frame(finish),
			wire.Response{Usage: usage, Choices: []wire.Choice{{Finish: wire.FinishTools, Native: "STOP", Blocks: []wire.Block{{
				Type: wire.CallBlock, Signature: "c2ln", Vendor: wire.VendorGemini,
				Call: &wire.Call{ID: "i", Name: "f", Arguments: `{"a":{"b":[null,"x\"y"]},"n m":1.50,"t":true,"z":null}`},
			}}}}},
			nil,
		},
		{
			"two candidates", frame(`{"responseId":"r","candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}},{"content":{"parts":[{"functionCall":{"name":"f","args":{"a": 1}}}]},"finishReason":"STOP"}]}`) + frame(`{"candidates":[{"index":1,"finishReason":"MAX_TOKENS"}]}`),
			wire.Response{ID: "r", Choices: []wire.Choice{
				{Index: 1, Finish: wire.FinishLength, Native: "MAX_TOKENS", Blocks: []wire.Block{text("b")}},
				{Finish: wire.FinishTools, Native: "STOP", Blocks: []wire.Block{call("call_r_0", "f", `{"a":1}`)}},
			}},
			nil,
		},
		{
			"a blocked prompt", frame(`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":1}}`),
			wire.Response{Usage: wire.Report{Usage: wire.Usage{Input: 1}, Reported: true}, Choices: []wire.Choice{{Finish: wire.FinishPolicy, Native: "PROHIBITED_CONTENT", Explanation: "no"}}},
			nil,
		},
		{
			"content after the reason, usage without counts", frame(finish) + parts(`{"text":"late"}`) + frame(`{"usageMetadata":{"trafficType":"ON_DEMAND"}}`),
			wire.Response{Usage: usage, Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "STOP", Blocks: []wire.Block{text("late")}}}},
			nil,
		},
		{
			"an error", parts(`{"text":"a"}`) + frame(`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`) + frame(finish),
			wire.Response{Failure: &wire.Failure{Kind: wire.KindOverloaded, Message: "busy"}, Choices: []wire.Choice{{Blocks: []wire.Block{text("a")}}}},
			nil,
		},
		{"cut off", parts(`{"text":"a"}`), wire.Response{Choices: []wire.Choice{{Blocks: []wire.Block{text("a")}}}}, io.ErrUnexpectedEOF},
		{"a word of tomorrow", parts(`{"text":"a"}`) + frame(`{"candidates":[{"finishReason":"BORED"}]}`), wire.Response{Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "BORED", Blocks: []wire.Block{text("a")}}}}, nil},
		{"a bad path", parts(`{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"a","stringValue":"x"}]}}`), wire.Response{Choices: []wire.Choice{{Blocks: []wire.Block{call("", "f", "")}}}}, wire.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := wiretest.Collect(gemini.Codec{}.StreamDecoder(), []byte(tt.stream), 3)
			if !errors.Is(err, tt.err) {
				t.Error(err)
			}
			if diff := cmp.Diff(&tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodeStream(t *testing.T) {
	start := wire.Event{Kind: wire.EventStart, ID: "r", Model: "m"}
	open := func(kind wire.BlockType, index int) wire.Event {
		return wire.Event{Kind: wire.EventBlock, Block: kind, Index: index}
	}
	delta := func(s string, index int) wire.Event {
		return wire.Event{Kind: wire.EventDelta, Index: index, Text: []byte(s)}
	}
	shut := func(index int) wire.Event { return wire.Event{Kind: wire.EventBlockEnd, Index: index} }
	stop := wire.Event{Kind: wire.EventFinish, Finish: wire.FinishStop, Native: "stop"}
	end := wire.Event{Kind: wire.EventEnd}
	usage := wire.Event{Kind: wire.EventUsage, Usage: &wire.Report{Usage: wire.Usage{Input: 5, Output: 7, Reasoning: 3, CacheRead: 2}}}
	const names = `"modelVersion":"m","responseId":"r"}`
	const counts = `"usageMetadata":{"promptTokenCount":5,"cachedContentTokenCount":2,"candidatesTokenCount":4,"thoughtsTokenCount":3,"totalTokenCount":12},`
	chunk := func(part string) string {
		return frame(`{"candidates":[{"content":{"parts":[` + part + `],"role":"model"},"index":0}],` + names)
	}
	last := func(more string) string {
		return frame(`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0,"finishReason":"STOP"` + more + `}],` + names)
	}
	for _, tt := range []struct {
		name   string
		events []wire.Event
		want   string
	}{
		{
			"usage is on every chunk once known",
			[]wire.Event{start, open(wire.TextBlock, 0), delta("a\n", 0), usage, delta("b", 0), shut(0), stop, end},
			chunk(`{"text":"a\n"}`) + frame(`{"candidates":[{"content":{"parts":[{"text":"b"}],"role":"model"},"index":0}],`+counts+names) +
				frame(`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0,"finishReason":"STOP"}],`+counts+names),
		},
		{
			"usage after the finish",
			[]wire.Event{start, stop, usage, end},
			frame(`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0,"finishReason":"STOP"}],` + counts + names),
		},
		{
			"thinking with another's signature",
			[]wire.Event{start, open(wire.ThinkingBlock, 0), delta("hm", 0), {Kind: wire.EventSignature, Signature: "s", Vendor: wire.VendorAnthropic}, shut(0), open(wire.RedactedBlock, 1), {Kind: wire.EventSignature, Index: 1, Signature: "d", Vendor: wire.VendorAnthropic}, shut(1), stop, end},
			chunk(`{"text":"hm","thought":true}`) + chunk(`{"text":"","thought":true,"thoughtSignature":"`+wire.Seal(wire.VendorAnthropic, "", "s")+`"}`) +
				chunk(`{"text":"","thought":true,"thoughtSignature":"`+wire.Seal(wire.VendorAnthropic, "redacted:", "d")+`"}`) + last(""),
		},
		{
			"calls come whole",
			[]wire.Event{start, {Kind: wire.EventBlock, Block: wire.CallBlock, ID: "i", Name: "f"}, delta(`{"a":`, 0), delta("\n1}", 0), {Kind: wire.EventSignature, Signature: "s", Vendor: wire.VendorGemini}, shut(0), {Kind: wire.EventBlock, Block: wire.CallBlock, Index: 1, Name: "g"}, shut(1), {Kind: wire.EventBlock, Block: wire.CallBlock, ID: "k", Index: 2, Name: "h"}, delta(`{"cut`, 2), shut(2), {Kind: wire.EventFinish, Finish: wire.FinishTools}, end},
			chunk(`{"functionCall":{"id":"i","name":"f","args":{"a":1}},"thoughtSignature":"s"}`) + chunk(`{"functionCall":{"id":"call_weir-1_0","name":"g","args":{}}}`) + chunk(`{"functionCall":{"id":"k","name":"h","args":{"_raw":"{\"cut"}}}`) + last(""),
		},
		{
			"citations in bytes, over neighbouring texts",
			[]wire.Event{start, open(wire.TextBlock, 0), delta("é", 0), shut(0), open(wire.TextBlock, 1), delta("äb", 1), {Kind: wire.EventCitation, Index: 1, Citation: &wire.Citation{URL: "u", Title: "t", Start: 1, End: 2}}, {Kind: wire.EventCitation, Index: 1, Citation: &wire.Citation{URL: "v"}}, shut(1), stop, end},
			chunk(`{"text":"é"}`) + chunk(`{"text":"äb"}`) + last(`,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"u","title":"t"}},{"web":{"uri":"v"}}],"groundingSupports":[{"segment":{"startIndex":4,"endIndex":5,"text":"b"},"groundingChunkIndices":[0]},{"segment":{"startIndex":2,"endIndex":5,"text":"äb"},"groundingChunkIndices":[1]}]}`),
		},
		{
			"a refusal without a word",
			[]wire.Event{start, {Kind: wire.EventFinish, Finish: wire.FinishPolicy, Native: "refusal", Explanation: "no"}, end},
			frame(`{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"no"},` + names),
		},
		{
			"probabilities",
			[]wire.Event{start, open(wire.TextBlock, 0), {Kind: wire.EventDelta, Text: []byte("a"), LogProbs: []byte(`{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1,"bytes":[98]}]}],"refusal":null}`)}, shut(0), stop, end},
			frame(`{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0,"logprobsResult":{"topCandidates":[{"candidates":[{"token":"b","logProbability":-1}]}],"chosenCandidates":[{"token":"a","logProbability":-0.5}]}}],`+names) + last(""),
		},
		{
			"an error ends it",
			[]wire.Event{start, open(wire.TextBlock, 0), delta("a", 0), {Kind: wire.EventFail, Failure: &wire.Failure{Kind: wire.KindTimeout, Message: "late"}}},
			chunk(`{"text":"a"}`) + frame(`{"error":{"code":504,"message":"late","status":"DEADLINE_EXCEEDED"}}`),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(recode(tt.events))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFinishReasons(t *testing.T) {
	for word, want := range map[string]wire.Finish{
		"STOP": wire.FinishStop, "MAX_TOKENS": wire.FinishLength, "CONTINUATION": wire.FinishLength, "SAFETY": wire.FinishPolicy, "RECITATION": wire.FinishPolicy,
		"BLOCKLIST": wire.FinishPolicy, "SPII": wire.FinishPolicy, "LANGUAGE": wire.FinishPolicy, "IMAGE_SAFETY": wire.FinishPolicy, "OTHER": wire.FinishStop,
		"MALFORMED_FUNCTION_CALL": wire.FinishBroken, "UNEXPECTED_TOOL_CALL": wire.FinishBroken, "TOO_MANY_TOOL_CALLS": wire.FinishBroken,
	} {
		body := `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"` + word + `"}]}`
		res, err := gemini.Codec{}.DecodeResponse([]byte(body))
		if err != nil || res.Choices[0].Finish != want || res.Choices[0].Native != word {
			t.Errorf("%s: %+v, %v", word, res, err)
		}
		again, err := gemini.Codec{}.DecodeResponse(gemini.Codec{}.EncodeResponse(nil, res, &wire.Reply{}))
		if diff := cmp.Diff(res, again); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	for finish, want := range map[wire.Finish]string{
		wire.FinishString: "STOP", wire.FinishWindow: "MAX_TOKENS", wire.FinishTools: "STOP", wire.FinishPause: "STOP", wire.FinishPolicy: "SAFETY", wire.FinishBroken: "MALFORMED_FUNCTION_CALL",
	} {
		res := &wire.Response{Choices: []wire.Choice{{Finish: finish, Native: "theirs", Blocks: []wire.Block{text("a")}}}}
		doc, err := wire.ParseDoc(gemini.Codec{}.EncodeResponse(nil, res, &wire.Reply{}))
		if err != nil || doc.StrAt(doc.Root, "candidates", "0", "finishReason") != want {
			t.Errorf("%d: %s, %v", finish, doc.Data, err)
		}
	}
}

func TestArray(t *testing.T) {
	var a gemini.Array
	got := a.Append(nil, []byte(frame(`{"a":1}`)+"data: {\"b\":2}\n\n"))
	got = a.Append(got, nil)
	got = a.Append(got, []byte(frame(`{"c":3}`)))
	if got = a.Close(got); string(got) != "[{\"a\":1},\r\n{\"b\":2},\r\n{\"c\":3}]\r\n" {
		t.Errorf("%q", got)
	}
	if empty := new(gemini.Array).Close(nil); string(empty) != "[]\r\n" {
		t.Errorf("%q", empty)
	}
}

func deltas(n int) []byte {
	var b []byte
	for range n {
		b = append(b, frame(`{"candidates": [{"content": {"parts": [{"text": " and so on"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 8,"candidatesTokenCount": 16,"totalTokenCount": 52,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 8}],"thoughtsTokenCount": 28},"modelVersion": "gemini-3-flash","responseId": "J3dHapyWENS3g8UPyrefuAE"}`)...)
	}
	return append(b, frame(finish)...)
}

func events(b *testing.B) []sse.Event {
	b.Helper()
	reader := sse.NewReader(&reader{data: deltas(1000)}, 0)
	var list []sse.Event
	for {
		var ev sse.Event
		if reader.Next(&ev) != nil {
			return list
		}
		ev.Data = append([]byte(nil), ev.Data...)
		ev.Raw = nil
		list = append(list, ev)
	}
}

type reader struct{ data []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func BenchmarkStream(b *testing.B) {
	list := events(b)
	for _, encode := range []bool{false, true} {
		name := "decode"
		if encode {
			name = "decode and encode"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			dst := make([]byte, 0, 4096)
			for b.Loop() {
				decoder, encoder := gemini.Codec{}.StreamDecoder(), gemini.Codec{}.StreamEncoder(reply)
				emit := func(ev *wire.Event) {
					if encode {
						dst = encoder.Encode(dst[:0], ev)
					}
				}
				for i := range list {
					if err := decoder.Decode(&list[i], emit); err != nil {
						b.Fatal(err)
					}
				}
				decoder.End(emit)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/event")
		})
	}
}
