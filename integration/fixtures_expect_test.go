package integration

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// expectation is what a recording should become for the client and in the
// ledger. It is worked out with nothing but the standard library.
type expectation struct {
	usage    wire.Usage
	reported bool
	finish   string

	// failed says that the answer reports an error inside itself.
	failed bool

	// The rest is for streams. events are what the client must get; bytes
	// are the very bytes, when the recording is clean.
	events []event
	bytes  []byte
	clean  bool

	// content says that something was shown before the error, and complete
	// that the stream ended as its dialect demands.
	content, complete bool
}

// event is an event of a stream as WHATWG's standard dispatches it.
type event struct{ Name, Data string }

// block is an event with the bytes that it was made of.
type block struct {
	event
	raw     []byte
	hasData bool
	clean   bool
}

// parseStream splits a stream by the standard's rules, slowly and plainly.
func parseStream(raw []byte) []block {
	rest, marked := bytes.CutPrefix(raw, []byte("\xef\xbb\xbf"))
	var (
		list  []block
		data  []string
		start = 0
		b     = block{clean: !marked}
	)
	dispatch := func(end int) {
		b.raw = rest[start:end]
		b.hasData = len(data) > 0
		b.Data = strings.Join(data, "\n")
		comment := bytes.HasPrefix(b.raw, []byte(":")) && b.Name == ""
		if !b.hasData && !comment || b.hasData && strings.TrimSpace(b.Data) == "" || isDone(b.Data) && (b.Data != "[DONE]" || b.Name != "") {
			b.clean = false
		}
		list = append(list, b)
		data, start, b = nil, end, block{clean: true}
	}
	for pos := 0; pos < len(rest); {
		line, next := rest[pos:], len(rest)
		if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
			next = pos + i + 1
			switch {
			case line[i] == '\r' && next < len(rest) && rest[next] == '\n':
				next++
			case line[i] == '\r':
				b.clean = false
			}
			line = line[:i]
		}
		pos = next
		if len(line) == 0 {
			dispatch(pos)
			continue
		}
		name, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "":
		case "event":
			b.Name = value
		case "data":
			data = append(data, value)
		default:
			b.clean = false
		}
	}
	if start < len(rest) { // what nothing ends
		b.clean = false
		dispatch(len(rest))
	}
	return list
}

func isDone(data string) bool { return strings.HasPrefix(strings.TrimSpace(data), "[DONE]") }

// object is a JSON value of unknown shape.
type object map[string]any

func parseObject(data []byte) object {
	var o object
	if json.Unmarshal(data, &o) != nil {
		return nil
	}
	return o
}

func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func (o object) object(path ...string) object {
	m, _ := o.at(path...).(map[string]any)
	return m
}

func (o object) text(path ...string) string {
	s, _ := o.at(path...).(string)
	return s
}

func (o object) list(path ...string) []any {
	l, _ := o.at(path...).([]any)
	return l
}

func (o object) count(path ...string) (int64, bool) {
	f, ok := o.at(path...).(float64)
	return int64(f), ok
}

// take returns the first of names that o has as a number.
func (o object) take(names ...string) (int64, bool) {
	for _, name := range names {
		if n, ok := o.count(name); ok {
			return n, true
		}
	}
	return 0, false
}

// expect works out what a recording should become. asked says that Weir asks
// for usage which the client did not want to see.
func expect(r *recording, stream, asked bool) *expectation {
	e := &expectation{}
	if !stream {
		e.answer(r.API, parseObject(r.Body))
		return e
	}
	e.clean = true
	for _, b := range parseStream(r.Body) {
		if e.complete && r.API != "responses" {
			break // nothing may follow the terminator
		}
		if b.hasData && !isDone(b.Data) && e.event(r.API, b) && asked {
			continue
		}
		if isDone(b.Data) {
			if b.Data = "[DONE]"; !e.complete {
				e.complete = r.API != "responses" && r.API != "messages"
			}
			b.Name = ""
		}
		if !b.clean {
			e.clean = false
		}
		e.bytes = append(e.bytes, b.raw...)
		if b.hasData && strings.TrimSpace(b.Data) != "" {
			e.events = append(e.events, b.event)
		}
	}
	if e.failed {
		e.complete = false
	} else if !e.complete && e.finish != "" && r.module() != "openai" && r.API != "responses" && r.API != "messages" {
		e.complete = true // compatible servers may leave out the terminator
	}
	return e
}

// event reads one event and reports whether it is nothing but usage.
func (e *expectation) event(api string, b block) (usageOnly bool) {
	o := parseObject([]byte(b.Data))
	switch api {
	case "messages":
		e.message(o)
	case "responses":
		e.response(o)
	default:
		usageOnly = e.chunk(o)
		if b.Name == "error" {
			e.failed = true
		}
	}
	return usageOnly
}

