package form_test

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
)

const head = `{"id":"x","object":"chat.completion.chunk","created":7,"model":"gpt",`

func chatStream(events ...string) string {
	var b strings.Builder
	for _, ev := range events {
		b.WriteString("data: " + ev + "\n\n")
	}
	return b.String()
}

// TestUsageChunk adds and drops the chunk that clients have to ask for.
func TestUsageChunk(t *testing.T) {
	var (
		text    = head + `"choices":[{"index":0,"delta":{"role":"assistant","content":"hi \"usage\":{"},"finish_reason":null}],"usage":null}`
		finish  = head + `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`
		own     = head + `"choices":[ ],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4},"system_fingerprint":"fp"}`
		with    = chatStream(text, finish, own, "[DONE]")
		without = chatStream(text, finish, "[DONE]")
		usage   = wire.Usage{Input: 3, Output: 1, CacheRead: 2}
	)
	for _, tt := range []struct {
		name      string
		answer    cache.Answer
		body      string
		has, want bool
		now       string // empty: body
		op        *wire.Operation
	}{
		{name: "has it", body: with, has: true, want: true},
		{name: "has none", body: without},
		{name: "dropped", body: with, has: true, now: without},
		{name: "dropped with CRLF", body: strings.ReplaceAll(with, "\n", "\r\n"), has: true, now: strings.ReplaceAll(without, "\n", "\r\n")},
		{name: "nobody knows it", body: without, want: true},
		{
			name: "added", body: without, want: true, answer: cache.Answer{Usage: usage},
			now: chatStream(text, finish, head+`"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`, "[DONE]"),
		},
		{
			name: "added from the canonical answer", body: without, want: true,
			answer: cache.Answer{Usage: usage, Canonical: form.Marshal(&wire.Response{Usage: wire.Report{Usage: usage, Reported: true, Details: wire.Details{InputAudio: 5}}})},
			now:    chatStream(text, finish, head+`"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`, "[DONE]"),
		},
	} {
		for _, op := range []*wire.Operation{wire.Chat, wire.Completions} {
			t.Run(tt.name+"/"+op.Name, func(t *testing.T) {
				a := tt.answer
				a.Form = cache.Form{Operation: op, Stream: true, Usage: tt.has, Body: []byte(tt.body)}
				want := tt.now
				if want == "" {
					want = tt.body
				}
				if op == wire.Completions {
					want = strings.Replace(want, `"chat.completion.chunk","created":7,"model":"gpt","choices":[],`, `"text_completion","created":7,"model":"gpt","choices":[],`, 1)
				}
				got, err := form.Convert(&a, form.Want{Operation: op, Stream: true, Usage: tt.want})
				if err != nil {
					t.Fatal(err)
				}
				if string(got.Body) != want || got.Usage != tt.want || !got.Stream || got.Operation != op {
					t.Errorf("%+v\n%s\nnot\n%s", got, got.Body, want)
				}
				if string(a.Form.Body) != tt.body {
					t.Error("the kept bytes were changed")
				}
			})
		}
	}
}

// TestUsageOfRecordings drops the chunk of every recording that has one, and
// adds it again.
func TestUsageOfRecordings(t *testing.T) {
	n := 0
	for _, rec := range complete(t) {
		if rec.Op != wire.Chat && rec.Op != wire.Completions || !rec.Stream || usageOf(rec).IsZero() {
			continue
		}
		a := kept(rec)
		without, err := form.Convert(a, form.Want{Operation: rec.Op, Stream: true})
		if err != nil {
			t.Fatalf("%s: %v", rec.Name, err)
		}
		if len(without.Body) == len(rec.Answer) {
			continue // it came with the last content
		}
		n++
		a.Form = without
		with, err := form.Convert(a, form.Want{Operation: rec.Op, Stream: true, Usage: true})
		if err != nil {
			t.Fatalf("%s: %v", rec.Name, err)
		}
		if got := read(t, with).Usage.Usage; got != usageOf(rec) {
			t.Errorf("%s: %+v, not %+v", rec.Name, got, usageOf(rec))
		}
		if _, err := form.Check(with, nil); err != nil {
			t.Errorf("%s: %v", rec.Name, err)
		}
		again, err := form.Convert(&cache.Answer{Form: with}, form.Want{Operation: rec.Op, Stream: true})
		if err != nil || string(again.Body) != string(without.Body) {
			t.Errorf("%s: %v, other bytes:\n%s", rec.Name, err, again.Body)
		}
	}
	if n < 20 {
		t.Errorf("only %d streams", n)
	}
}
