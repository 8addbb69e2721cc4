package responses

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// input reads the conversation.
func (r *requestReader) input(v jsonscan.Value) {
	switch v.Kind {
	case jsonscan.String:
		r.add(wire.RoleUser, wire.Block{Text: r.Long(v)})
	case jsonscan.Array:
		i := 0
		for item := range r.Elements(v) {
			r.item(at("input", i), item)
			i++
		}
		r.flush()
	case jsonscan.Invalid:
		if len(r.req.State) == 0 {
			r.fail("input", "'input' is required")
		}
	default:
		r.fail("input", "'input' must be a string or an array")
	}
}

// add appends blocks to the conversation. [wire.Request.Normalize] joins
// neighbours of one role, but carriers look at the last message, so they are
// joined here already.
func (r *requestReader) add(role wire.Role, blocks ...wire.Block) {
	if role != wire.RoleSystem {
		r.system = false
	}
	m := &r.req.Messages
	if n := len(*m); n > 0 && (*m)[n-1].Role == role {
		(*m)[n-1].Blocks = append((*m)[n-1].Blocks, blocks...)
		return
	}
	*m = append(*m, wire.Message{Role: role, Blocks: blocks})
}

// flush adds a block that was held for a call that did not come.
func (r *requestReader) flush() {
	if b := r.carriers.release(); b != nil {
		r.add(wire.RoleAssistant, *b)
	}
}

func (r *requestReader) item(param string, v jsonscan.Value) {
	if v.Kind != jsonscan.ObjectKind {
		r.fail(param, "'"+param+"' must be an object")
		return
	}
	kind := r.str(param+".type", r.Get(v, "type"))
	if kind == "" && !r.Get(v, "role").Exists() && r.Get(v, "id").Exists() {
		kind = "item_reference" // its type may be left out
	}
	if kind != "function_call" && kind != "custom_tool_call" {
		r.flush()
	}
	switch kind {
	case "", "message":
		r.message(param, v)
	case "function_call", "custom_tool_call":
		r.call(param, kind, v)
	case "function_call_output", "custom_tool_call_output":
		r.result(param, kind, v)
	case "reasoning":
		b, signed := readReasoning(r.Doc, v)
		if !signed || !r.carriers.take(&b, r.answer()) {
			r.add(wire.RoleAssistant, b)
		}
	case "item_reference":
		r.req.State = append(r.req.State, wire.Extra{Name: kind, Raw: r.Raw(v)})
		r.add(wire.RoleAssistant, wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: r.Raw(v)})
	default:
		role := wire.RoleAssistant
		if strings.HasSuffix(kind, "_output") || kind == "mcp_approval_response" {
			role = wire.RoleUser
		}
		r.add(role, wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: r.Raw(v)})
	}
}

// answer is the blocks of the answer that the conversation ends with so far.
func (r *requestReader) answer() []wire.Block {
	if n := len(r.req.Messages); n > 0 && r.req.Messages[n-1].Role == wire.RoleAssistant {
		return r.req.Messages[n-1].Blocks
	}
	return nil
}

func (r *requestReader) message(param string, v jsonscan.Value) {
	role := r.str(param+".role", r.Get(v, "role"))
	content := r.Get(v, "content")
	switch role {
	case "user":
		r.add(wire.RoleUser, r.content(param+".content", content, wire.RoleUser)...)
	case "assistant":
		r.add(wire.RoleAssistant, r.content(param+".content", content, wire.RoleAssistant)...)
	case "system", "developer":
		blocks := r.content(param+".content", content, wire.RoleSystem)
		if r.system {
			r.req.System = append(r.req.System, blocks...)
		} else {
			r.add(wire.RoleSystem, blocks...)
		}
	default:
		r.fail(param+".role", "'"+param+".role' must be user, assistant, system or developer")
	}
}

func (r *requestReader) call(param, kind string, v jsonscan.Value) {
	b := wire.Block{Type: wire.CallBlock, Call: &wire.Call{
		ID:     r.str(param+".call_id", r.Get(v, "call_id")),
		Name:   r.str(param+".name", r.Get(v, "name")),
		Custom: kind == "custom_tool_call",
	}}
	if b.Call.Custom {
		b.Call.Arguments = r.long(param+".input", r.Get(v, "input"))
	} else {
		b.Call.Arguments = r.long(param+".arguments", r.Get(v, "arguments"))
	}
	if b.Call.ID == "" {
		r.fail(param+".call_id", "'"+param+".call_id' is required")
	}
	r.carriers.give(&b)
	r.add(wire.RoleAssistant, b)
}

func (r *requestReader) result(param, kind string, v jsonscan.Value) {
	result := &wire.Result{CallID: r.str(param+".call_id", r.Get(v, "call_id")), Custom: kind == "custom_tool_call_output"}
	if result.CallID == "" {
		r.fail(param+".call_id", "'"+param+".call_id' is required")
	}
	result.Content = r.content(param+".output", r.Get(v, "output"), wire.RoleUser)
	if len(result.Content) == 0 {
		result.Content = []wire.Block{{}} // an answer without words is an answer
	}
	r.add(wire.RoleUser, wire.Block{Type: wire.ResultBlock, Result: result})
}
