package integration

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// door is one of the streaming front doors: how a client asks and how an
// upstream of its dialect answers.
type door struct {
	name      string
	provider  string
	model     string
	path      string
	dialect   wire.Dialect
	body      string // asks for a stream
	whole     string // asks for a whole answer
	prelude   string // events before the first content
	word      string // a content event with the text %s
	finish    string // events that end the answer, without its terminator
	hidden    string // the usage chunk that only Weir asked for
	end       string // the terminator; empty if the dialect has none
	ping      string // what a heartbeat of this door looks like
	answer    string // a whole answer
	failure   string // the upstream's own error event
	prompt    int64  // tokens of the prompt as Weir counts them
	preUsage  bool   // the prelude reports usage
	early     string // finish reason that a record has before the end
	finished  string // finish reason of a complete answer
	errorBody string // an error as a JSON object

	// base is the version prefix of the paths. wholePath is where a whole answer
	// is asked for, if not at path: then the model stands in the path too, and
	// the body has no member for it.
	base      string
	wholePath string

	// cap and sampling are the members that limit an answer and choose among
	// words, with a verb for the value, and capParam how errors name the first.
	cap, capParam, sampling string
}

// inPath reports whether the path says which model is meant and whether a
// stream is wanted.
func (d *door) inPath() bool { return d.wholePath != "" }

// pathOf is where body is sent.
func (d *door) pathOf(body string) string {
	if d.inPath() && body != d.body {
		return d.wholePath
	}
	return d.path
}

// version is the version prefix of the upstream's paths.
func (d *door) version() string {
	if d.base == "" {
		return "/v1"
	}
	return d.base
}

// other is how model is asked for in place of `m`.
func (d *door) other(model string) (path, body string) {
	if d.inPath() {
		return strings.Replace(d.wholePath, "/m:", "/"+model+":", 1), d.whole
	}
	return d.path, strings.Replace(d.whole, `"m"`, `"`+model+`"`, 1)
}

// rewritten are events as Weir writes those that it does not pass as they came.
func rewritten(stream string) string { return strings.ReplaceAll(stream, "\r\n", "\n") }

const requestID = "req-test-1"

// words are n content events.
func (d *door) words(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, d.word, fmt.Sprintf(" word%d", i))
	}
	return b.String()
}

// stream is a complete answer with n words as the upstream sends it.
func (d *door) stream(n int) string {
	return d.prelude + d.words(n) + d.finish + d.hidden + d.end
}

// shown is the same as the client sees it.
func (d *door) shown(n int) string {
	return d.prelude + d.words(n) + d.finish + d.end
}

// errorEvent is Weir's own error event after n words.
func (d *door) errorEvent(e *gateway.Error, n int) string {
	f := e.Failure(requestID)
	switch d.name {
	case "chat":
		return "data: " + string(wire.ErrorBody(wire.OpenAI, f)) + "\n\n"
	case "messages":
		return "event: error\ndata: " + string(wire.ErrorBody(wire.Anthropic, f)) + "\n\n"
	case "gemini":
		return "data: " + string(wire.ErrorBody(wire.Gemini, f)) + "\r\n\r\n"
	default:
		return fmt.Sprintf("event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":%d,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"failed\",\"model\":\"gpt-4o\",\"output\":[],\"usage\":null,\"incomplete_details\":null,\"error\":{\"code\":%q,\"message\":%q}}}\n\n",
			d.sequence(n)+1, e.Kind.OpenAICode(), e.Message)
	}
}

// sequence is the number of the last event after n words.
func (d *door) sequence(n int) int {
	if n == 0 {
		return 3
	}
	return 4 // the word events of these tests all have this number
}

func (d *door) String() string { return d.name }

func chunk(choices string) string {
	return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":` + choices + "}\n\n"
}

func candidate(members string) string {
	return `data: {"candidates":[{` + members + `,"index":0}],"modelVersion":"gemini-2.5-flash","responseId":"resp-1"`
}

func named(name, data string) string {
	return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + data + "}\n\n"
}

