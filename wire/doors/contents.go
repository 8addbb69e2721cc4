package doors

import (
	"bytes"

	"github.com/weirproxy/weir/wire"
)

// Contents reports whether the request in env offers tools, and whether its
// prompt holds pictures. It looks at the body once more, at the speed of a
// search, so it is for those who decide by it. The envelope holds its body.
func Contents(op *wire.Operation, env *wire.Envelope) (tools, images bool) {
	var c contents
	WalkPrompt(op, env.Body(), env.List(), &c)
	return c.tools || env.HasTools(), c.images
}

// contents is a sink that keeps no more than what it has met.
type contents struct{ tools, images bool }

// BeginMessage skips messages that cannot hold a picture: every dialect spells
// one with "image", in a type, a member's name or a media type, unless it
// hides it behind an escape.
func (c *contents) BeginMessage(_ byte, raw []byte) bool {
	return c.images || !bytes.Contains(raw, []byte("image")) && !bytes.Contains(raw, []byte(`\u`))
}

func (c *contents) Image([]byte, []byte)        { c.images = true }
func (c *contents) Tool([]byte, []byte, []byte) { c.tools = true }

func (*contents) BeginMessages(byte, []byte) int { return 0 }
func (*contents) Passed(int)                     {}
func (*contents) EndMessages()                   {}
func (*contents) Role([]byte)                    {}
func (*contents) Name([]byte)                    {}
func (*contents) Text([]byte)                    {}
func (*contents) ToolCall([]byte, []byte)        {}
func (*contents) Media(string, int)              {}
func (*contents) EndMessage()                    {}
func (*contents) Format([]byte)                  {}

// Interface guards.
var _ wire.PromptSink = (*contents)(nil)
