package openai

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// spot is a message, or one of its members. Only failures and what has no place are
// named by where they stand, so that most are never written.
type spot struct {
	message int
	member  string
}

// of is a member of the message.
func (s spot) of(member string) spot { return spot{s.message, member} }

func (s spot) String() string { return at("messages", s.message) + s.member }

// strAt is str of what has a place.
func (r *requestReader) strAt(s spot, v jsonscan.Value) string {
	if r.isAt(s, v, jsonscan.String) {
		return r.Str(v)
	}
	return ""
}

// isAt is is of what has a place.
func (r *requestReader) isAt(s spot, v jsonscan.Value, kind jsonscan.Kind) bool {
	if v.Kind != kind && v.Kind != jsonscan.Null && v.Exists() {
		return r.is(s.String(), v, kind)
	}
	return v.Kind == kind
}

// one is a list of one block, in memory that is taken for several.
func (r *requestReader) one(b wire.Block) []wire.Block {
	if len(r.room) == cap(r.room) {
		r.room = make([]wire.Block, 0, min(max(1, 2*cap(r.room)), 32))
	}
	r.room = append(r.room, b)
	n := len(r.room)
	return r.room[n-1 : n : n]
}

func (r *requestReader) messages(v jsonscan.Value) {
	i, begun := 0, false
	for m := range r.Elements(v) {
		param := spot{message: i}
		i++
		if !r.isAt(param, m, jsonscan.ObjectKind) {
			r.fail(param.String(), "'"+param.String()+"' must be an object")
			return
		}
		role := r.strAt(param.of(".role"), r.Get(m, "role"))
		switch role {
		case "system", "developer":
			blocks := r.content(param, m)
			if begun {
				r.append(wire.RoleSystem, blocks)
			} else {
				r.req.System = append(r.req.System, blocks...)
			}
			r.textOnly(param, blocks)
			r.rest(param, m)
			continue
		case "user":
			r.append(wire.RoleUser, r.content(param, m))
		case "assistant":
			r.append(wire.RoleAssistant, r.assistant(param, m))
		case "tool":
			id, _ := openID(r.strAt(param.of(".tool_call_id"), r.Get(m, "tool_call_id")))
			r.append(wire.RoleUser, r.result(param, m, id))
		case "function":
			name := r.strAt(param.of(".name"), r.Get(m, "name"))
			r.append(wire.RoleUser, r.result(param, m, r.byName[name]))
		case "":
			r.fail(param.of(".role").String(), "'"+param.String()+".role' is required")
		default:
			r.fail(param.of(".role").String(), "'"+role+"' is not a role; use developer, system, user, assistant or tool")
		}
		begun = true
		r.rest(param, m)
	}
}

func (r *requestReader) append(role wire.Role, blocks []wire.Block) {
	r.req.Messages = append(r.req.Messages, wire.Message{Role: role, Blocks: blocks})
}

func (r *requestReader) textOnly(param spot, blocks []wire.Block) {
	for i := range blocks {
		if blocks[i].Type != wire.TextBlock {
			r.fail(param.of(".content").String(), "'"+param.String()+".content' of this role holds text only, not "+blocks[i].Type.String())
		}
	}
}

// rest notes the members of a message that have no place, but for those that
// clients echo from answers without meaning anything by them.
func (r *requestReader) rest(param spot, m jsonscan.Value) {
	for name, v := range r.Members(m) {
		switch name {
		case "role", "content", "refusal", "tool_calls", "tool_call_id", "function_call", "cache_control", "prompt_cache_breakpoint",
			"reasoning", "reasoning_content", "reasoning_details", "thinking_blocks", "extra_content",
			"annotations", "index", "id", "thought_signature", "provider_metadata":
		case "audio":
			// An earlier answer that only the vendor has.
			if v.Kind == jsonscan.ObjectKind {
				r.req.State = append(r.req.State, wire.Extra{Name: param.of(".audio").String(), Raw: r.Raw(v)})
			}
		default:
			if name == "name" && r.Get(m, "role").Is(r.Data, "function") || v.Kind == jsonscan.Bool && !r.Bool(v) {
				continue
			}
			r.extra(param.String()+"."+name, v)
		}
	}
}