var doors = []*door{
	{
		name: "chat", provider: "openai", model: "gpt-4o", path: "/v1/chat/completions", dialect: wire.OpenAI,
		body:    `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		whole:   `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		prelude: chunk(`[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]`),
		word:    chunk(`[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]`),
		finish:  chunk(`[{"index":0,"delta":{},"finish_reason":"stop"}]`),
		hidden:  chunk(`[],"usage":{"prompt_tokens":21,"completion_tokens":7,"total_tokens":28}`),
		end:     "data: [DONE]\n\n", ping: ": keep-alive\n\n",
		answer:    `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":21,"completion_tokens":7,"total_tokens":28}}`,
		failure:   `data: {"error":{"message":"it broke","type":"server_error","param":null,"code":null}}` + "\n\n",
		errorBody: `{"error":{"message":"it broke","type":"server_error","param":null,"code":null}}`,
		prompt:    8, finished: "stop",
		base: "/v1", cap: `"max_completion_tokens":%d`, capParam: "max_completion_tokens", sampling: `"temperature":%s`,
	},
	{
		name: "responses", provider: "openai", model: "gpt-4o", path: "/v1/responses", dialect: wire.OpenAI,
		body:  `{"model":"m","stream":true,"input":"hi"}`,
		whole: `{"model":"m","input":"hi"}`,
		prelude: named("response.created", `,"sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt-4o","output":[],"usage":null,"error":null}`) +
			named("response.in_progress", `,"sequence_number":1,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt-4o","output":[],"usage":null,"error":null}`) +
			named("response.output_item.added", `,"sequence_number":2,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}`) +
			named("response.content_part.added", `,"sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`),
		word:      named("response.output_text.delta", `,"sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"%s"`),
		finish:    named("response.output_text.done", `,"sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"text":"…"`),
		end:       named("response.completed", `,"sequence_number":6,"response":{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o","output":[],"usage":{"input_tokens":21,"output_tokens":7,"total_tokens":28},"error":null}`),
		ping:      ": keep-alive\n\n",
		answer:    `{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o","output":[],"usage":{"input_tokens":21,"output_tokens":7,"total_tokens":28},"error":null}`,
		failure:   named("error", `,"sequence_number":5,"code":"server_error","message":"it broke","param":null`),
		errorBody: `{"error":{"message":"it broke","type":"server_error","param":null,"code":null}}`,
		prompt:    8, early: "in_progress", finished: "completed",
		base: "/v1", cap: `"max_output_tokens":%d`, capParam: "max_output_tokens", sampling: `"temperature":%s`,
	},
	{
		name: "messages", provider: "anthropic", model: "claude-sonnet-4-5", path: "/v1/messages", dialect: wire.Anthropic,
		body:  `{"model":"m","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`,
		whole: `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`,
		prelude: named("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":21,"output_tokens":1}}`) +
			named("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`) +
			"event: ping\ndata: {\"type\": \"ping\"}\n\n",
		word: named("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"%s"}`),
		finish: named("content_block_stop", `,"index":0`) +
			named("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}`),
		end: named("message_stop", ""), ping: "event: ping\ndata: {\"type\":\"ping\"}\n\n",
		answer:    `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":21,"output_tokens":7}}`,
		failure:   `event: error` + "\n" + `data: {"type":"error","error":{"type":"api_error","message":"it broke"}}` + "\n\n",
		errorBody: `{"type":"error","error":{"type":"api_error","message":"it broke"}}`,
		prompt:    8, preUsage: true, finished: "end_turn",
		base: "/v1", cap: `"max_tokens":%d`, capParam: "max_tokens", sampling: `"temperature":%s`,
	},
	{
		name: "gemini", provider: "gemini", model: "gemini-2.5-flash", dialect: wire.Gemini, base: "/v1beta",
		path: "/v1beta/models/m:streamGenerateContent?alt=sse", wholePath: "/v1beta/models/m:generateContent",
		body:      `{"contents":[{"parts":[{"text":"hi"}],"role":"user"}] }`,
		whole:     `{"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}`,
		prelude:   candidate(`"content":{"parts":[{"text":""}],"role":"model"}`) + "}\r\n\r\n",
		word:      candidate(`"content":{"parts":[{"text":"%s"}],"role":"model"}`) + "}\r\n\r\n",
		finish:    candidate(`"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP"`) + `,"usageMetadata":{"promptTokenCount":21,"candidatesTokenCount":7,"totalTokenCount":28}}` + "\r\n\r\n",
		ping:      "data: {\"candidates\":[]}\r\n\r\n",
		answer:    `{"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":21,"candidatesTokenCount":7,"totalTokenCount":28},"modelVersion":"gemini-2.5-flash","responseId":"resp-1"}`,
		failure:   `data: {"error":{"code":500,"message":"it broke","status":"INTERNAL"}}` + "\r\n\r\n",
		errorBody: `{"error":{"code":500,"message":"it broke","status":"INTERNAL"}}`,
		prompt:    3, finished: "STOP",
		cap: `"generationConfig":{"maxOutputTokens":%d}`, capParam: "generationConfig.maxOutputTokens", sampling: `"generationConfig":{"temperature":%s}`,
	},
}
