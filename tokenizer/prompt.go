package tokenizer

import (
	"encoding/binary"
	"sync"
)

// Prompt adds up what a chat prompt costs. It satisfies wire.PromptSink: a
// dialect's WalkPrompt feeds it. It is not safe for concurrent use.
type Prompt struct {
	family *Family
	memo   *Memo
	sum    cost // of the parts so far
	tools  uint32

	messages   int
	chatTools  bool // the tools are those of Chat Completions
	noTools    bool // the caller chose that none be used
	forced     bool // the caller chose one
	toolCount  int
	open       cost // sum when the open message began
	key        memoKey
	remembered bool // the open message came from the memo
	storable   bool // the open message belongs into the memo

	list    list
	scratch []byte
}

// prompts keeps finished Prompts with their scratch.
var prompts = sync.Pool{New: func() any { return new(Prompt) }}

// NewPrompt returns an empty Prompt; give it back with Release.
func (f *Family) NewPrompt() *Prompt {
	p := prompts.Get().(*Prompt)
	p.family, p.memo = f, sharedMemo()
	p.Reset()
	return p
}

// Release returns p to the pool; p must not be used afterwards.
func (p *Prompt) Release() {
	if cap(p.scratch) > scratchMax {
		p.scratch = nil
	}
	if cap(p.list.keys) > keysMax {
		p.list.keys = nil
	}
	prompts.Put(p)
}

// keysMax is how many keys a Prompt that is not used may keep: those of 8 MB.
const keysMax = 1 << 10

// Reset empties p.
func (p *Prompt) Reset() {
	p.sum, p.tools, p.messages, p.toolCount = cost{}, 0, 0, 0
	p.remembered, p.storable = false, false
	p.chatTools, p.noTools, p.forced = false, false, false
}

// Tokens returns the cost of the parts so far, and whether it is an estimate:
// because the family is one, or for tools, response formats, images and files,
// whose cost vendors do not publish exactly.
func (p *Prompt) Tokens() (n int, estimated bool) {
	r := p.family.rules
	n = p.family.Scale(int(p.sum.text)) + int(p.sum.fixed)
	if p.messages > 0 {
		n += r.once
	}
	if p.toolCount > 0 && !(p.noTools && r.dropsNone) {
		n += p.toolTokens(r)
	}
	return n, p.family.Estimated || p.toolCount > 0 || p.sum.flags&costEstimated != 0
}

func (p *Prompt) toolTokens(r *rules) int {
	n := r.toolsOnce
	if p.forced {
		n += r.forced
	}
	if p.chatTools {
		n += r.chatTools + int(p.sum.calls)*r.chatCall
	}
	if r.toolStyle == toolJSON {
		return n + scale(int(p.tools), r.toolRatio)
	}
	n += int(p.tools)
	if p.sum.flags&costSystem == 0 {
		n += r.ownSystem
	}
	return n
}

// BeginMessage opens a message and reports whether its cost is remembered.
func (p *Prompt) BeginMessage(kind byte, raw []byte) (known bool) {
	p.messages++
	p.open, p.remembered, p.storable = p.sum, false, false
	if len(raw) < memoMin {
		p.sum.fixed += uint32(p.family.rules.perMessage)
		return false
	}
	p.key = p.memo.key(p.family.id, kind, raw)
	if c, ok := p.memo.get(p.key); ok {
		p.add(c)
		p.remembered = true
		return true
	}
	p.sum.flags &^= costEstimated | costSystem // only the message's own
	p.sum.fixed += uint32(p.family.rules.perMessage)
	p.storable = true
	return false
}

// EndMessage closes the message and remembers what it cost.
func (p *Prompt) EndMessage() {
	if p.storable && !p.remembered {
		p.memo.put(p.key, prefix{cost: cost{p.sum.text - p.open.text, p.sum.fixed - p.open.fixed, p.sum.flags, p.sum.calls - p.open.calls}})
	}
	p.sum.flags |= p.open.flags
	p.storable = false
}

