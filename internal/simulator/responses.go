package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
)

type responsesRequest struct {
	Input        json.RawMessage `json:"input"`
	Instructions content         `json:"instructions"`
	Tools        []struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"tools"`
	ToolChoice        json.RawMessage `json:"tool_choice"`
	ParallelToolCalls *bool           `json:"parallel_tool_calls"`
	MaxOutputTokens   *int            `json:"max_output_tokens"`
	Text              struct {
		Format *struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"text"`
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeObfuscation *bool `json:"include_obfuscation"`
	} `json:"stream_options"`
}

type responsesItem struct {
	Type      string  `json:"type"`
	Role      string  `json:"role"`
	Content   content `json:"content"`
	Name      string  `json:"name"`
	Arguments string  `json:"arguments"`
	Output    content `json:"output"`
}

func (x *exchange) responsesPrompt(r *responsesRequest) (*prompt, *failure) {
	p := x.newPrompt()
	if len(r.Instructions.texts) > 0 {
		p.message(x, "system", "", r.Instructions)
	}
	if len(r.Input) > 0 && r.Input[0] == '"' {
		var text content
		if err := json.Unmarshal(r.Input, &text); err != nil {
			return nil, badJSON(openAI, err)
		}
		p.message(x, "user", "", text)
	} else if len(r.Input) > 0 {
		var items []responsesItem
		if err := json.Unmarshal(r.Input, &items); err != nil {
			return nil, invalid("input", "invalid_type", "Invalid type for 'input': expected one of a string or an array of input items.")
		}
		for i := range items {
			p.item(x, &items[i])
		}
	}
	for _, t := range r.Tools {
		if t.Type == "function" {
			p.offer(x, t.Name, t.Description, t.Parameters)
		}
	}
	p.choice = parseChoice(r.ToolChoice)
	p.parallel = r.ParallelToolCalls == nil || *r.ParallelToolCalls
	if f := r.Text.Format; f != nil && f.Type != "text" {
		p.structured, p.schema = true, f.Schema
	}
	p.cap(r.MaxOutputTokens)
	return p, nil
}

func (p *prompt) item(x *exchange, m *responsesItem) {
	switch m.Type {
	case "", "message":
		p.message(x, m.Role, "", m.Content)
	case "function_call", "custom_tool_call":
		p.message(x, "assistant", "", content{texts: []string{m.Name, m.Arguments}})
	case "function_call_output", "custom_tool_call_output":
		p.message(x, "tool", "", m.Output)
	}
}

func (x *exchange) responseTokens(body []byte) (*http.Response, error) {
	_, p, f := x.readResponses(body)
	if f != nil {
		return x.fail(f)
	}
	return x.counted(format(nil, `{"object":"response.input_tokens","input_tokens":?}`, p.tokens))
}

func (x *exchange) readResponses(body []byte) (*responsesRequest, *prompt, *failure) {
	r := new(responsesRequest)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, nil, badJSON(openAI, err)
	}
	switch {
	case len(r.Input) == 0 || bytes.Equal(r.Input, null):
		return nil, nil, missing(openAI, "input")
	case r.MaxOutputTokens != nil && *r.MaxOutputTokens < 1:
		return nil, nil, belowMinimum(openAI, "max_output_tokens", 1, *r.MaxOutputTokens)
	}
	p, f := x.responsesPrompt(r)
	return r, p, f
}

func (x *exchange) responses(body []byte) (*http.Response, error) {
	r, p, f := x.readResponses(body)
	if f != nil {
		return x.fail(f)
	}
	w := &responsesWriter{
		x: x, id: x.mint("resp_", 48, hexits, saltAnswer), created: x.start.Unix(), answer: x.answer(p, 0),
		item: x.mint("msg_", 48, hexits, saltItem), obfuscate: r.StreamOptions.IncludeObfuscation == nil || *r.StreamOptions.IncludeObfuscation,
	}
	for i := range w.answer.calls {
		w.items = append(w.items, x.mint("fc_", 48, hexits, saltItem+1+uint64(i)))
	}
	if err := json.Unmarshal(body, &w.request); err != nil {
		return x.fail(badJSON(openAI, err))
	}
	if !x.do.noUsage {
		out := w.answer.tokens
		w.usage = format(nil, `{"input_tokens":?,"input_tokens_details":{"cached_tokens":0},"output_tokens":?,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":?}`, p.tokens, out, p.tokens+out)
	}
	if r.Stream {
		return x.events(w.failed, w.segments()...)
	}
	return x.whole(w.answer.tokens, w.object(nil, w.status(), w.output()))
}

type responsesWriter struct {
	x         *exchange
	id, item  string
	items     []string // ids of the calls
	created   int64
	answer    answer
	usage     raw
	request   map[string]json.RawMessage
	obfuscate bool
	sequence  int
}