// content reads the content of a message: a string, or parts. A cache mark of
// the message is one of its last block.
func (r *requestReader) content(param spot, m jsonscan.Value) []wire.Block {
	blocks := r.parts(param.of(".content"), r.Get(m, "content"))
	if mark := r.marked(m); mark != nil && len(blocks) > 0 {
		blocks[len(blocks)-1].Cache = mark
	}
	return blocks
}

func (r *requestReader) parts(param spot, v jsonscan.Value) []wire.Block {
	if v.Kind == jsonscan.String {
		if text := r.Long(v); text != "" {
			return r.one(wire.Block{Text: text})
		}
		return nil
	}
	if v.Kind != jsonscan.Null && v.Kind != jsonscan.Invalid && v.Kind != jsonscan.Array {
		r.fail(param.String(), "'"+param.String()+"' must be a string or an array of parts")
	}
	var blocks []wire.Block
	i := 0
	for p := range r.Elements(v) {
		b, problem := readPart(r.Doc, p)
		if problem != "" {
			path := at(param.String(), i)
			r.fail(path, "'"+path+"' "+problem)
			return nil
		}
		if b.Type != wire.TextBlock || b.Text != "" {
			b.Cache = r.marked(p)
			blocks = append(blocks, b)
		}
		i++
	}
	return blocks
}

// result reads a tool's answer.
func (r *requestReader) result(param spot, m jsonscan.Value, id string) []wire.Block {
	content := r.parts(param.of(".content"), r.Get(m, "content"))
	b := wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: id, Content: content}}
	if n := len(content); n > 0 {
		// Dialects with marks on results mark the result, not its last part.
		b.Cache, content[n-1].Cache = content[n-1].Cache, nil
	}
	if mark := r.marked(m); mark != nil {
		b.Cache = mark
	}
	return r.one(b)
}

func (r *requestReader) assistant(param spot, m jsonscan.Value) []wire.Block {
	blocks := readThinking(r.Doc, m)
	if said := r.content(param, m); len(blocks) == 0 {
		blocks = said
	} else {
		blocks = append(blocks, said...)
	}
	if refusal := r.strAt(param.of(".refusal"), r.Get(m, "refusal")); refusal != "" {
		blocks = append(blocks, wire.Block{Type: wire.RefusalBlock, Text: refusal})
	}
	first := len(blocks)
	if v := r.Get(m, "tool_calls"); r.isAt(param.of(".tool_calls"), v, jsonscan.Array) {
		i := 0
		for c := range r.Elements(v) {
			b := readCall(r.Doc, c)
			if b.Call.Name == "" {
				path := at(param.String()+".tool_calls", i) + ".function.name"
				r.fail(path, "'"+path+"' is required")
			}
			b.Cache = r.marked(c)
			blocks = append(blocks, b)
			i++
		}
	}
	if f := r.Get(m, "function_call"); r.isAt(param.of(".function_call"), f, jsonscan.ObjectKind) {
		blocks = append(blocks, r.oldCall(f))
	}
	placeSignatures(r.Doc, m, blocks, first)
	return blocks
}

// oldCall reads function_call. Its id is made up and found again by the
// message of role function that names the function.
func (r *requestReader) oldCall(f jsonscan.Value) wire.Block {
	call := &wire.Call{ID: "call_f" + strconv.Itoa(r.calls), Name: r.StrAt(f, "name"), Arguments: r.StrAt(f, "arguments")}
	r.calls++
	if r.byName == nil {
		r.byName = map[string]string{}
	}
	r.byName[call.Name] = call.ID
	return wire.Block{Type: wire.CallBlock, Call: call}
}
