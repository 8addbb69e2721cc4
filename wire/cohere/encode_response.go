package cohere

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// EncodeResponse writes an answer of v2/chat. The dialect has one choice.
func (Codec) EncodeResponse(dst []byte, res *wire.Response, reply *wire.Reply) []byte {
	e := &encoder{Writer: jsonw.Writer{B: append(dst, '{')}, req: &wire.Request{Dialect: wire.Cohere}, loss: new(wire.Loss)}
	id := res.ID
	if id == "" {
		id = reply.ID
	}
	e.Str("id", id)
	choice := wire.Choice{Finish: wire.FinishStop}
	if len(res.Choices) > 0 {
		choice = res.Choices[0]
	}
	e.Key("message")
	e.open("assistant")
	e.answer(choice.Blocks)
	e.End()
	e.Str("finish_reason", wordFor(choice.Finish, choice.Native))
	if res.Failure != nil {
		e.Str("error", res.Failure.Message)
	}
	writeUsage(&e.Writer, &res.Usage)
	e.End()
	return e.B
}

// answer writes the members of a message of the model.
func (e *encoder) answer(blocks []wire.Block) {
	var calls []*wire.Call
	var texts []int // the part that each of blocks is
	parts := 0
	e.Key("content")
	e.Array()
	for i := range blocks {
		texts = append(texts, parts)
		switch b := &blocks[i]; b.Type {
		case wire.CallBlock:
			calls = append(calls, b.Call)
			continue
		case wire.TextBlock, wire.RefusalBlock:
			e.text(b.Text)
		case wire.ThinkingBlock:
			e.Object()
			e.Str("type", "thinking")
			e.Str("thinking", b.Text)
			e.End()
		default:
			if b.Type != wire.RawBlock || b.Vendor != wire.VendorCohere {
				continue
			}
			e.Raw(b.Raw)
		}
		parts++
	}
	e.EndArray()
	e.calls(calls)
	open := false
	for i := range blocks {
		for j := range blocks[i].Citations {
			if !open {
				open = true
				e.Key("citations")
				e.Array()
			}
			writeCitation(&e.Writer, &blocks[i].Citations[j], blocks[i].Text)
			e.Num("content_index", int64(texts[i]))
			e.End()
		}
	}
	if open {
		e.EndArray()
	}
}

// wordFor is the finish reason; native is kept when it is one that means f.
func wordFor(f wire.Finish, native string) string {
	switch native {
	case "COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "TOOL_CALL", "ERROR_LIMIT", "ERROR_TOXIC", "ERROR", "TIMEOUT":
		if finishOf(native, f == wire.FinishTools, f != wire.FinishBroken) == f {
			return native
		}
	}
	return finishReason(f)
}

func writeUsage(w *jsonw.Writer, u *wire.Report) {
	w.Key("usage")
	w.Object()
	if u.Reported {
		w.Key("billed_units")
		w.Object()
		w.Num("input_tokens", u.Input)
		w.Num("output_tokens", u.Output)
		w.End()
		w.Key("tokens")
		w.Object()
		w.Num("input_tokens", u.Input)
		w.Num("output_tokens", u.Output)
		w.NumIf("reasoning_tokens", u.Reasoning)
		w.End()
		w.NumIf("cached_tokens", u.CacheRead)
	}
	w.End()
}
