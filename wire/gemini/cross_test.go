package gemini_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/wiretest"
)

// TestOthersAnswersSurvive takes an answer of another vendor to a client of
// Gemini, whole and streamed, and reads it back as that client would hold it.
func TestOthersAnswersSurvive(t *testing.T) {
	thinking := wire.Block{Type: wire.ThinkingBlock, Text: "hm", Signature: "s", Vendor: wire.VendorAnthropic}
	hidden := wire.Block{Type: wire.RedactedBlock, Signature: "d", Vendor: wire.VendorOpenAI, ID: "rs_1"}
	cited := wire.Block{Text: "naïve", Citations: []wire.Citation{{URL: "u", Title: "t", Text: "ïve", Start: 2, End: 5}}}
	res := &wire.Response{
		ID: "r", Model: "m", Usage: wire.Report{Usage: wire.Usage{Input: 9, Output: 5, CacheRead: 1, Reasoning: 2}, Reported: true, Details: wire.Details{InputAudio: 2, OutputAudio: 1, ToolInput: 3, ServiceTier: "default"}},
		ServiceTier: "default",
		Choices: []wire.Choice{{
			Finish: wire.FinishTools, Native: "STOP",
			Blocks:   []wire.Block{thinking, hidden, cited, call("toolu_1", "f", `{"a":[1,"b c"]}`), call("toolu_2", "g", "{}")},
			LogProbs: `{"content":[{"token":"ï","logprob":-0.5,"bytes":[195,175],"top_logprobs":[{"token":"i","logprob":-1e3,"bytes":[105]}]}],"refusal":null}`,
		}},
	}
	whole, err := gemini.Codec{}.DecodeResponse(gemini.Codec{}.EncodeResponse(nil, res, reply))
	if diff := cmp.Diff(res, whole); err != nil || diff != "" {
		t.Error(err, diff)
	}

	var events []wire.Event
	add := func(ev wire.Event) { events = append(events, ev) }
	add(wire.Event{Kind: wire.EventStart, ID: "r", Model: "m"})
	for i, b := range res.Choices[0].Blocks {
		open := wire.Event{Kind: wire.EventBlock, Index: i, Block: b.Type}
		words := b.Text
		if b.Call != nil {
			open.ID, open.Name, words = b.Call.ID, b.Call.Name, b.Call.Arguments
		}
		add(open)
		if words != "" {
			add(wire.Event{Kind: wire.EventDelta, Index: i, Text: []byte(words[:1])})
			add(wire.Event{Kind: wire.EventDelta, Index: i, Text: []byte(words[1:])})
		}
		if b.Signature != "" {
			add(wire.Event{Kind: wire.EventSignature, Index: i, Signature: b.Signature, Vendor: b.Vendor, ID: b.ID})
		}
		add(wire.Event{Kind: wire.EventBlockEnd, Index: i})
	}
	add(wire.Event{Kind: wire.EventUsage, Usage: &res.Usage})
	add(wire.Event{Kind: wire.EventFinish, Finish: wire.FinishTools})
	add(wire.Event{Kind: wire.EventEnd})
	streamed, _, err := wiretest.Collect(gemini.Codec{}.StreamDecoder(), recode(events), 11)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(res, streamed, cmpopts.IgnoreFields(wire.Choice{}, "LogProbs"), cmpopts.IgnoreFields(wire.Block{}, "Citations"), cmpopts.IgnoreFields(wire.Response{}, "ServiceTier")); diff != "" {
		t.Error(diff)
	}
}

// TestBlockedPromptSurvives: policy that left nothing is the prompt's.
func TestBlockedPromptSurvives(t *testing.T) {
	const body = `{"promptFeedback":{"blockReason":"JAILBREAK","blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":0,"totalTokenCount":3},"modelVersion":"m","responseId":"r"}`
	res, err := gemini.Codec{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.Choice{{Finish: wire.FinishPolicy, Native: "JAILBREAK", Explanation: "no"}}
	if diff := cmp.Diff(want, res.Choices); diff != "" {
		t.Error(diff)
	}
	if got := string(gemini.Codec{}.EncodeResponse(nil, res, reply)); got != body {
		t.Error(got)
	}
}

// TestCallsWithoutAReason: a client that is not told that tools are called
// goes on as if the answer was all.
func TestCallsWithoutAReason(t *testing.T) {
	for body, want := range map[string]wire.Finish{
		`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}`:                                                                                  wire.FinishTools,
		`[{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]},{"candidates":[{"finishReason":"MAX_TOKENS"}]},{"candidates":[{"content":{}}]}]`: wire.FinishLength,
	} {
		res, err := gemini.Codec{}.DecodeResponse([]byte(body))
		if err != nil || len(res.Choices) != 1 || res.Choices[0].Finish != want {
			t.Errorf("%s: %+v, %v", body, res, err)
		}
	}
}
