package bedrock

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// turn is a message as the vendor wants it: roles alternate, and the results
// of calls come first.
type turn struct {
	assistant bool
	blocks    []*wire.Block
}

// prepare puts the conversation in that shape. Instructions in its middle
// become the user's words, since there is no role for them.
func (e *encoder) prepare() []turn {
	list := make([]turn, 0, len(e.req.Messages)+1)
	for i := range e.req.Messages {
		m := &e.req.Messages[i]
		assistant := m.Role == wire.RoleAssistant
		var kept []*wire.Block
		for j := range m.Blocks {
			b := &m.Blocks[j]
			if !e.keep(b) {
				continue
			}
			if m.Role == wire.RoleSystem {
				b = &wire.Block{Type: wire.TextBlock, Text: "<system>\n" + b.Text + "\n</system>", Cache: b.Cache}
			}
			kept = append(kept, b)
		}
		if len(kept) == 0 {
			continue
		}
		n := len(list)
		if n == 0 || list[n-1].assistant != assistant {
			list = append(list, turn{assistant: assistant, blocks: kept})
			continue
		}
		last := &list[n-1]
		if !assistant && kept[0].Type == wire.ResultBlock {
			kept = resultsFirst(last.blocks, kept)
			last.blocks = nil
		}
		last.blocks = append(last.blocks, kept...)
	}
	if len(list) > 0 && list[0].assistant {
		// The first turn must be the user's, and must say something.
		list = append([]turn{{blocks: []*wire.Block{{Type: wire.TextBlock, Text: "."}}}}, list...)
	}
	return list
}

func resultsFirst(parts ...[]*wire.Block) (blocks []*wire.Block) {
	for _, results := range []bool{true, false} {
		for _, part := range parts {
			for _, b := range part {
				if (b.Type == wire.ResultBlock) == results {
					blocks = append(blocks, b)
				}
			}
		}
	}
	return blocks
}

// keep says whether a block is sent. Blank text is refused by the vendor, and
// thinking of another model means nothing to this one.
func (e *encoder) keep(b *wire.Block) bool {
	switch b.Type {
	case wire.TextBlock, wire.RefusalBlock:
		if len(b.Citations) > 0 && e.req.Dialect != wire.Bedrock {
			e.loss.Drop("citations")
		}
		return strings.TrimSpace(b.Text) != ""
	case wire.ThinkingBlock, wire.RedactedBlock:
		own := b.Vendor == wire.VendorBedrock || b.Vendor == wire.VendorAnthropic && (e.maker == makerClaude || e.maker == makerUnknown || e.req.Dialect == wire.Bedrock)
		if b.Signature == "" || !own {
			e.loss.Drop("thinking")
			return false
		}
	}
	return true
}

// hasCalls says whether the conversation has calls or results, without whose
// tools the vendor refuses it.
func hasCalls(req *wire.Request) bool {
	for i := range req.Messages {
		for j := range req.Messages[i].Blocks {
			if t := req.Messages[i].Blocks[j].Type; t == wire.CallBlock || t == wire.ResultBlock {
				return true
			}
		}
	}
	return false
}

// beganWithoutThinking says whether tools are running and the turn that called
// them does not begin with thinking: Claude that knows budgets refuses to think
// on such a turn.
func beganWithoutThinking(turns []turn) bool {
	n := len(turns)
	if n == 0 || turns[n-1].assistant {
		return n > 0
	}
	if n < 2 || turns[n-1].blocks[0].Type != wire.ResultBlock {
		return false
	}
	first := turns[n-2].blocks[0].Type
	return first != wire.ThinkingBlock && first != wire.RedactedBlock
}
