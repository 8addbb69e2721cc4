package jsonscan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

var chatKeys = NewKeys("model", "stream", "stream_options", "max_tokens", "max_completion_tokens",
	"n", "user", "temperature", "tools", "messages")

const paragraph = "The weir measures the stream while it lets it pass; \\\"nothing\\\" is dammed for longer " +
	"than it must be.\\nEach line of the ledger is written once, whoever closes the connection first: " +
	"the client, the provider, or a reload in the middle of a sentence. Gr\u00fc\u00dfe aus M\u00fcnchen.\\n\\n"

// chatBody builds a chat request of about size bytes: messages of some hundred
// bytes to some kilobytes, tools, and the policy keys before and after them.
func chatBody(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"model":"gpt-4.1-mini","temperature":0.7,"stream":true,"messages":[` +
		`{"role":"system","content":"You are a careful assistant."}`)
	for i := 0; b.Len() < size-500; i++ {
		role := [2]string{"user", "assistant"}[i%2]
		n := min(1+i%9, (size-500-b.Len())/len(paragraph)+1)
		fmt.Fprintf(&b, `,{"role":%q,"content":"%s"}`, role, strings.Repeat(paragraph, n))
	}
	b.WriteString(`],"tools":[{"type":"function","function":{"name":"lookup","description":"Find a thing.",` +
		`"parameters":{"type":"object","properties":{"q":{"type":"string"},"k":{"type":"integer","minimum":1}},` +
		`"required":["q"]}}}],"max_tokens":512,"stream_options":{"include_usage":true},"user":"u-17"}`)
	return b.Bytes()
}

var sizes = []struct {
	name string
	size int
}{{"2KB", 2 << 10}, {"64KB", 64 << 10}, {"512KB", 512 << 10}}

func eachBody(b *testing.B, run func(body []byte)) {
	for _, s := range sizes {
		body := chatBody(s.size)
		b.Run(s.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				run(body)
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	var o Object
	eachBody(b, func(body []byte) {
		if err := Scan(body, chatKeys, DefaultLimits, &o); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	eachBody(b, func(body []byte) {
		if _, err := Parse(body); err != nil {
			b.Fatal(err)
		}
	})
}

// texts are what prompts are made of, 64 KB each.
var texts = []struct{ name, piece string }{
	{"english", strings.Repeat("words of one line and a few ", 3)[:79] + "\n"},
	{"code", "\tif err := json.Unmarshal(body, &v); err != nil {\n\t\treturn fmt.Errorf(\"reading: %w\", err)\n\t}\n"},
	{"chinese", "闸门在让水流过的同时测量它；没有什么被拦住的时间比必须的更长。\n"},
	{"base64", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg"},
}

func eachText(b *testing.B, run func(text string, spelled []byte)) {
	for _, t := range texts {
		text := strings.Repeat(t.piece, 64<<10/len(t.piece))
		spelled := append(AppendString([]byte(`{"a":`), text), '}')
		b.Run(t.name, func(b *testing.B) {
			b.SetBytes(int64(len(spelled)))
			b.ReportAllocs()
			for b.Loop() {
				run(text, spelled)
			}
		})
	}
}

func BenchmarkString(b *testing.B) {
	eachText(b, func(_ string, spelled []byte) { sink = uint64(endOfString(spelled, len(`{"a":"`))) })
}

func BenchmarkSkip(b *testing.B) {
	eachText(b, func(_ string, spelled []byte) { sink = uint64(skipString(spelled, len(`{"a":`))) })
}

func BenchmarkText(b *testing.B) {
	dst := make([]byte, 0, 1<<18)
	eachText(b, func(_ string, spelled []byte) {
		text, _ := Value{String, len(`{"a":`), len(spelled) - 1}.Text(spelled, dst)
		sink = uint64(len(text))
	})
}

func BenchmarkAppendString(b *testing.B) {
	dst := make([]byte, 0, 1<<18)
	eachText(b, func(text string, _ []byte) { sink = uint64(len(AppendString(dst, text))) })
}

// BenchmarkReadWords is the floor for a scan that looks at every byte.
func BenchmarkReadWords(b *testing.B) {
	eachBody(b, func(body []byte) {
		var sum uint64
		for w := body; len(w) >= 8; w = w[8:] {
			sum += binary.LittleEndian.Uint64(w)
		}
		sink = sum
	})
}

func BenchmarkReadBytes(b *testing.B) {
	eachBody(b, func(body []byte) {
		var sum uint64
		for _, c := range body {
			sum += uint64(c)
		}
		sink = sum
	})
}

func BenchmarkIndexByte(b *testing.B) {
	eachBody(b, func(body []byte) { sink = uint64(bytes.IndexByte(body, 0)) })
}

func BenchmarkEncodingJSONValid(b *testing.B) {
	eachBody(b, func(body []byte) {
		if !json.Valid(body) {
			b.Fatal("invalid")
		}
	})
}

func BenchmarkSplice(b *testing.B) {
	var o Object
	for _, s := range sizes {
		body := chatBody(s.size)
		if err := Scan(body, chatKeys, DefaultLimits, &o); err != nil {
			b.Fatal(err)
		}
		b.Run(s.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var dst []byte
			edits := make([]Edit, 1)
			for b.Loop() {
				edits[0] = o.SetEdit(body, 0, "model", []byte(`"gpt-4.1"`))
				dst = Splice(dst[:0], body, edits)
			}
		})
	}
}

var sink uint64
