package simulator

import (
	"encoding/json"
	"io"
	"net/http"
)

type messagesRequest struct {
	MaxTokens *int    `json:"max_tokens"`
	System    content `json:"system"`
	Messages  []struct {
		Role    string  `json:"role"`
		Content content `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Description string          `json:"description"`
		InputSchema json.RawMessage `json:"input_schema"`
	} `json:"tools"`
	ToolChoice *struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Disabled bool   `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	OutputConfig struct {
		Format *outputFormat `json:"format"`
	} `json:"output_config"`
	OutputFormat  *outputFormat `json:"output_format"` // the beta's older place
	StopSequences []string      `json:"stop_sequences"`
	Stream        bool          `json:"stream"`
}

type outputFormat struct {
	Schema json.RawMessage `json:"schema"`
}

func (r *messagesRequest) validate() *failure {
	switch {
	case r.Messages == nil:
		return missing(anthropic, "messages")
	case len(r.Messages) == 0:
		return invalid("messages", "", "messages: at least one message is required")
	}
	return nil
}

func (x *exchange) messagesPrompt(r *messagesRequest) *prompt {
	p := x.newPrompt()
	if len(r.System.texts) > 0 {
		p.message(x, "system", "", r.System)
	}
	for i := range r.Messages {
		p.message(x, r.Messages[i].Role, "", r.Messages[i].Content)
	}
	for _, t := range r.Tools {
		if t.Type == "" || t.Type == "custom" {
			p.offer(x, t.Name, t.Description, t.InputSchema)
		}
	}
	if c := r.ToolChoice; c != nil {
		p.parallel = !c.Disabled
		switch c.Type {
		case "any", "tool":
			p.choice = choice{mode: "required", name: c.Name}
		case "none":
			p.choice.mode = "none"
		}
	}
	for _, f := range []*outputFormat{r.OutputConfig.Format, r.OutputFormat} {
		if f != nil {
			p.structured, p.schema = true, f.Schema
		}
	}
	p.cap(r.MaxTokens)
	p.stops = r.StopSequences
	return p
}

func (x *exchange) countTokens(body []byte) (*http.Response, error) {
	var r messagesRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return x.fail(badJSON(anthropic, err))
	}
	if f := r.validate(); f != nil {
		return x.fail(f)
	}
	p := x.messagesPrompt(&r)
	return x.counted(format(nil, `{"input_tokens":?}`, p.tokens))
}

// counted answers at once: a count is no inference.
func (x *exchange) counted(body []byte) (*http.Response, error) {
	if x.dialect == openAI {
		body = indent(body)
	}
	h := x.header("application/json")
	x.limits(h, requestLimit-1)
	return x.respond(http.StatusOK, h, &whole{ctx: x.req.Context(), data: body, end: io.EOF}, len(body)), nil
}

func (x *exchange) messages(body []byte) (*http.Response, error) {
	var r messagesRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return x.fail(badJSON(anthropic, err))
	}
	switch f := r.validate(); {
	case f != nil:
		return x.fail(f)
	case r.MaxTokens == nil:
		return x.fail(missing(anthropic, "max_tokens"))
	case *r.MaxTokens < 0:
		return x.fail(belowMinimum(anthropic, "max_tokens", 0, *r.MaxTokens))
	}
	p := x.messagesPrompt(&r)
	m := &messageWriter{
		id: x.mint("msg_01", 22, alphabet, saltAnswer), model: x.model, input: p.tokens,
		answer: x.answer(p, 0), silent: x.do.noUsage,
	}
	if r.Stream {
		return x.events(messagesError, m.segments()...)
	}
	return x.whole(m.answer.tokens, m.body())
}

type messageWriter struct {
	id, model string
	input     int
	answer    answer
	silent    bool // no usage
}

func (m *messageWriter) stopReason() string {
	switch m.answer.finish {
	case finishLength:
		return "max_tokens"
	case finishCalls:
		return "tool_use"
	case finishSequence:
		return "stop_sequence"
	case finishRefusal:
		return "refusal"
	}
	return "end_turn"
}

// stop is the end of a message: of its body or of message_delta's delta.
func (m *messageWriter) stop() raw {
	dst := format(nil, `"stop_reason":?,"stop_sequence":?,"stop_details":`, m.stopReason(), orNull(m.answer.stop))
	if m.answer.finish == finishRefusal {
		return format(dst, `{"type":"refusal","category":null,"explanation":?}`, refusal)
	}
	return append(dst, "null"...)
}

// started is the usage of message_start and, with the final count, of a body.
func (m *messageWriter) started(output int) raw {
	if m.silent {
		return nil
	}
	return format(nil, `,"usage":{"input_tokens":?,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":?,"service_tier":"standard","inference_geo":"not_available"}`,
		m.input, output)
}

func (m *messageWriter) body() []byte {
	a := &m.answer
	dst := format(nil, `{"model":?,"id":?,"type":"message","role":"assistant","content":[`, m.model, m.id)
	switch {
	case len(a.calls) > 0:
		for i := range a.calls {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = format(dst, `{"type":"tool_use","id":?,"name":?,"input":?}`, a.calls[i].id, a.calls[i].name, object(join(a.calls[i].args)))
		}
	case m.hasText():
		dst = format(dst, `{"type":"text","text":?}`, join(a.text))
	}
	dst = append(append(dst, "],"...), m.stop()...)
	return append(append(dst, m.started(a.tokens)...), '}')
}

// hasText: a refusal has no content, nor has an answer of no tokens.
func (m *messageWriter) hasText() bool {
	return m.answer.finish != finishRefusal && m.answer.text.len() > 0
}

// object is the input of a call; one that the cap cut short is empty, since
// this place needs an object.
func object(args string) raw {
	if !json.Valid([]byte(args)) {
		return raw("{}")
	}
	return raw(args)
}
