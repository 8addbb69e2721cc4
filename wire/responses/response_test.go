package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/responses"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// reply is of a client that asked with body.
func reply(t testing.TB, body string) *wire.Reply {
	r := &wire.Reply{ID: "req1", Created: 1700000000, Model: "asked"}
	if body != "" {
		r.Request = decodeRequest(t, body)
	}
	return r
}

// sameResponse leaves out what only some vendors have.
var sameResponse = cmp.Options{
	cmpopts.IgnoreFields(wire.Report{}, "ServiceTier"),
	cmpopts.IgnoreFields(wire.Choice{}, "Native"),
}

func TestRecordedAnswersKeepTheirMeaning(t *testing.T) {
	for _, f := range answers(t, false) {
		t.Run(f.name, func(t *testing.T) {
			first, err := codec.DecodeResponse(f.body)
			if err != nil {
				t.Fatal(err)
			}
			var seen wire.Seen
			if err := (responses.Door{}).Observer().Answer(f.body, &seen); err != nil {
				t.Fatal(err)
			}
			if first.Usage.Usage != seen.Usage || first.ID != seen.ID || first.Model != seen.Model || len(first.Choices) != 1 {
				t.Errorf("%+v, observed %+v", first, seen)
			}
			encoded := codec.EncodeResponse(nil, first, reply(t, ""))
			if !json.Valid(encoded) || bytes.ContainsAny(encoded, "\n\r") && !bytes.ContainsAny(f.body, "\n\r") {
				t.Fatalf("no JSON of one line: %s", encoded)
			}
			second, err := codec.DecodeResponse(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if f.name == "openrouter/responses-basic" || first.ServiceTier == "" || second.ServiceTier == "default" {
				first.ServiceTier, second.ServiceTier = "", ""
			}
			if first.Created == 0 { // the reply's own stands in
				second.Created = 0
			}
			if first.Model == "" {
				second.Model = ""
			}
			if diff := cmp.Diff(first, second, sameResponse); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       wire.Response
	}{
		{"cut by the cap", `{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}`, wire.Response{Choices: []wire.Choice{{Finish: wire.FinishLength, Native: "max_output_tokens"}}}},
		{"filtered", `{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}`, wire.Response{Choices: []wire.Choice{{Finish: wire.FinishPolicy, Native: "content_filter"}}}},
		{"a word of tomorrow", `{"status":"steered","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}`, wire.Response{Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "steered", Blocks: []wire.Block{{Text: "a"}}}}}},
		{"refused", `{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}`, wire.Response{Choices: []wire.Choice{{Finish: wire.FinishPolicy, Native: "completed", Blocks: []wire.Block{{Type: wire.RefusalBlock, Text: "no"}}}}}},
		{"failed", `{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"output":[]}`, wire.Response{Failure: &wire.Failure{Kind: wire.KindRateLimit, Message: "slow"}}},
		{"cancelled", `{"status":"cancelled","output":[]}`, wire.Response{Failure: &wire.Failure{Kind: wire.KindUpstream, Message: "the upstream's response was cancelled"}}},
		{"too long", `{"error":{"code":"context_length_exceeded","message":"Your input exceeds the context window of this model"}}`, wire.Response{Failure: &wire.Failure{Kind: wire.KindContextLength, Message: "Your input exceeds the context window of this model"}}},
		{"log probabilities", `{"status":"completed","created_at":12.5,"output":[{"type":"message","content":[{"type":"output_text","text":"a","logprobs":[{"token":"a","logprob":-1}]}]}]}`, wire.Response{Created: 12, Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "completed", Blocks: []wire.Block{{Text: "a"}}, LogProbs: `{"content":[{"token":"a","logprob":-1}],"refusal":null}`}}}},
		{"log probabilities with holes", `{"status":"completed","created_at":12.5,"output":[{"type":"message","content":[{"type":"output_text","text":"a","logprobs":[null,{"token":"a","logprob":-1},null]}]}]}`, wire.Response{Created: 12, Choices: []wire.Choice{{Finish: wire.FinishStop, Native: "completed", Blocks: []wire.Block{{Text: "a"}}, LogProbs: `{"content":[{"token":"a","logprob":-1}],"refusal":null}`}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := codec.DecodeResponse([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, body := range []string{``, `[]`, `{`, `"a"`} {
		if _, err := codec.DecodeResponse([]byte(body)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

const askedBody = `{"model":"asked","input":"q","instructions":"be brief","temperature":0.70,
 "tools":[{"type":"function","name":"f","parameters":{"z":1,
 "a":2}}],"tool_choice":"auto","text":{"format":{"type":"json_schema","name":"n","schema":{}}},"reasoning":{"effort":"low"},"max_output_tokens":99,"metadata":{"k":"v"},"store":true}`

// everything is an answer with all that a Responses client can be given.
func everything() *wire.Response {
	return &wire.Response{
		ID: "msg_up", Model: "claude", Created: 1700000001,
		Usage: wire.Report{Reported: true, Usage: wire.Usage{Input: 10, Output: 5, CacheRead: 3, CacheWrite: 2, Reasoning: 1}},
		Choices: []wire.Choice{{Finish: wire.FinishTools, Native: "tool_use", Blocks: []wire.Block{
			{Type: wire.ThinkingBlock, Text: "hm", Signature: "sig", Vendor: wire.VendorAnthropic},
			{Text: "say \"hi\"", Citations: []wire.Citation{{URL: "https://x", Title: "X", Start: 1, End: 3}, {URL: "https://y", Title: "Y", End: 2}}},
			{Type: wire.RefusalBlock, Text: "no"},
			{Type: wire.CallBlock, Call: &wire.Call{ID: "toolu_1", Name: "f", Arguments: `{"a":1}`}},
			{Type: wire.CallBlock, Call: &wire.Call{Name: "f"}},
			{Type: wire.CallBlock, Call: &wire.Call{ID: "toolu_3", Name: "g", Arguments: "text", Custom: true}, Signature: "gs", Vendor: wire.VendorGemini},
		}}},
	}
}

func TestEncodeAnswer(t *testing.T) {
	golden(t, "answer.json", append(codec.EncodeResponse(nil, everything(), reply(t, askedBody)), '\n'))
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		finish  wire.Finish
		blocks  []wire.Block
		status  string
		details string
	}{
		{wire.FinishStop, nil, "completed", "null"},
		{wire.FinishString, nil, "completed", "null"},
		{wire.FinishPause, nil, "completed", "null"},
		{wire.FinishNone, nil, "completed", "null"},
		{wire.FinishLength, []wire.Block{{Text: "a"}}, "incomplete", `{"reason":"max_output_tokens"}`},
		{wire.FinishWindow, nil, "incomplete", `{"reason":"max_output_tokens"}`},
		{wire.FinishPolicy, nil, "incomplete", `{"reason":"content_filter"}`},
		{wire.FinishPolicy, []wire.Block{{Type: wire.RefusalBlock, Text: "no"}}, "completed", "null"},
		{wire.FinishBroken, nil, "failed", "null"},
	} {
		raw := codec.EncodeResponse(nil, &wire.Response{Choices: []wire.Choice{{Finish: tt.finish, Blocks: tt.blocks}}}, reply(t, ""))
		doc, err := wire.ParseDoc(raw)
		if err != nil {
			t.Fatal(err)
		}
		status, details := doc.StrAt(doc.Root, "status"), string(doc.Get(doc.Root, "incomplete_details").Raw(raw))
		if status != tt.status || details != tt.details {
			t.Errorf("finish %d: %s %s", tt.finish, status, details)
		}
		if tt.status == "incomplete" && len(tt.blocks) > 0 && doc.StrAt(doc.Root, "output", "0", "status") != "incomplete" {
			t.Errorf("finish %d: the message is complete: %s", tt.finish, raw)
		}
		if (doc.RawAt(doc.Root, "error") != "") != (tt.status == "failed") {
			t.Errorf("finish %d: %s", tt.finish, raw)
		}
	}
}

func FuzzDecodeResponse(f *testing.F) {
	for _, fx := range answers(f, false) {
		f.Add(fx.body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		res, err := codec.DecodeResponse(body)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		encoded := codec.EncodeResponse(nil, res, &wire.Reply{ID: "x"})
		if !json.Valid(encoded) {
			t.Fatalf("no JSON: %s", strings.ToValidUTF8(string(encoded), "?"))
		}
		if _, err := codec.DecodeResponse(encoded); err != nil {
			t.Error(err)
		}
	})
}
