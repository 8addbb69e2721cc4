package form_test

import (
	"strings"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

func long(b testing.TB, op *wire.Operation, stream bool) *cache.Answer {
	b.Helper()
	res := &wire.Response{
		ID: "x", Model: "m", Created: 1700000000,
		Choices: []wire.Choice{{Blocks: []wire.Block{{Text: strings.Repeat("some words that say nothing much, ", 120)}}, Finish: wire.FinishStop, Native: "stop"}},
		Usage:   wire.Report{Usage: wire.Usage{Input: 10, Output: 900}, Reported: true},
	}
	a := &cache.Answer{Model: "m", Canonical: form.Marshal(res), Form: cache.Form{Operation: wire.Completions}}
	f, err := form.Convert(a, form.Want{Operation: op, Stream: stream, ID: "abc", Created: 1})
	if err != nil {
		b.Fatal(err)
	}
	return &cache.Answer{Model: "m", Usage: res.Usage.Usage, Form: f}
}

var bodies = map[*wire.Operation]string{
	wire.Chat:      `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
	wire.Responses: `{"model":"m","input":"hi"}`,
	wire.Messages:  `{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`,
}

func BenchmarkSame(b *testing.B) {
	for _, op := range []*wire.Operation{wire.Chat, wire.Responses} {
		for _, stream := range []bool{false, true} {
			a, body := long(b, op, stream), []byte(bodies[op])
			b.Run(name(op, stream), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := form.Convert(a, form.Want{Operation: op, Stream: stream, Body: body}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func name(op *wire.Operation, stream bool) string {
	if stream {
		return op.Name + "/stream"
	}
	return op.Name + "/whole"
}

// TestSameAllocatesNothing holds what hits are worth most for.
func TestSameAllocatesNothing(t *testing.T) {
	for _, op := range []*wire.Operation{wire.Chat, wire.Responses, wire.Messages} {
		for _, stream := range []bool{false, true} {
			a, body := long(t, op, stream), []byte(bodies[op])
			n := testing.AllocsPerRun(100, func() {
				if _, err := form.Convert(a, form.Want{Operation: op, Stream: stream, Body: body}); err != nil {
					t.Fatal(err)
				}
			})
			if n >= 1 {
				t.Errorf("%s: %v allocations", name(op, stream), n)
			}
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	for _, from := range []*wire.Operation{wire.Chat, wire.Messages} {
		for _, to := range []*wire.Operation{wire.Chat, wire.Responses, wire.Messages} {
			for _, stream := range []bool{false, true} {
				a := long(b, from, false)
				if from == to && !stream || doors.Codec(to) == nil {
					continue
				}
				b.Run(from.Name+"/"+name(to, stream), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if _, err := form.Convert(a, form.Want{Operation: to, Stream: stream, Body: []byte(bodies[to]), ID: "abc"}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
