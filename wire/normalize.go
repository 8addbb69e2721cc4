package wire

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
)

// Normalize puts a decoded request into the canonical shape: neighbours of one
// role become one message, the results of calls come first in theirs, and
// know the name of the tool that was called (Gemini demands it).
func (r *Request) Normalize() {
	merged := r.Messages[:0]
	for _, m := range r.Messages {
		if len(m.Blocks) == 0 {
			continue
		}
		if n := len(merged); n > 0 && merged[n-1].Role == m.Role {
			merged[n-1].Blocks = append(merged[n-1].Blocks, m.Blocks...)
			continue
		}
		merged = append(merged, m)
	}
	r.Messages = merged
	var names map[string]string // of calls, by their ids
	for i := range r.Messages {
		m := &r.Messages[i]
		for j := range m.Blocks {
			switch b := &m.Blocks[j]; b.Type {
			case CallBlock:
				if names == nil {
					names = make(map[string]string)
				}
				names[b.Call.ID] = b.Call.Name
			case ResultBlock:
				if b.Result.Name == "" {
					b.Result.Name = names[b.Result.CallID]
				}
			}
		}
		if m.Role == RoleUser {
			resultsFirst(m)
		}
	}
}

// resultsFirst moves results before other blocks, both in their order.
func resultsFirst(m *Message) {
	results := 0
	ordered := true
	for i, b := range m.Blocks {
		if b.Type == ResultBlock {
			ordered = ordered && i == results
			results++
		}
	}
	if ordered {
		return
	}
	blocks := make([]Block, 0, len(m.Blocks))
	for _, b := range m.Blocks {
		if b.Type == ResultBlock {
			blocks = append(blocks, b)
		}
	}
	for _, b := range m.Blocks {
		if b.Type != ResultBlock {
			blocks = append(blocks, b)
		}
	}
	m.Blocks = blocks
}

// JoinText is the text of blocks, other kinds left out.
func JoinText(blocks []Block) string {
	if len(blocks) == 1 && blocks[0].Type == TextBlock {
		return blocks[0].Text
	}
	var b strings.Builder
	for i := range blocks {
		if t := blocks[i].Type; t == TextBlock || t == RefusalBlock {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(blocks[i].Text)
		}
	}
	return b.String()
}

// WriteText writes what JoinText returns, without putting it together first.
func WriteText(w *jsonw.Writer, blocks []Block) {
	begun, some := false, false
	for i := range blocks {
		b := &blocks[i]
		switch {
		case b.Type != TextBlock && b.Type != RefusalBlock:
		case !begun:
			w.String(b.Text)
			begun, some = true, b.Text != ""
		default:
			w.Append(b.Text, some)
			some = some || b.Text != ""
		}
	}
	if !begun {
		w.String("")
	}
}
