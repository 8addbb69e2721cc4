package wire

import (
	"bytes"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// CustomSchema is the schema of the tool with one string, named input, that
// stands in for a custom tool where the vendor has none.
const CustomSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

// WrapCustom is the text of a custom call as the arguments of its stand-in.
func WrapCustom(text string) string {
	return string(append(jsonscan.AppendString([]byte(`{"input":`), text), '}'))
}

// unwrapCustom is the reverse; arguments of another shape are the text itself.
func unwrapCustom(arguments []byte) []byte {
	root, err := ParseAnswer(arguments)
	if err != nil {
		return arguments
	}
	if text, ok := jsonscan.Lookup(arguments, root, "input").Text(arguments, nil); ok {
		return text
	}
	return arguments
}

// customTools are the names of the tools that the client declared custom; nil
// when there are none.
func customTools(req *Request) map[string]bool {
	var names map[string]bool
	if req == nil {
		return nil
	}
	for i := range req.Tools {
		if t := &req.Tools[i]; t.Custom {
			if names == nil {
				names = make(map[string]bool)
			}
			names[t.Name] = true
		}
	}
	return names
}

// UnwrapCustom turns calls of stand-ins in res back into calls of the custom
// tools of req.
func UnwrapCustom(req *Request, res *Response) {
	names := customTools(req)
	if names == nil {
		return
	}
	for i := range res.Choices {
		for j := range res.Choices[i].Blocks {
			if c := res.Choices[i].Blocks[j].Call; c != nil && !c.Custom && names[c.Name] {
				c.Arguments, c.Custom = string(unwrapCustom([]byte(c.Arguments))), true
			}
		}
	}
}

// CustomCalls does the same for a stream. The arguments of such a call are held
// back until it is whole, because its text is inside JSON; everything else
// passes as it comes. Without custom tools in req it is enc itself.
func CustomCalls(req *Request, enc StreamEncoder) StreamEncoder {
	names := customTools(req)
	if names == nil {
		return enc
	}
	return &customCalls{StreamEncoder: enc, names: names, open: make(map[int]*bytes.Buffer)}
}

type customCalls struct {
	StreamEncoder
	names map[string]bool
	open  map[int]*bytes.Buffer // arguments so far, by choice
	ev    Event
}

// Identify implements Identified.
func (c *customCalls) Identify(seen *Seen) { Identify(c.StreamEncoder, seen) }

func (c *customCalls) Encode(dst []byte, ev *Event) []byte {
	if ev.Kind == EventBlock && ev.Block == CallBlock && !ev.Custom && c.names[ev.Name] {
		c.open[ev.Choice] = new(bytes.Buffer)
		c.ev = *ev
		c.ev.Custom = true
		return c.StreamEncoder.Encode(dst, &c.ev)
	}
	held := c.open[ev.Choice]
	if held == nil {
		return c.StreamEncoder.Encode(dst, ev)
	}
	switch ev.Kind {
	case EventDelta:
		held.Write(ev.Text)
		return dst
	case EventBlockEnd:
		delete(c.open, ev.Choice)
		if held.Len() > 0 {
			c.ev = Event{Kind: EventDelta, Choice: ev.Choice, Index: ev.Index, Text: unwrapCustom(held.Bytes())}
			dst = c.StreamEncoder.Encode(dst, &c.ev)
		}
	}
	return c.StreamEncoder.Encode(dst, ev)
}