func (e *expectation) chunk(o object) (usageOnly bool) {
	if o["error"] != nil {
		e.failed = true
	}
	for _, c := range o.list("choices") {
		choice := object(c.(map[string]any))
		if f := choice.text("finish_reason"); f != "" {
			e.finish = f
		}
		delta := choice.object("delta")
		for name, v := range delta {
			if s, isText := v.(string); v != nil && name != "role" && name != "channel" && name != "obfuscation" && (!isText || s != "") && !e.failed {
				if l, isList := v.([]any); !isList || len(l) > 0 {
					e.content = true
				}
			}
		}
		if choice.text("text") != "" && !e.failed {
			e.content = true
		}
	}
	for _, u := range []object{o.object("x_groq", "usage"), o.object("usage")} {
		if u != nil {
			e.openaiUsage(u)
		}
	}
	return o.object("usage") != nil && len(o.list("choices")) == 0 && o["error"] == nil
}

func (e *expectation) message(o object) {
	switch o.text("type") {
	case "message_start":
		e.anthropicUsage(o.object("message", "usage"))
	case "message_delta":
		e.anthropicUsage(o.object("usage"))
		if f := o.text("delta", "stop_reason"); f != "" {
			e.finish = f
		}
	case "message_stop":
		e.complete = true
	case "error":
		e.failed = true
	case "content_block_start":
		b := o.object("content_block")
		if kind := b.text("type"); kind == "text" && b.text("text") == "" || kind == "thinking" && b.text("thinking") == "" {
			return
		}
		e.content = e.content || !e.failed
	case "content_block_delta":
		for _, v := range o.object("delta") {
			if s, ok := v.(string); ok && s != "" {
				e.content = e.content || !e.failed
			}
		}
	}
}

func (e *expectation) response(o object) {
	switch kind := o.text("type"); kind {
	case "response.created", "response.in_progress", "response.queued":
		e.responseObject(o.object("response"))
	case "response.completed", "response.incomplete":
		e.responseObject(o.object("response"))
		e.complete = true
	case "response.failed":
		e.responseObject(o.object("response"))
		e.failed = true
	case "error":
		e.failed = true
	case "response.output_item.added", "response.content_part.added", "response.reasoning_summary_part.added":
	default:
		e.content = e.content || !e.failed
	}
}

func (e *expectation) responseObject(o object) {
	if s := o.text("status"); s != "" {
		e.finish = s
	}
	if s := o.text("incomplete_details", "reason"); s != "" {
		e.finish = s
	}
	if o["error"] != nil {
		e.failed = true
	}
	if u := o.object("usage"); u != nil {
		e.openaiUsage(u)
	}
}

// answer reads a whole answer.
func (e *expectation) answer(api string, o object) {
	switch api {
	case "messages":
		e.failed = o.text("type") == "error"
		e.finish = o.text("stop_reason")
		e.anthropicUsage(o.object("usage"))
		return
	case "responses", "responses-compact":
		e.responseObject(o)
		return
	case "count-tokens", "input-tokens": // the answer, not what it cost
		return
	}
	e.failed = o["error"] != nil && o["object"] != "response"
	for _, c := range o.list("choices") {
		if f := object(c.(map[string]any)).text("finish_reason"); f != "" {
			e.finish = f
		}
	}
	if u := o.object("usage"); u != nil {
		e.openaiUsage(u)
	}
}

// openaiUsage reads the usage of OpenAI and of those who speak like it.
func (e *expectation) openaiUsage(u object) {
	var got wire.Usage
	input, hasInput := u.take("prompt_tokens", "input_tokens")
	output, hasOutput := u.take("completion_tokens", "output_tokens")
	total, hasTotal := u.take("total_tokens")
	if !hasInput && !hasOutput {
		if !hasTotal {
			return
		}
		input = total
	}
	got.Input, got.Output = input, output
	for _, details := range []string{"prompt_tokens_details", "input_tokens_details"} {
		d := u.object(details)
		read, _ := d.count("cached_tokens")
		write, _ := d.count("cache_write_tokens")
		got.CacheRead, got.CacheWrite = max(got.CacheRead, read), max(got.CacheWrite, write)
	}
	hit, _ := u.take("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
	got.CacheRead = max(got.CacheRead, hit)
	for _, details := range []string{"completion_tokens_details", "output_tokens_details"} {
		n, _ := u.object(details).count("reasoning_tokens")
		got.Reasoning = max(got.Reasoning, n)
	}
	// xAI leaves reasoning out of completion_tokens; the total tells.
	if got.Reasoning > 0 && total == input+output+got.Reasoning {
		got.Output += got.Reasoning
	}
	e.usage, e.reported = got, true
}

// anthropicUsage adds what a report names to what earlier ones did. Input is
// everything that was read, from the cache or into it.
func (e *expectation) anthropicUsage(u object) {
	if u == nil {
		return
	}
	plain := e.usage.Input - e.usage.CacheRead - e.usage.CacheWrite
	for name, field := range map[string]*int64{
		"input_tokens": &plain, "output_tokens": &e.usage.Output,
		"cache_read_input_tokens": &e.usage.CacheRead, "cache_creation_input_tokens": &e.usage.CacheWrite,
	} {
		if n, ok := u.count(name); ok {
			*field, e.reported = n, true
		}
	}
	if n, ok := u.count("output_tokens_details", "thinking_tokens"); ok {
		e.usage.Reasoning = n
	}
	e.usage.Input = plain + e.usage.CacheRead + e.usage.CacheWrite
}
