package mock

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/bench/mark"
)

// dialect is how one API spells answers. In its texts \x00 stands for where the
// mark goes.
type dialect struct {
	suffix string // of the path
	whole  string // a whole answer

	open  string // events before the text
	piece string // an event with text
	close string // events after it
}

const place = "\x00"

var dialects = []*dialect{
	{
		suffix: "/chat/completions",
		whole: `{"id":"chatcmpl-BnchAAAAAAAAAAAAAAAAAAAAAAAAA","object":"chat.completion","created":1790000000,"model":"gpt-4.1-2025-04-14",` +
			`"choices":[{"index":0,"message":{"role":"assistant","content":"` + place + `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":250,"completion_tokens":90,"total_tokens":340,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
			`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},` +
			`"service_tier":"default","system_fingerprint":"fp_0123456789"}`,
		open:  chatChunk(`{"role":"assistant","content":"","refusal":null}`, "null", "null"),
		piece: chatChunk(`{"content":"`+place+`"}`, "null", "null"),
		close: chatChunk(`{}`, `"stop"`, "null") +
			"data: " + `{"id":"chatcmpl-BnchAAAAAAAAAAAAAAAAAAAAAAAAA","object":"chat.completion.chunk","created":1790000000,"model":"gpt-4.1-2025-04-14","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[],"usage":{"prompt_tokens":250,"completion_tokens":200,"total_tokens":450}}` + "\n\ndata: [DONE]\n\n",
	},
	{
		suffix: "/messages",
		whole: `{"id":"msg_01BenchAAAAAAAAAAAAAAAAAA","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"` + place + `"}],` +
			`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":250,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":90,"service_tier":"standard"}}`,
		open: "event: message_start\ndata: " + `{"type":"message_start","message":{"id":"msg_01BenchAAAAAAAAAAAAAAAAAA","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":250,"output_tokens":1}}}` + "\n\n" +
			"event: content_block_start\ndata: " + `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n",
		piece: "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + place + `"}}` + "\n\n",
		close: "event: content_block_stop\ndata: " + `{"type":"content_block_stop","index":0}` + "\n\n" +
			"event: message_delta\ndata: " + `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}}` + "\n\n" +
			"event: message_stop\ndata: " + `{"type":"message_stop"}` + "\n\n",
	},
	{
		suffix: "/responses",
		whole: `{"id":"resp_bench","object":"response","created_at":1790000000,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"model":"gpt-4.1-2025-04-14",` +
			`"output":[{"type":"message","id":"msg_bench","status":"completed","role":"assistant","content":[{"type":"output_text","text":"` + place + `","annotations":[]}]}],` +
			`"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"usage":{"input_tokens":250,"input_tokens_details":{"cached_tokens":0},"output_tokens":90,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":340},"metadata":{}}`,
		open: "event: response.created\ndata: " + `{"type":"response.created","sequence_number":0,"response":{"id":"resp_bench","object":"response","created_at":1790000000,"status":"in_progress","model":"gpt-4.1-2025-04-14","output":[]}}` + "\n\n" +
			"event: response.output_item.added\ndata: " + `{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_bench","status":"in_progress","role":"assistant","content":[]}}` + "\n\n" +
			"event: response.content_part.added\ndata: " + `{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_bench","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}` + "\n\n",
		piece: "event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_bench","output_index":0,"content_index":0,"delta":"` + place + `"}` + "\n\n",
		close: "event: response.completed\ndata: " + `{"type":"response.completed","sequence_number":4,"response":{"id":"resp_bench","object":"response","created_at":1790000000,"status":"completed","model":"gpt-4.1-2025-04-14","output":[],"usage":{"input_tokens":250,"output_tokens":200,"total_tokens":450}}}` + "\n\n",
	},
	{suffix: "/embeddings", whole: embedding()},
}

func chatChunk(delta, finish, usage string) string {
	return `data: {"id":"chatcmpl-BnchAAAAAAAAAAAAAAAAAAAAAAAAA","object":"chat.completion.chunk","created":1790000000,"model":"gpt-4.1-2025-04-14",` +
		`"service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}],"usage":` + usage + "}\n\n"
}

// embedding is an answer of about 17 KB: 1,536 numbers. It has no text, and the
// mark stands in the name of the model.
func embedding() string {
	var b strings.Builder
	b.WriteString(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[`)
	for i := range 1536 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%.7f", float64((i*7919)%2000-1000)/20000)
	}
	b.WriteString(`]}],"model":"` + place + `","usage":{"prompt_tokens":8,"total_tokens":8}}`)
	return b.String()
}

// head is what providers send around an answer: 18 fields with the three below.
const head = "Date: Mon, 21 Sep 2026 12:00:00 GMT\r\n" +
	"openai-organization: bench\r\nopenai-processing-ms: 412\r\nopenai-version: 2020-10-01\r\nopenai-project: proj_bench\r\n" +
	"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\nx-ratelimit-remaining-requests: 9999\r\n" +
	"x-ratelimit-remaining-tokens: 1999000\r\nx-ratelimit-reset-requests: 6ms\r\nx-ratelimit-reset-tokens: 30ms\r\n" +
	"x-request-id: req_0123456789abcdef0123456789abcdef\r\nstrict-transport-security: max-age=31536000; includeSubDomains; preload\r\n" +
	"cf-cache-status: DYNAMIC\r\nx-content-type-options: nosniff\r\nserver: cloudflare\r\n"

// template is a text with a place for a mark.
type template struct {
	text []byte
	at   int // where the mark begins
}

// newTemplate frames text, as a chunk or behind head, with pad bytes of filling.
func newTemplate(text string, pad int, frame func(body string) string) *template {
	filled := strings.Replace(text, place, string(make([]byte, mark.Size))+strings.Repeat(" word", pad/5+1)[:pad], 1)
	framed := []byte(frame(filled))
	at := max(bytes.IndexByte(framed, 0), 0)
	return &template{text: framed, at: at}
}

// with appends the text with its mark to dst.
func (t *template) with(dst []byte, m mark.Mark) []byte {
	dst = append(dst, t.text[:t.at]...)
	dst = mark.Append(dst, m)
	return append(dst, t.text[t.at+mark.Size:]...)
}

func chunked(body string) string {
	return strconv.FormatInt(int64(len(body)), 16) + "\r\n" + body + "\r\n"
}

func wholeAnswer(status string) func(string) string {
	return func(body string) string {
		return "HTTP/1.1 " + status + "\r\n" + head + "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
}

func streamHead(body string) string {
	return "HTTP/1.1 200 OK\r\n" + head + "Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}
