package anthropic

import (
	"slices"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// prepareMessages makes the messages that are sent out of the client's: without
// what the vendor refuses, with system messages where the model takes them.
func (w *writer) prepareMessages() error {
	var folded []wire.Block // of system messages, for the next user turn
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		blocks := make([]wire.Block, 0, len(m.Blocks)+len(folded))
		if m.Role == wire.RoleUser {
			blocks, folded = append(blocks, folded...), nil
		}
		for j := range m.Blocks {
			keep, err := w.keeps(m.Role, &m.Blocks[j])
			if err != nil {
				return err
			}
			if keep {
				blocks = append(blocks, m.Blocks[j])
			}
		}
		if m.Role == wire.RoleSystem && !w.ability.SystemTurns {
			for _, b := range blocks {
				b.Text = "<system>\n" + b.Text + "\n</system>"
				folded = append(folded, b)
			}
			continue
		}
		w.addMessage(m.Role, blocks)
	}
	w.addMessage(wire.RoleUser, folded)
	return w.prepareLast()
}

// addMessage joins messages that became neighbours and puts results first.
func (w *writer) addMessage(role wire.Role, blocks []wire.Block) {
	if len(blocks) == 0 {
		return
	}
	if n := len(w.messages); n > 0 && w.messages[n-1].Role == role {
		blocks = append(w.messages[n-1].Blocks, blocks...)
		w.messages = w.messages[:n-1]
	}
	if role == wire.RoleUser {
		slices.SortStableFunc(blocks, func(a, b wire.Block) int {
			switch {
			case a.Type == wire.ResultBlock && b.Type != wire.ResultBlock:
				return -1
			case a.Type != wire.ResultBlock && b.Type == wire.ResultBlock:
				return 1
			}
			return 0
		})
	}
	w.messages = append(w.messages, wire.Message{Role: role, Blocks: blocks})
}

// prepareLast sees to the answer that the model is to go on with. One that ends
// in a server tool is a paused turn, which every model goes on with.
func (w *writer) prepareLast() error {
	n := len(w.messages)
	if n == 0 || w.messages[n-1].Role != wire.RoleAssistant {
		return nil
	}
	last := &w.messages[n-1]
	b := &last.Blocks[len(last.Blocks)-1]
	if b.Type != wire.TextBlock && b.Type != wire.RefusalBlock {
		return nil
	}
	if w.ability.NoPrefill && !slices.ContainsFunc(last.Blocks, isRaw) {
		return &wire.Failure{Kind: wire.KindInvalid, Param: "messages", Message: "model '" + w.req.Model + "' does not go on with an answer that was begun for it: the last message must not be the assistant's"}
	}
	b.Text = strings.TrimRight(b.Text, " \t\r\n") // the vendor refuses it
	return nil
}

func isRaw(b wire.Block) bool { return b.Type == wire.RawBlock }

// keeps decides whether a block is sent.
func (w *writer) keeps(role wire.Role, b *wire.Block) (bool, error) {
	switch b.Type {
	case wire.TextBlock, wire.RefusalBlock:
		if len(b.Citations) > 0 {
			// They are not what the vendor gave, which holds more.
			w.loss.Drop("citations")
		}
		return !blank(b.Text), nil
	case wire.ThinkingBlock, wire.RedactedBlock:
		if role != wire.RoleAssistant || b.Vendor != wire.VendorAnthropic || b.Signature == "" {
			w.loss.Drop("thinking")
			return false, nil
		}
		return true, nil
	case wire.ImageBlock, wire.DocumentBlock:
		if role != wire.RoleUser {
			return false, wire.Unmappable("messages", b.Type.String()+" content in a turn of the assistant", w.where())
		}
		return true, w.checkMedia(b)
	case wire.CallBlock:
		return true, nil
	case wire.ResultBlock:
		for i := range b.Result.Content {
			if _, err := w.keeps(wire.RoleUser, &b.Result.Content[i]); err != nil {
				return false, err
			}
		}
		return true, nil
	case wire.RawBlock:
		if b.Vendor != wire.VendorAnthropic {
			return false, wire.Unmappable("messages", "a "+b.Name()+" block of the "+string(b.Vendor)+" API alone", w.where())
		}
		return true, nil
	default:
		return false, wire.Unmappable("messages", b.Type.String()+" content", w.where())
	}
}

func (w *writer) where() string { return "model '" + w.req.Model + "'" }

// prepareTools chooses the tools that are sent.
func (w *writer) prepareTools() {
	for i := range w.req.Tools {
		t := &w.req.Tools[i]
		switch {
		case t.Raw != "" && t.Vendor != wire.VendorAnthropic:
			w.loss.Drop("tools[" + t.Name + "]")
		case w.req.ToolChoice.Allowed != nil && !slices.Contains(w.req.ToolChoice.Allowed, t.Name):
			// The vendor cannot narrow the tools for one turn in another way.
		default:
			w.tools = append(w.tools, t)
		}
	}
}
