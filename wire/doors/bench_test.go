package doors_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// prompt is size bytes of text, with a line end in each of some 80.
func prompt(size int) string {
	const line = `The weir measures the stream while it lets it pass; nothing is kept \"longer\".\n`
	return strings.Repeat(line, max(size/len(line), 1))
}

// BenchmarkRequest reads a client's request and writes the upstream's.
func BenchmarkRequest(b *testing.B) {
	for _, pair := range []struct {
		name     string
		from, to *wire.Operation
		body     string
	}{
		{"messages to chat", wire.Messages, wire.Chat, `{"model":"m","stream":false,"max_tokens":512,"messages":[{"role":"user","content":"%s"}]}`},
		{"blocks to chat", wire.Messages, wire.Chat, `{"model":"m","max_tokens":512,"system":[{"type":"text","text":"Be brief."},{"type":"text","text":"Be kind."}],"messages":[{"role":"user","content":[{"type":"text","text":"%s"},{"type":"text","text":"Go on."}]}]}`},
		{"chat to messages", wire.Chat, wire.Messages, `{"model":"m","max_tokens":512,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"%s"}]}`},
		{"chat to converse", wire.Chat, wire.Converse, `{"model":"m","max_tokens":512,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"%s"}]}`},
		{"responses to messages", wire.Responses, wire.Messages, `{"model":"m","max_output_tokens":512,"instructions":"Be brief.","input":"%s"}`},
		{"generateContent to chat", wire.GeminiGenerate, wire.Chat, `{"contents":[{"role":"user","parts":[{"text":"%s"}]}]}`},
	} {
		for _, size := range []int{1 << 10, 20 << 10, 200 << 10} {
			body := []byte(fmt.Sprintf(pair.body, prompt(size)))
			client, upstream := doors.Codec(pair.from), doors.Upstream(pair.to, doors.Options{})
			b.Run(fmt.Sprintf("%s/%dKB", pair.name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				var out []byte
				translate := func() {
					req, err := client.DecodeRequest(body)
					if err != nil {
						b.Fatal(err)
					}
					req.Model = "m"
					if out, err = upstream.EncodeRequest(out[:0], req, wire.NewLoss(req)); err != nil {
						b.Fatal(err)
					}
					req.Forget()
				}
				translate() // the memory that is used again
				for b.Loop() {
					translate()
				}
			})
		}
	}
}

// BenchmarkAnswer reads a whole answer as the relay does, and writes it for a
// client of another dialect.
func BenchmarkAnswer(b *testing.B) {
	text := prompt(600)
	chat := `{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4.1-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":"` + text + `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_44709d6fcb"}`
	message := `{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"` + text + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":2095,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":503}}`
	for _, pair := range []struct {
		from, to *wire.Operation
		body     string
	}{
		{wire.Chat, wire.Messages, chat},
		{wire.Messages, wire.Chat, message},
		{wire.Chat, wire.Responses, chat},
	} {
		body := []byte(pair.body)
		door := doors.Of(pair.from)
		b.Run("observe "+pair.from.Name+" for "+pair.to.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var seen wire.Seen
				if err := door.Observer().Answer(body, &seen); err != nil || !seen.Reported {
					b.Fatal(err)
				}
			}
		})
		upstream, client := doors.Upstream(pair.from, doors.Options{}), doors.Codec(pair.to)
		b.Run(pair.from.Name+" to "+pair.to.Name, func(b *testing.B) {
			b.ReportAllocs()
			reply := &wire.Reply{ID: "1", Created: 1, Model: "m", Request: &wire.Request{}}
			var out []byte
			for b.Loop() {
				res, err := upstream.DecodeResponse(body)
				if err != nil {
					b.Fatal(err)
				}
				out = client.EncodeResponse(out[:0], res, reply)
			}
		})
	}
}