func (p *Prompt) add(c cost) {
	p.sum.text += c.text
	p.sum.fixed += c.fixed
	p.sum.flags |= c.flags
	p.sum.calls += c.calls
}

// Role counts the role of the open message.
func (p *Prompt) Role(role []byte) {
	if r := string(role); r == "system" || r == "developer" {
		p.sum.flags |= costSystem
	}
	p.Text(role)
}

// Name counts the name of a participant.
func (p *Prompt) Name(name []byte) {
	p.sum.fixed += uint32(p.family.rules.perName)
	p.Text(name)
}

// Text counts text of the open message, or bare text outside of any.
func (p *Prompt) Text(text []byte) { p.sum.text += uint32(p.family.Encoding.Count(text)) }

// ToolCall counts a call that the model made earlier.
func (p *Prompt) ToolCall(name, arguments []byte) {
	p.sum.fixed += uint32(p.family.rules.perCall)
	p.sum.calls++
	p.sum.flags |= costEstimated
	p.Text(name)
	p.Text(arguments)
}

// Image counts an image by the size in its header. It is never fetched: an
// image known by its address counts as 1024 by 1024.
func (p *Prompt) Image(detail, data []byte) {
	if cap(p.scratch) < headBytes {
		p.scratch = make([]byte, headBytes)
	}
	width, height := imageSize(data, p.scratch[:headBytes])
	p.sum.fixed += uint32(p.family.rules.image.cost(string(detail), width, height))
	p.sum.flags |= costEstimated
}

// Costs of attachments that nobody documents per byte: a page of PDF is about
// 50 KB and 1,500 tokens with its image; audio is 32 tokens a second at about
// 16 KB (compressed); video adds 258 for the frame of each second of 250 KB.
const (
	filePage           = 200
	fileBytesPerToken  = 40
	audioBytesPerToken = 500
	videoBytesPerToken = 900
	unknownMedia       = 1500
)

// Media counts an attachment by its size in bytes, and takes the marks that
// wire.PromptSink lists.
func (p *Prompt) Media(kind string, size int) {
	switch kind {
	case "tokens":
		p.sum.fixed += uint32(size)
		return
	case "chat_tools":
		p.chatTools = true
		return
	case "tool_none":
		p.noTools = true
		return
	case "tool_forced":
		p.forced = true
		return
	}
	p.sum.flags |= costEstimated
	per := fileBytesPerToken
	switch {
	case size <= 0:
		p.sum.fixed += unknownMedia
		return
	case kind == "audio":
		per = audioBytesPerToken
	case kind == "video":
		per = videoBytesPerToken
	}
	if kind == "file" {
		p.sum.fixed += filePage
	}
	p.sum.fixed += uint32(size/per + 1)
}

// Tool counts one tool definition.
func (p *Prompt) Tool(name, description, schema []byte) {
	p.toolCount++
	// Lengths keep the parts apart.
	p.scratch = p.scratch[:0]
	for _, part := range [...][]byte{name, description, schema} {
		p.scratch = append(binary.LittleEndian.AppendUint32(p.scratch, uint32(len(part))), part...)
	}
	key := p.memo.key(p.family.id, toolKind, p.scratch)
	c, ok := p.memo.get(key)
	if !ok {
		style := p.family.rules.toolStyle
		p.scratch = appendTool(p.scratch[:0], style, name, description, schema)
		c.text = uint32(p.family.Encoding.Count(p.scratch))
		if style == toolJSON {
			c.text += toolFrame
		}
		p.memo.put(key, prefix{cost: c})
	}
	p.tools += c.text
}

// Format counts the JSON schema of a response format.
func (p *Prompt) Format(schema []byte) {
	p.sum.flags |= costEstimated
	p.sum.fixed += uint32(p.family.rules.format)
	p.scratch = appendCompact(p.scratch[:0], schema)
	p.Text(p.scratch)
}

// appendCompact appends JSON without the white space between its tokens.
func appendCompact(dst, raw []byte) []byte {
	inString := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inString && c == '\\' && i+1 < len(raw):
			dst = append(dst, c)
			i++
			c = raw[i]
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
