package handlers

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/tokenizer"
	"github.com/weirproxy/weir/wire"
)

// headerEstimated marks a count that is not the vendor's own.
const headerEstimated = "X-Ai-Estimated"

// countsHere reports whether the request asks for a count that no upstream
// has to be asked for, or that its upstream cannot give.
func (c *call) countsHere() bool {
	switch op := c.route.Operation; op {
	case wire.Tokenize:
		return true
	case wire.CountTokens, wire.GeminiCount, wire.ResponsesTokens:
		_, err := c.proxy.gateway.Resolve(op, c.x.Model)
		// Gemini's count is also given for names that nobody serves.
		return err != nil && (op == wire.GeminiCount || gateway.AsError(err).Kind == wire.KindInvalid)
	default:
		return false
	}
}

// count answers a request for a count.
func (c *call) count() error {
	route := c.countedRoute()
	if err := c.mayCount(route); err != nil {
		return err
	}
	model := c.countedModel(route)
	op, body := c.route.Operation, c.x.Envelope.Body()
	if op == wire.Tokenize {
		return c.tokenize(model, body)
	}
	n, estimated := c.proxy.tokens.Count(model, op, &c.x.Envelope)
	if estimated {
		setHeader(c.out.w.Header(), headerEstimated, "true")
	}
	switch op {
	case wire.GeminiCount:
		return c.answer(struct {
			TotalTokens int `json:"totalTokens"`
		}{n})
	case wire.ResponsesTokens:
		return c.answer(struct {
			Object      string `json:"object"`
			InputTokens int    `json:"input_tokens"`
		}{"response.input_tokens", n})
	default:
		return c.answer(struct {
			InputTokens int `json:"input_tokens"`
		}{n})
	}
}

// countedModel is the model that a name stands for, since an alias says
// nothing of a tokenizer. Names that are not configured, whose route is nil, are
// counted as well.
func (c *call) countedModel(route *gateway.Route) string {
	if route == nil {
		return c.x.Model
	}
	c.x.Update(func() { c.x.Target = route.Target })
	if as := route.Provider.Traits().CountsAs; as != "" {
		return as
	}
	return route.Target.Model
}

// countedRoute is where a request for the model would go, nil for a name that is
// not configured.
func (c *call) countedRoute() *gateway.Route {
	for _, op := range [...]*wire.Operation{wire.Chat, wire.Messages, wire.Embeddings} {
		if route, err := c.proxy.gateway.Resolve(op, c.x.Model); err == nil {
			return route
		}
	}
	return nil
}

// mayCount refuses a model that the caller's key may not use, whether its upstream
// counts or Weir does. A vendor's own names are nobody's secret: their tokens may be
// looked at.
func (c *call) mayCount(route *gateway.Route) error {
	key := c.caller.key
	switch {
	case key == nil || route == nil, key.Allows(c.x.Model, route.Target.String()):
		return nil
	case c.route.Operation == wire.Tokenize && route.Alias == "":
		return nil
	}
	return forbidden(key, c.x.Model)
}

// tokenizeAnswer is the shape of POST /v1/tokenize.
type tokenizeAnswer struct {
	Model     string   `json:"model"`
	Encoding  string   `json:"encoding"`
	Count     int      `json:"count"`
	Estimated bool     `json:"estimated"`
	IDs       []int    `json:"ids,omitempty"`
	Pieces    []string `json:"pieces,omitempty"`
}

// maxNamed bounds the text whose tokens are named: the answer takes forty times as
// much memory, and no limit counts it.
const maxNamed = 1 << 20

// tokenize counts a text or a chat prompt. Token ids and pieces are those of
// one text; for a family whose vocabulary is not public they would be made up
// and are refused.
func (c *call) tokenize(model string, body []byte) error {
	var in struct {
		Input    *string         `json:"input"`
		Messages json.RawMessage `json:"messages"`
		IDs      bool            `json:"ids"`
		Pieces   bool            `json:"pieces"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return gateway.Invalid("input", "'input' must be a string, 'ids' and 'pieces' true or false")
	}
	family := c.proxy.tokens.Family(model)
	answer := tokenizeAnswer{Model: c.x.Model, Encoding: family.Encoding.Name(), Estimated: family.Estimated}
	switch {
	case (in.Input == nil) == (len(in.Messages) == 0):
		return gateway.Invalid("input", "give either 'input' or 'messages'")
	case in.Input == nil && (in.IDs || in.Pieces):
		return gateway.Invalid("ids", "'ids' and 'pieces' need 'input': what vendors add to messages has no public ids")
	case in.Input == nil:
		answer.Count, answer.Estimated = c.proxy.tokens.Count(model, wire.Chat, &c.x.Envelope)
		return c.answer(answer)
	case family.Estimated && (in.IDs || in.Pieces):
		return gateway.Invalid("ids", "the vocabulary of '%s' is not public, so its tokens can be counted but not named", c.x.Model)
	}
	if (in.IDs || in.Pieces) && len(*in.Input) > maxNamed {
		return gateway.Invalid("input", "'ids' and 'pieces' are for texts of %d bytes at most, this one has %d", maxNamed, len(*in.Input))
	}
	answer.Count = family.Count([]byte(*in.Input))
	if !in.IDs && !in.Pieces {
		return c.answer(answer)
	}
	ids := family.Encoding.Encode(nil, *in.Input)
	if in.IDs {
		answer.IDs = ids
	}
	if in.Pieces {
		pieces, err := pieces(family.Encoding, ids)
		if err != nil {
			return err
		}
		answer.Pieces = pieces
	}
	return c.answer(answer)
}

// pieces are the texts of tokens. A token may be part of a character; such
// bytes show as U+FFFD.
func pieces(encoding *tokenizer.Encoding, ids []int) ([]string, error) {
	list := make([]string, len(ids))
	for i, id := range ids {
		text, err := encoding.Decode(nil, []int{id})
		if err != nil {
			return nil, &gateway.Error{Kind: wire.KindInternal, Message: "internal error", Cause: err}
		}
		list[i] = strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return list, nil
}

// answer sends a JSON value that Weir itself made.
func (c *call) answer(value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return &gateway.Error{Kind: wire.KindInternal, Message: "internal error", Cause: err}
	}
	c.tell()
	h := c.out.w.Header()
	setHeader(h, "Content-Type", "application/json")
	return c.sent(c.out.whole(http.StatusOK, append(body, '\n')))
}
