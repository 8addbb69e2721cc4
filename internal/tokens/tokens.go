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
	n, _ := Count(model, op, env.Body())
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
	tokens, estimated := Count(model, op, env.Body())
	return tokens, !estimated
}

// Count returns the tokens of a request's body for model, and whether that
// is an estimate. The body is valid JSON.
func Count(model string, op *wire.Operation, body []byte) (tokens int, estimated bool) {
	if len(body) == 0 {
		return 0, true
	}
	prompt := tokenizer.ForModel(model).NewPrompt()
	defer prompt.Release()
	doors.WalkPrompt(op, body, prompt)
	return prompt.Tokens()
}

// Text counts a text for model.
func Text(model string, text []byte) int { return tokenizer.ForModel(model).Count(text) }

// Output implements gateway.Tokens.
func (Counter) Output(model string) gateway.OutputCounter {
	family := tokenizer.ForModel(model)
	return &output{stream: family.Encoding.NewStream(), family: family}
}

// output scales an incremental count to the family's.
type output struct {
	stream *tokenizer.Stream
	family *tokenizer.Family
}

func (o *output) Add(text []byte) { o.stream.Add(text) }

func (o *output) Count() int { return o.family.Scale(o.stream.Count()) }

// Interface guards.
var (
	_ gateway.Tokens        = Counter{}
	_ gateway.OutputCounter = (*output)(nil)
)
