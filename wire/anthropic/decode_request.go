package anthropic

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// reader reads one request. Its first error wins.
type reader struct {
	*wire.Doc
	req *wire.Request
	err error
}

// DecodeRequest reads a client's request.
func (Codec) DecodeRequest(body []byte) (*wire.Request, error) {
	doc, ok := wire.RequestDoc(body)
	if !ok {
		return nil, &wire.Failure{Kind: wire.KindInvalid, Message: "the body must be a JSON object"}
	}
	r := reader{Doc: doc, req: &wire.Request{Texts: doc.Texts, Dialect: wire.Anthropic, IncludeUsage: true, Spelling: make(map[string]string)}}
	for name, v := range doc.Members(doc.Root) {
		if v.Kind != jsonscan.Null {
			r.member(name, v)
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	r.req.Normalize()
	return r.req, nil
}

func (r *reader) member(name string, v jsonscan.Value) {
	req := r.req
	switch name {
	case "model":
		req.Model = r.text(name, v)
	case "stream":
		if r.want(name, v, jsonscan.Bool) {
			req.Stream = r.Bool(v)
		}
	case "max_tokens":
		r.maxTokens(v)
	case "system":
		req.System = r.system(v)
	case "messages":
		r.messages(v)
	case "tools":
		r.tools(v)
	case "tool_choice":
		r.toolChoice(v)
	case "temperature":
		req.Temperature = r.number(name, v)
	case "top_p":
		req.TopP = r.number(name, v)
	case "top_k":
		req.TopK = r.number(name, v)
	case "stop_sequences":
		r.stop(v)
	case "thinking":
		r.thinking(v)
	case "output_config":
		r.outputConfig(v)
	case "output_format": // the beta's name of output_config.format
		r.format(name, v)
	case "metadata":
		r.metadata(v)
	case "service_tier":
		if req.ServiceTier = r.text(name, v); req.ServiceTier == "standard_only" {
			req.ServiceTier = "default"
		}
	case "cache_control":
		req.CacheAuto = r.cacheMark(v)
	case "thread", "container": // what the vendor keeps between turns
		if v.Kind != jsonscan.Null {
			req.State = append(req.State, wire.Extra{Name: strings.Clone(name), Raw: r.Raw(v)})
		}
	default:
		r.extra(strings.Clone(name), v)
	}
}

// maxTokens keeps a cap of 0, which warms the cache and has no counterpart.
func (r *reader) maxTokens(v jsonscan.Value) {
	n, ok := v.Int(r.Data)
	switch {
	case !ok || n < 0:
		r.fail("max_tokens", "'max_tokens' must be a whole number")
	case n == 0:
		r.extra("max_tokens", v)
	default:
		r.req.MaxTokens = n
	}
}

func (r *reader) stop(v jsonscan.Value) {
	if !r.want("stop_sequences", v, jsonscan.Array) {
		return
	}
	r.req.Spelling["stop"] = "stop_sequences"
	r.req.Stop = r.Strings(v)
}

func (r *reader) metadata(v jsonscan.Value) {
	if !r.want("metadata", v, jsonscan.ObjectKind) {
		return
	}
	for name, m := range r.Members(v) {
		switch {
		case name == "user_id" && m.Kind == jsonscan.String:
			r.req.User = r.Str(m)
			r.req.Spelling["user"] = "metadata.user_id"
		case m.Kind != jsonscan.Null:
			r.extra("metadata."+name, m)
		}
	}
}

// system reads a string or text blocks.
func (r *reader) system(v jsonscan.Value) []wire.Block {
	blocks := r.content(v, place{message: -1, block: -1, inner: -1})
	for i := range blocks {
		if blocks[i].Type != wire.TextBlock {
			r.fail("system", "'system' may hold text only")
			return nil
		}
	}
	return blocks
}

func (r *reader) messages(v jsonscan.Value) {
	if !r.want("messages", v, jsonscan.Array) {
		return
	}
	i := 0
	for m := range r.Elements(v) {
		at := place{message: i, block: -1, inner: -1}
		i++
		var role wire.Role
		switch said := r.Get(m, "role"); {
		case said.Is(r.Data, "user"):
			role = wire.RoleUser
		case said.Is(r.Data, "assistant"):
			role = wire.RoleAssistant
		case said.Is(r.Data, "system"):
			role = wire.RoleSystem
		default:
			r.fail(at.name("role"), "'"+at.name("role")+"' must be 'user', 'assistant' or 'system'")
			return
		}
		content := r.Get(m, "content")
		if content.Kind != jsonscan.String && content.Kind != jsonscan.Array {
			r.fail(at.name("content"), "'"+at.name("content")+"' must be a string or an array of blocks")
			return
		}
		blocks := r.content(content, at)
		if role == wire.RoleAssistant {
			blocks = claimSignatures(blocks)
		}
		r.req.Messages = append(r.req.Messages, wire.Message{Role: role, Blocks: blocks})
		if r.err != nil {
			return
		}
	}
}

// extra keeps a member that has no place in the canonical model.
func (r *reader) extra(name string, v jsonscan.Value) {
	r.req.Extra = append(r.req.Extra, wire.Extra{Name: name, Raw: r.Raw(v)})
}

func (r *reader) fail(param, message string) {
	if r.err == nil {
		r.err = &wire.Failure{Kind: wire.KindInvalid, Param: param, Message: message}
	}
}

func (r *reader) want(name string, v jsonscan.Value, kind jsonscan.Kind) bool {
	if v.Kind != kind {
		r.fail(name, fmt.Sprintf("'%s' must be of type %v, not %v", name, kind, v.Kind))
		return false
	}
	return true
}

func (r *reader) text(name string, v jsonscan.Value) string {
	if !r.want(name, v, jsonscan.String) {
		return ""
	}
	return r.Str(v)
}

func (r *reader) number(name string, v jsonscan.Value) wire.Number {
	r.want(name, v, jsonscan.Number)
	return r.Num(v)
}

// place is where a block stands in the client's request; -1 is not there.
// message -1 is the system prompt.
type place struct{ message, block, inner int }

func (p place) String() string {
	var s strings.Builder
	if p.message < 0 {
		s.WriteString("system")
		if p.block >= 0 {
			fmt.Fprintf(&s, "[%d]", p.block)
		}
		return s.String()
	}
	fmt.Fprintf(&s, "messages[%d]", p.message)
	if p.block >= 0 {
		fmt.Fprintf(&s, ".content[%d]", p.block)
	}
	if p.inner >= 0 {
		fmt.Fprintf(&s, ".content[%d]", p.inner)
	}
	return s.String()
}

// name is a member at p.
func (p place) name(member string) string { return p.String() + "." + member }
