// Package tokens counts requests and answers with the tokenizer: it brings
// the dialects, which know where a prompt's parts are, and the tokenizer,
// which knows what they cost, together.
package tokens

import (
	"slices"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/tokenizer"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// Counter implements gateway.Tokens. Its zero value counts with the built-in
// encodings; it is not changed after its making.
type Counter struct {
	table *tokenizer.Table
}

// File names a tokenizer in a file for some models.
type File = tokenizer.Override

// NewCounter reads files.
func NewCounter(files []File) (*Counter, error) {
	table, err := tokenizer.NewTable(files)
	if err != nil {
		return nil, err
	}
	return &Counter{table}, nil
}

// Family returns how model counts.
func (c *Counter) Family(model string) *tokenizer.Family { return c.table.ForModel(model) }

// Preload loads the vocabularies that nearly every request needs, in the
// background.
func Preload() {
	tokenizer.ForModel("gpt-4o").Encoding.Preload()
}

// Prompt implements gateway.Tokens.
func (c *Counter) Prompt(model string, op *wire.Operation, env *wire.Envelope) int {
	n, _ := c.Count(model, op, env)
	return n
}

// Bound implements gateway.Tokens. No text has more tokens than bytes, so a
// short body decides without being counted. Pictures break the rule: a short
// URL can stand for many tokens, but then the vendor's own count is not to be
// had either.
func (c *Counter) Bound(model string, op *wire.Operation, env *wire.Envelope, limit int) (tokens int, exact bool) {
	if n := len(env.Body()); n <= limit {
		return n, false
	}
	tokens, estimated := c.Count(model, op, env)
	return tokens, !estimated
}

// Most returns no less than what Count returns for a body of so many bytes, five
// percent on top of estimates included; ok is false where their number bounds
// nothing. It holds for bodies of which wire.MayAttach is false. A token has at least one byte of a text in its family's encoding, and what
// vendors add to a message or a tool is less than the JSON around it takes, but
// for what they add once.
func (c *Counter) Most(model string, bytes int) (tokens int, ok bool) {
	if bytes == 0 {
		return 0, false
	}
	n, ok := c.Family(model).Most(bytes)
	return n + n/20, ok
}

// Count returns the tokens of the request of op in env for model, and whether that
// is an estimate.
func (c *Counter) Count(model string, op *wire.Operation, env *wire.Envelope) (tokens int, estimated bool) {
	return c.count(model, op, env.Body(), env.List())
}

// count is Count for a body that is valid JSON; list is where its messages stand,
// absent when that is not known.
func (c *Counter) count(model string, op *wire.Operation, body []byte, list jsonscan.Value) (tokens int, estimated bool) {
	if len(body) == 0 {
		return 0, true
	}
	prompt := c.Family(model).NewPrompt()
	defer prompt.Release()
	doors.WalkPrompt(op, body, list, prompt)
	return prompt.Tokens()
}

// Text counts a text for model.
func Text(model string, text []byte) int { return tokenizer.ForModel(model).Count(text) }

// Output implements gateway.Tokens.
func (c *Counter) Output(model string) gateway.OutputCounter {
	family := c.Family(model)
	return &output{stream: family.Encoding.NewStream(), family: family}
}

// output scales an incremental count to the family's. Text is counted when there
// is much of it, or when somebody asks: for most answers nobody does, since
// their upstream reports its own count, and many small pieces cost more than
// one large one.
type output struct {
	stream *tokenizer.Stream
	family *tokenizer.Family
	text   []byte // not counted yet
}

// uncounted is how much text is kept to be counted later.
const uncounted = 2 << 10

func (o *output) Add(text []byte) {
	if len(o.text)+len(text) > uncounted {
		o.flush()
	}
	if len(text) > uncounted {
		o.stream.Add(text)
		return
	}
	if cap(o.text) < len(o.text)+len(text) {
		o.text = slices.Grow(o.text, max(len(text), min(cap(o.text)*3, uncounted-len(o.text)), firstText))
	}
	o.text = append(o.text, text...)
}

// firstText is the room for a short answer.
const firstText = 256

func (o *output) flush() {
	if len(o.text) > 0 {
		o.stream.Add(o.text)
		o.text = o.text[:0]
	}
}

func (o *output) Count() int {
	o.flush()
	return o.family.Scale(o.stream.Count())
}

// Exact implements gateway.OutputCounter.
func (o *output) Exact() bool { return !o.family.Estimated }

// Interface guards.
var (
	_ gateway.Tokens        = (*Counter)(nil)
	_ gateway.OutputCounter = (*output)(nil)
)
