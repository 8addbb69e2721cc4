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
