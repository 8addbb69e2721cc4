package simulator

import (
	"encoding/json"
	"net/http"
)

type chatRequest struct {
	Messages []struct {
		Role      string  `json:"role"`
		Name      string  `json:"name"`
		Content   content `json:"content"`
		ToolCalls []struct {
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
		} `json:"tool_calls"`
	} `json:"messages"`
	Tools []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
	ToolChoice        json.RawMessage `json:"tool_choice"`
	ParallelToolCalls *bool           `json:"parallel_tool_calls"`
	ResponseFormat    *struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
	MaxTokens           *int       `json:"max_tokens"`
	MaxCompletionTokens *int       `json:"max_completion_tokens"`
	N                   *int       `json:"n"`
	Stop                stringList `json:"stop"`
	streamRequest
}

// streamRequest are the members of Chat and Completions about streaming.
type streamRequest struct {
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeUsage       bool  `json:"include_usage"`
		IncludeObfuscation *bool `json:"include_obfuscation"`
	} `json:"stream_options"`
}

// maxChoices is OpenAI's bound on n.
const maxChoices = 128

func (r *chatRequest) validate() *failure {
	switch {
	case r.Messages == nil:
		return missing(openAI, "messages")
	case len(r.Messages) == 0:
		return invalid("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	case r.MaxTokens != nil && *r.MaxTokens < 1:
		return belowMinimum(openAI, "max_tokens", 1, *r.MaxTokens)
	case r.MaxCompletionTokens != nil && *r.MaxCompletionTokens < 1:
		return belowMinimum(openAI, "max_completion_tokens", 1, *r.MaxCompletionTokens)
	}
	return validChoices(r.N)
}

func validChoices(n *int) *failure {
	switch {
	case n == nil:
	case *n < 1:
		return belowMinimum(openAI, "n", 1, *n)
	case *n > maxChoices:
		return invalid("n", "integer_above_max_value", "Invalid 'n': integer above maximum value. Expected a value <= 128.")
	}
	return nil
}

func (x *exchange) chatPrompt(r *chatRequest) *prompt {
	p := x.newPrompt()
	for i := range r.Messages {
		m := &r.Messages[i]
		for _, c := range m.ToolCalls {
			m.Content.texts = append(m.Content.texts, c.Function.Name, c.Function.Arguments)
		}
		p.message(x, m.Role, m.Name, m.Content)
	}
	for _, t := range r.Tools {
		if t.Type == "function" {
			p.offer(x, t.Function.Name, t.Function.Description, t.Function.Parameters)
		}
	}
	p.choice = parseChoice(r.ToolChoice)
	p.parallel = r.ParallelToolCalls == nil || *r.ParallelToolCalls
	if f := r.ResponseFormat; f != nil && f.Type != "text" {
		p.structured, p.schema = true, f.JSONSchema.Schema
	}
	p.cap(r.MaxTokens)
	p.cap(r.MaxCompletionTokens)
	p.stops = r.Stop
	return p
}

func (x *exchange) chat(body []byte) (*http.Response, error) {
	var r chatRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return x.fail(badJSON(openAI, err))
	}
	if f := r.validate(); f != nil {
		return x.fail(f)
	}
	p := x.chatPrompt(&r)
	n := 1
	if r.N != nil {
		n = *r.N
	}
	answers := make([]answer, n)
	for i := range answers {
		answers[i] = x.answer(p, i)
	}
	c := &chatWriter{
		id: x.mint("chatcmpl-", 29, alphabet, saltAnswer), created: x.start.Unix(), model: x.model,
		fingerprint: "fp_" + x.sim.fingerprint(), answers: answers, usage: x.usage(p, answers),
	}
	if r.Stream {
		c.stream(x, &r.streamRequest)
		return x.events(chatError, c.segments(r.StreamOptions.IncludeUsage && !x.do.noUsage)...)
	}
	return x.whole(longest(answers), c.body())
}

// longest is the number of tokens of the longest of the choices, which a model
// writes at the same time.
func longest(answers []answer) (n int) {
	for i := range answers {
		n = max(n, answers[i].tokens)
	}
	return n
}

// usage is the usage object of Chat and Completions; empty: not reported.
func (x *exchange) usage(p *prompt, answers []answer) raw {
	if x.do.noUsage {
		return nil
	}
	out := 0
	for i := range answers {
		out += answers[i].tokens
	}
	return format(nil, `{"prompt_tokens":?,"completion_tokens":?,"total_tokens":?,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		p.tokens, out, p.tokens+out)
}

func chatFinish(f finish) string {
	switch f {
	case finishLength:
		return "length"
	case finishCalls:
		return "tool_calls"
	}
	return "stop" // a refusal too: content_filter means another thing
}

type chatWriter struct {
	id, model, fingerprint string
	created                int64
	answers                []answer
	usage                  raw

	head, tail []byte // of every chunk, around its choices
	obfuscate  bool
}

func (c *chatWriter) body() []byte {
	dst := format(nil, `{"id":?,"object":"chat.completion","created":?,"model":?,"choices":[`, c.id, c.created, c.model)
	for i := range c.answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		a := &c.answers[i]
		dst = format(dst, `{"index":?,"message":{"role":"assistant",`, i)
		switch {
		case len(a.calls) > 0:
			dst = append(dst, `"content":null,"tool_calls":[`...)
			for j := range a.calls {
				if j > 0 {
					dst = append(dst, ',')
				}
				dst = format(dst, `{"id":?,"type":"function","function":{"name":?,"arguments":?}}`, a.calls[j].id, a.calls[j].name, join(a.calls[j].args))
			}
			dst = append(dst, `],"refusal":null`...)
		case a.finish == finishRefusal:
			dst = format(dst, `"content":null,"refusal":?`, join(a.text))
		default:
			dst = format(dst, `"content":?,"refusal":null`, join(a.text))
		}
		dst = format(dst, `,"annotations":[]},"logprobs":null,"finish_reason":?}`, chatFinish(a.finish))
	}
	dst = append(dst, ']')
	if len(c.usage) > 0 {
		dst = format(dst, `,"usage":?`, c.usage)
	}
	return format(dst, `,"service_tier":"default","system_fingerprint":?}`, c.fingerprint)
}

// fingerprint is a property of the simulator's configuration, as the real one
// is of the backend's.
func (s *Simulator) fingerprint() string {
	v := mix(s.cfg.Seed)
	var id []byte
	for range 10 {
		id = append(id, hexits[v%16])
		v /= 16
	}
	return string(id)
}