func (w *responsesWriter) status() string {
	if w.answer.finish == finishLength {
		return "incomplete"
	}
	return "completed"
}

// echo is a member of the request, which a response repeats.
func (w *responsesWriter) echo(name, otherwise string) raw {
	v, ok := w.request[name]
	if !ok || bytes.Equal(v, null) {
		return raw(otherwise)
	}
	return compact(v)
}

// within is the same of a member of a member.
func (w *responsesWriter) within(outer, name, otherwise string) raw {
	var o map[string]json.RawMessage
	if json.Unmarshal(w.request[outer], &o) != nil {
		return raw(otherwise)
	}
	inner := responsesWriter{request: o}
	return inner.echo(name, otherwise)
}

// object appends the response object in the state that status names.
func (w *responsesWriter) object(dst []byte, status string, output raw) []byte {
	completed, failure, incomplete, usage, tier := null, null, null, null, raw(`"auto"`)
	switch status {
	case "completed":
		completed = format(nil, `?`, w.x.sim.cfg.Clock.Now().Unix())
	case "incomplete":
		incomplete = raw(`{"reason":"max_output_tokens"}`)
	case "failed":
		failure = format(nil, `{"code":"server_error","message":?}`, streamFailure.message)
	}
	if status != "in_progress" {
		tier = raw(`"default"`)
		if status != "failed" && len(w.usage) > 0 {
			usage = w.usage
		}
	}
	dst = format(dst, `{"id":?,"object":"response","created_at":?,"status":?,"background":false,"completed_at":?,"error":?,"frequency_penalty":0.0,"incomplete_details":?,"instructions":?,"max_output_tokens":?,"max_tool_calls":?,"model":?,"moderation":null,"output":?`,
		w.id, w.created, status, completed, failure, incomplete, w.echo("instructions", "null"), w.echo("max_output_tokens", "null"), w.echo("max_tool_calls", "null"), w.x.model, output)
	dst = format(dst, `,"parallel_tool_calls":?,"presence_penalty":0.0,"previous_response_id":?,"prompt_cache_key":?,"prompt_cache_retention":?,"reasoning":{"context":?,"effort":?,"summary":?},"safety_identifier":?,"service_tier":?,"store":?,"temperature":?,"text":{"format":?,"verbosity":?}`,
		w.echo("parallel_tool_calls", "true"), w.echo("previous_response_id", "null"), w.echo("prompt_cache_key", "null"), w.echo("prompt_cache_retention", "null"),
		w.within("reasoning", "context", "null"), w.within("reasoning", "effort", "null"), w.within("reasoning", "summary", "null"), w.echo("safety_identifier", "null"), tier, w.echo("store", "true"),
		w.echo("temperature", "1.0"), w.within("text", "format", `{"type":"text"}`), w.within("text", "verbosity", `"medium"`))
	return format(dst, `,"tool_choice":?,"tools":?,"top_logprobs":?,"top_p":?,"truncation":?,"usage":?,"user":?,"metadata":?}`,
		w.echo("tool_choice", `"auto"`), w.echo("tools", "[]"), w.echo("top_logprobs", "0"), w.echo("top_p", "1.0"), w.echo("truncation", `"disabled"`),
		usage, w.echo("user", "null"), w.echo("metadata", "{}"))
}

// output is the list of finished items.
func (w *responsesWriter) output() raw {
	if len(w.answer.calls) == 0 {
		return format(nil, `[?]`, w.message(w.status(), w.part(join(w.answer.text))))
	}
	dst := raw("[")
	for i := range w.answer.calls {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, w.call(i, w.callStatus(i), join(w.answer.calls[i].args))...)
	}
	return append(dst, ']')
}

// callStatus: the cap cuts the last call.
func (w *responsesWriter) callStatus(i int) string {
	if i < len(w.answer.calls)-1 {
		return "completed"
	}
	return w.status()
}

func (w *responsesWriter) message(status string, content raw) raw {
	return format(nil, `{"id":?,"type":"message","status":?,"content":[?],"role":"assistant"}`, w.item, status, content)
}

func (w *responsesWriter) part(text string) raw {
	if w.answer.finish == finishRefusal {
		return format(nil, `{"type":"refusal","refusal":?}`, text)
	}
	return format(nil, `{"type":"output_text","annotations":[],"logprobs":[],"text":?}`, text)
}

func (w *responsesWriter) call(i int, status, arguments string) raw {
	c := &w.answer.calls[i]
	return format(nil, `{"id":?,"type":"function_call","status":?,"arguments":?,"call_id":?,"name":?}`, w.items[i], status, arguments, c.id, c.name)
}
