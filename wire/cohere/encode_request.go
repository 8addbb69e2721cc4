package cohere

import (
	"slices"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EncodeRequest writes a body of v2/chat.
func (Codec) EncodeRequest(dst []byte, req *wire.Request, loss *wire.Loss) ([]byte, error) {
	if err := wire.RefuseState(req); err != nil {
		return dst, err
	}
	e := &encoder{Writer: jsonw.Writer{B: append(dst, '{')}, req: req, loss: loss}
	e.Str("model", req.Model)
	e.tools()
	e.messages()
	e.documents()
	e.options()
	e.rest()
	e.End()
	if e.err != nil {
		return e.B[:len(dst)], e.err
	}
	return e.B, nil
}

type encoder struct {
	jsonw.Writer
	req  *wire.Request
	loss *wire.Loss
	docs []*wire.Media // to be cited from
	err  error
}

func (e *encoder) fail(what string) {
	if e.err == nil {
		e.err = wire.Unmappable("messages", what, where)
	}
}

// tools writes the tools and the choice. A named tool is the only one offered,
// and required: the vendor has no other form.
func (e *encoder) tools() {
	req := e.req
	choice := req.ToolChoice
	var tools []*wire.Tool
	strict := true
	for i := range req.Tools {
		t := &req.Tools[i]
		switch {
		case t.Raw != "":
			e.loss.Drop("tools[" + t.Name + "]")
			continue
		case choice.Allowed != nil && !slices.Contains(choice.Allowed, t.Name), choice.Mode == "named" && t.Name != choice.Name:
			continue
		}
		tools = append(tools, t)
		strict = strict && (t.Strict == wire.Yes && hasRequired(t.Schema) || req.Dialect == wire.Cohere && t.Strict == wire.Yes)
	}
	if len(tools) == 0 {
		if choice.Mode == "required" || choice.Mode == "named" {
			e.loss.Drop("tool_choice")
		}
		return
	}
	e.Key("tools")
	e.Array()
	for _, t := range tools {
		if t.Strict == wire.Yes && !strict {
			e.loss.Drop("tools[" + t.Name + "].strict")
		}
		e.tool(t)
	}
	e.EndArray()
	switch {
	case strict:
		e.Flag("strict_tools", true)
	case req.Dialect == wire.Cohere && tools[0].Strict == wire.No:
		e.Flag("strict_tools", false)
	}
	switch choice.Mode {
	case "required", "named":
		e.Str("tool_choice", "REQUIRED")
	case "none":
		e.Str("tool_choice", "NONE")
	}
	if req.ParallelTools == wire.No {
		e.loss.Drop("parallel_tool_calls")
	}
}

// hasRequired says whether a schema demands a member, as strict tools must.
func hasRequired(schema string) bool {
	data := []byte(schema)
	root, err := wire.ParseAnswer(data)
	return err == nil && jsonscan.Lookup(data, root, "required", "0").Exists()
}

func (e *encoder) tool(t *wire.Tool) {
	schema := t.Schema
	if t.Custom {
		schema = wire.CustomSchema
		if t.Grammar != "" {
			e.loss.Drop("tools[" + t.Name + "].format")
		}
	}
	if t.Cache != nil {
		e.loss.Drop("cache_control")
	}
	e.Object()
	e.Str("type", "function")
	e.Key("function")
	e.Object()
	e.Str("name", t.Name)
	e.StrIf("description", t.Description)
	e.RawMember("parameters", wire.ObjectSchema(schema))
	e.End()
	e.End()
}

// documents writes the texts that the client wants cited.
func (e *encoder) documents() {
	if len(e.docs) == 0 {
		return
	}
	e.Key("documents")
	e.Array()
	for _, m := range e.docs {
		e.Object()
		e.Key("data")
		e.Object()
		e.StrIf("title", m.Name)
		text, _ := documentText(m)
		e.Str("text", text)
		e.End()
		e.End()
	}
	e.EndArray()
}

func (e *encoder) options() {
	req := e.req
	e.NumIf("max_tokens", req.MaxTokens)
	e.RawIf("temperature", e.clamp("temperature", req.Temperature, 0, 1))
	// The vendor takes 0.01 to 0.99, and without p it means 0.75.
	if p, ok := req.TopP.Float(); ok && p == 1 {
		e.RawMember("p", "0.99")
	} else {
		e.RawIf("p", e.clamp("top_p", req.TopP, 0.01, 0.99))
	}
	e.RawIf("k", string(req.TopK))
	e.RawIf("seed", string(req.Seed))
	e.RawIf("frequency_penalty", e.clamp("frequency_penalty", req.FrequencyPenalty, 0, 1))
	e.RawIf("presence_penalty", e.clamp("presence_penalty", req.PresencePenalty, 0, 1))
	if len(req.Stop) > 0 {
		e.Key("stop_sequences")
		e.Array()
		for _, s := range req.Stop {
			e.String(s)
		}
		e.EndArray()
	}
	switch req.Format.Kind {
	case "json_object", "json_schema":
		e.Key("response_format")
		e.Object()
		e.Str("type", "json_object")
		e.RawIf("json_schema", req.Format.Schema)
		e.End()
	}
	e.thinking()
	if req.Stream {
		e.Flag("stream", true)
	}
}

// clamp keeps a number in the vendor's range, since it refuses others.
func (e *encoder) clamp(name string, n wire.Number, low, high float64) string {
	f, ok := n.Float()
	switch {
	case !ok || f >= low && f <= high:
		return string(n)
	case f < low:
		f = low
	default:
		f = high
	}
	e.loss.Drop(name)
	return formatFloat(f)
}

// thinking writes how a model that thinks is told to. The vendor knows on, off
// and a budget.
func (e *encoder) thinking() {
	r := e.req.Reasoning
	off := r.Mode == "off" || r.Mode == "" && r.Effort == "none"
	on := !off && (r.Mode != "" || r.Effort != "" || r.Budget != 0)
	if !on && !off {
		return
	}
	if !thinks(e.req.Model) && e.req.Dialect != wire.Cohere {
		if on {
			e.loss.Drop("reasoning_effort")
		}
		return
	}
	e.Key("thinking")
	e.Object()
	if off {
		e.Str("type", "disabled")
	} else {
		e.Str("type", "enabled")
		if r.Budget > 0 {
			e.Num("token_budget", r.Budget)
		} else if r.Effort != "" {
			e.loss.Drop("reasoning_effort") // the level, not the thinking
		}
	}
	e.End()
}

// rest writes what only this dialect has, and notes what has no place.
func (e *encoder) rest() {
	req := e.req
	if req.Dialect == wire.Cohere {
		for _, x := range req.Extra {
			if x.Name == "documents" && len(e.docs) > 0 {
				e.loss.Drop(x.Name)
				continue
			}
			e.String(x.Name)
			e.B = append(e.B, ':')
			e.Raw(x.Raw)
		}
	} else {
		e.loss.DropExtra(req)
	}
	marked := req.CacheAuto != nil
	for i := range req.Messages {
		marked = marked || slices.ContainsFunc(req.Messages[i].Blocks, func(b wire.Block) bool { return b.Cache != nil })
	}
	marked = marked || slices.ContainsFunc(req.System, func(b wire.Block) bool { return b.Cache != nil })
	if marked {
		e.loss.Drop("cache_control")
	}
	if tier := req.ServiceTier; tier != "" && tier != "auto" && tier != "default" {
		e.loss.Drop("service_tier")
	}
	e.loss.DropAsked(req, "n", "logit_bias", "logprobs", "top_logprobs", "verbosity", "modalities", "user", "metadata",
		"prompt_cache_key", "prompt_cache_options", "store")
}

// blank says whether a text says nothing.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
