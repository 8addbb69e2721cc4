// Package tokens counts requests and answers with the tokenizer: it brings
// the dialects, which know where a prompt's parts are, and the tokenizer,
// which knows what they cost, together.
package tokens

import (
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/tokenizer"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// Counter implements gateway.Tokens.
type Counter struct{}

// Preload loads the vocabularies that nearly every request needs, in the
// background.
func Preload() {
	tokenizer.ForModel("gpt-4o").Encoding.Preload()
}

// Prompt implements gateway.Tokens.
func (Counter) Prompt(model string, op *wire.Operation, env *wire.Envelope) int {
	n, _ := count(model, op, env.Body())
	return n
}

// Bound implements gateway.Tokens. No text has more tokens than bytes, so a
// short body decides without being counted. Pictures break the rule: a short
// URL can stand for many tokens, but then the vendor's own count is not to be
// had either.
func (Counter) Bound(model string, op *wire.Operation, env *wire.Envelope, limit int) (tokens int, exact bool) {
	if n := len(env.Body()); n <= limit {
		return n, false
	}
	return count(model, op, env.Body())
}

func count(model string, op *wire.Operation, body []byte) (tokens int, exact bool) {
	walker, ok := doors.Of(op).(wire.Walker)
	if !ok || len(body) == 0 {
		return 0, false
	}
	prompt := tokenizer.ForModel(model).NewPrompt()
	defer prompt.Release()
	walker.WalkPrompt(body, prompt)
	n, estimated := prompt.Tokens()
	return n, !estimated
}

// Text counts a text for model.
func Text(model string, text []byte) int { return tokenizer.ForModel(model).Count(text) }

// Output implements gateway.Tokens.
func (Counter) Output(model string) gateway.OutputCounter {
	family := tokenizer.ForModel(model)
	return &output{stream: family.Encoding.NewStream(), ratio: family.Ratio}
}

// output scales an incremental count by the family's ratio.
type output struct {
	stream *tokenizer.Stream
	ratio  int
}

func (o *output) Add(text []byte) { o.stream.Add(text) }

func (o *output) Count() int { return (o.stream.Count()*o.ratio + 999) / 1000 }

// Interface guards.
var (
	_ gateway.Tokens        = Counter{}
	_ gateway.OutputCounter = (*output)(nil)
)
