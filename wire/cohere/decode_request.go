package cohere

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// DecodeRequest reads a body of v2/chat.
func (Codec) DecodeRequest(body []byte) (*wire.Request, error) {
	doc, ok := wire.RequestDoc(body)
	if !ok {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"}
	}
	r := &reader{Doc: doc, req: &wire.Request{Texts: doc.Texts, Dialect: wire.Cohere, Spelling: map[string]string{"top_p": "p", "top_k": "k", "stop": "stop_sequences", "reasoning_effort": "thinking"}}}
	for name, v := range r.Members(r.Root) {
		r.member(name, v)
	}
	if r.failure != nil {
		return nil, r.failure
	}
	r.req.Normalize()
	return r.req, nil
}

type reader struct {
	*wire.Doc
	req     *wire.Request
	failure *wire.Failure
}

func (r *reader) fail(param, message string) {
	if r.failure == nil {
		r.failure = &wire.Failure{Kind: wire.KindInvalid, Param: param, Message: message}
	}
}

func at(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

func (r *reader) member(name string, v jsonscan.Value) {
	req := r.req
	switch name {
	case "model":
		req.Model = r.Str(v)
	case "messages":
		r.messages(v)
	case "tools":
		r.tools(v)
	case "tool_choice":
		switch r.Str(v) {
		case "REQUIRED":
			req.ToolChoice.Mode = "required"
		case "NONE":
			req.ToolChoice.Mode = "none"
		}
	case "strict_tools":
		// Each tool carries it; the tools may come later.
	case "response_format":
		if r.StrAt(v, "type") == "json_object" {
			req.Format.Kind = "json_object"
			if schema := r.RawAt(v, "json_schema"); schema != "" {
				req.Format.Kind, req.Format.Schema = "json_schema", schema
			}
		}
	case "max_tokens":
		req.MaxTokens = r.Int(v)
	case "stop_sequences":
		req.Stop = r.Strings(v)
	case "temperature":
		req.Temperature = r.Num(v)
	case "p":
		req.TopP = r.Num(v)
	case "k":
		req.TopK = r.Num(v)
	case "seed":
		req.Seed = r.Num(v)
	case "frequency_penalty":
		req.FrequencyPenalty = r.Num(v)
	case "presence_penalty":
		req.PresencePenalty = r.Num(v)
	case "stream":
		req.Stream = r.Bool(v)
	case "thinking":
		req.Reasoning.Mode = "on"
		if r.StrAt(v, "type") == "disabled" {
			req.Reasoning.Mode = "off"
		}
		req.Reasoning.Budget = r.IntAt(v, "token_budget")
	default:
		if raw := r.Raw(v); raw != "" && raw != "[]" {
			req.Extra = append(req.Extra, wire.Extra{Name: strings.Clone(name), Raw: raw})
		}
	}
}

func (r *reader) tools(v jsonscan.Value) {
	strict := r.Tri(r.Get(r.Root, "strict_tools"))
	i := 0
	for t := range r.Elements(v) {
		f := r.Get(t, "function")
		tool := wire.Tool{Name: r.StrAt(f, "name"), Description: r.StrAt(f, "description"), Schema: r.RawAt(f, "parameters"), Strict: strict}
		if tool.Name == "" {
			r.fail(at("tools", i)+".function.name", "'"+at("tools", i)+".function.name' is required")
		}
		r.req.Tools = append(r.req.Tools, tool)
		i++
	}
}

func (r *reader) messages(v jsonscan.Value) {
	if v.Kind != jsonscan.Array {
		r.fail("messages", "'messages' must be an array")
	}
	i := 0
	for e := range r.Elements(v) {
		param := at("messages", i)
		i++
		content := r.Get(e, "content")
		switch role := r.StrAt(e, "role"); role {
		case "system":
			blocks := withoutEmpty(r.content(param, content))
			if len(r.req.Messages) == 0 {
				r.req.System = append(r.req.System, blocks...)
			} else {
				r.add(wire.RoleSystem, blocks)
			}
		case "user":
			r.add(wire.RoleUser, withoutEmpty(r.content(param, content)))
		case "assistant", "chatbot":
			r.add(wire.RoleAssistant, r.assistant(param, e, content))
		case "tool":
			r.add(wire.RoleUser, []wire.Block{{Type: wire.ResultBlock, Result: &wire.Result{CallID: r.StrAt(e, "tool_call_id"), Content: withoutEmpty(r.content(param, content))}}})
		default:
			r.fail(param+".role", "'"+param+".role' must be system, user, assistant or tool")
		}
	}
}

func (r *reader) add(role wire.Role, blocks []wire.Block) {
	r.req.Messages = append(r.req.Messages, wire.Message{Role: role, Blocks: blocks})
}

// withoutEmpty leaves out texts without a character, which clients of this
// vendor put before calls.
func withoutEmpty(blocks []wire.Block) []wire.Block {
	return slices.DeleteFunc(blocks, func(b wire.Block) bool { return b.Type == wire.TextBlock && b.Text == "" })
}

// assistant reads a message of the model, as a request or an answer has it.
func (r *reader) assistant(param string, m, content jsonscan.Value) []wire.Block {
	var blocks []wire.Block
	if plan := r.StrAt(m, "tool_plan"); plan != "" {
		blocks = append(blocks, wire.Block{Type: wire.ThinkingBlock, Text: plan})
	}
	first := len(blocks)
	blocks = append(blocks, r.content(param, content)...)
	for c := range r.Elements(r.Get(m, "citations")) {
		r.cite(c, blocks, first)
	}
	for c := range r.Elements(r.Get(m, "tool_calls")) {
		blocks = append(blocks, wire.Block{Type: wire.CallBlock, Call: &wire.Call{
			ID: r.StrAt(c, "id"), Name: r.StrAt(c, "function", "name"), Arguments: r.arguments(r.Get(c, "function", "arguments")),
		}})
	}
	return withoutEmpty(blocks)
}

// arguments reads a call's arguments, which are null or "null" when there are
// none.
func (r *reader) arguments(v jsonscan.Value) string {
	text := r.Raw(v)
	if v.Kind == jsonscan.String {
		text = r.Str(v)
	}
	if text == "" || text == "null" {
		return "{}"
	}
	return text
}

// content reads a string or an array of parts. Blocks keep the places of the
// parts, which citations count.
func (r *reader) content(param string, v jsonscan.Value) []wire.Block {
	if v.Kind == jsonscan.String {
		if text := r.Str(v); text != "" {
			return []wire.Block{{Type: wire.TextBlock, Text: text}}
		}
		return nil
	}
	if v.Kind != jsonscan.Array && v.Kind != jsonscan.Null && v.Kind != jsonscan.Invalid {
		r.fail(param+".content", "'"+param+".content' must be a string or an array")
	}
	var blocks []wire.Block
	for part := range r.Elements(v) {
		switch r.StrAt(part, "type") {
		case "text":
			blocks = append(blocks, wire.Block{Type: wire.TextBlock, Text: r.StrAt(part, "text")})
		case "thinking":
			blocks = append(blocks, wire.Block{Type: wire.ThinkingBlock, Text: r.StrAt(part, "thinking")})
		case "image_url":
			blocks = append(blocks, r.image(part))
		default:
			blocks = append(blocks, wire.Block{Type: wire.RawBlock, Vendor: wire.VendorCohere, Raw: r.Raw(part)})
		}
	}
	return blocks
}

func (r *reader) image(part jsonscan.Value) wire.Block {
	m := &wire.Media{URL: r.StrAt(part, "image_url", "url"), Detail: r.StrAt(part, "image_url", "detail")}
	if rest, ok := strings.CutPrefix(m.URL, "data:"); ok {
		if mime, data, ok := strings.Cut(rest, ";base64,"); ok {
			m.MIME, m.Data, m.URL = mime, data, ""
		}
	}
	return wire.Block{Type: wire.ImageBlock, Media: m}
}
