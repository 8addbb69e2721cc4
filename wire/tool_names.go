package wire

import (
	"slices"
	"strings"
)

// ToolNames are names that stand in for those of a client's tools that an
// upstream refuses. Nil stands for a request in which none is refused.
type ToolNames struct {
	sent map[string]string // by the client's, of those that are refused
	own  map[string]string // the client's, by those that are sent
}

// NameTools finds names for the tools of req whose own codec's upstream would
// refuse; nil if there are none. A name depends on the client's alone, so that
// all turns of a conversation have the same, and with them providers' caches of
// prompts; only where another tool of req has that very name it is another.
func NameTools(req *Request, codec Codec) *ToolNames {
	refused := false
	req.eachToolName(func(name string) { refused = refused || !codec.AllowsTool(name) })
	if !refused {
		return nil
	}
	n := &ToolNames{sent: make(map[string]string), own: make(map[string]string)}
	req.eachToolName(func(name string) {
		if codec.AllowsTool(name) {
			n.own[name] = name
		}
	})
	req.eachToolName(func(name string) {
		if _, known := n.sent[name]; known || codec.AllowsTool(name) {
			return
		}
		other := standIn(name, 0)
		for again := 1; n.own[other] != ""; again++ {
			other = standIn(name, again)
		}
		n.sent[name], n.own[other] = other, name
	})
	return n
}

// eachToolName calls visit with the names of tools wherever one stands in the
// request, but for those that a vendor runs itself.
func (r *Request) eachToolName(visit func(string)) {
	some := func(name string) {
		if name != "" {
			visit(name)
		}
	}
	for i := range r.Tools {
		if t := &r.Tools[i]; t.Raw == "" {
			some(t.Name)
		}
	}
	some(r.ToolChoice.Name)
	for _, name := range r.ToolChoice.Allowed {
		some(name)
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Blocks {
			switch b := &r.Messages[i].Blocks[j]; b.Type {
			case CallBlock:
				some(b.Call.Name)
			case ResultBlock:
				some(b.Result.Name)
			}
		}
	}
}

// Request is req as it goes out; req itself keeps the client's names.
func (n *ToolNames) Request(req *Request) *Request {
	if n == nil {
		return req
	}
	sent := *req
	sent.Tools = slices.Clone(req.Tools)
	for i := range sent.Tools {
		if t := &sent.Tools[i]; t.Raw == "" {
			t.Name = n.out(t.Name)
		}
	}
	sent.ToolChoice.Name = n.out(req.ToolChoice.Name)
	sent.ToolChoice.Allowed = slices.Clone(req.ToolChoice.Allowed)
	for i, name := range sent.ToolChoice.Allowed {
		sent.ToolChoice.Allowed[i] = n.out(name)
	}
	sent.Messages = slices.Clone(req.Messages)
	for i := range sent.Messages {
		n.message(&sent.Messages[i])
	}
	return &sent
}

// message renames in a copy of m's blocks, if there is something to rename.
func (n *ToolNames) message(m *Message) {
	copied := false
	block := func(j int) *Block {
		if !copied {
			m.Blocks, copied = slices.Clone(m.Blocks), true
		}
		return &m.Blocks[j]
	}
	for j := range m.Blocks {
		switch b := &m.Blocks[j]; b.Type {
		case CallBlock:
			if name, ok := n.sent[b.Call.Name]; ok {
				call := *b.Call
				call.Name = name
				block(j).Call = &call
			}
		case ResultBlock:
			if name, ok := n.sent[b.Result.Name]; ok {
				result := *b.Result
				result.Name = name
				block(j).Result = &result
			}
		}
	}
}

// out is the name that is sent for the client's.
func (n *ToolNames) out(name string) string {
	if other, ok := n.sent[name]; ok {
		return other
	}
	return name
}

// Response gives the calls in res the client's names.
func (n *ToolNames) Response(res *Response) {
	if n == nil {
		return
	}
	for i := range res.Choices {
		for j := range res.Choices[i].Blocks {
			if c := res.Choices[i].Blocks[j].Call; c != nil {
				if own, ok := n.own[c.Name]; ok {
					c.Name = own
				}
			}
		}
	}
}

// Event is ev with the client's name of the tool that it calls.
func (n *ToolNames) Event(ev *Event) *Event {
	if n == nil || ev.Kind != EventBlock || ev.Block != CallBlock {
		return ev
	}
	own, ok := n.own[ev.Name]
	if !ok || own == ev.Name {
		return ev
	}
	renamed := *ev
	renamed.Name = own
	return &renamed
}

// Loss makes what an encoder has noted speak of the client's tools.
func (n *ToolNames) Loss(loss *Loss) {
	if n == nil {
		return
	}
	for i, field := range loss.fields {
		if rest, ok := strings.CutPrefix(field, "tools["); ok {
			if name, more, ok := strings.Cut(rest, "]"); ok && n.own[name] != "" {
				loss.fields[i] = "tools[" + n.own[name] + "]" + more
			}
		}
	}
}
