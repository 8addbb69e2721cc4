package handlers

import (
	"fmt"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
)

// need is how much a call may use at most.
type need struct {
	input, output int64

	// rough says that input is an upper bound of the prompt, which has not been
	// counted as model yet. Until mark has looked, something may be attached to it
	// that costs more.
	rough bool
	model string
}

func (c *call) amount(rule *limits.Rule, n *need) (int64, error) {
	switch rule.Unit {
	case limits.Tokens:
		return limits.Add(n.input, n.output), nil
	case limits.InputTokens:
		return n.input, nil
	case limits.OutputTokens:
		return n.output, nil
	case limits.USD:
		return c.mostUSD(n)
	default:
		return 1, nil
	}
}

// need bounds or counts the prompt and caps the answer.
func (c *call) need() (*need, error) {
	n := &c.quota.need
	*n = need{model: c.target.Provider.Traits().CountsAs}
	if n.model == "" {
		n.model = c.target.Target.Model
	}
	if c.form == nil {
		if n.input, n.rough = c.bound(n.model); !n.rough {
			n.input = c.countPrompt(n.model)
		}
	}
	if capParam(c.target.Operation, c.target.Provider.Traits()) == "" {
		return n, nil // nothing is generated, or nothing that can be capped
	}
	env := &c.x.Envelope
	limit := env.OutputCap
	if env.CapInvalid {
		return nil, gateway.Invalid(env.CapParam, "'%s' must be a whole number", env.CapParam)
	}
	if env.ChoicesInvalid != "" {
		return nil, gateway.Invalid(env.ChoicesInvalid, "'%s' must be a whole number", env.ChoicesInvalid)
	}
	if env.CapParam == "" || limit == 0 {
		limit = c.outputLimit(c.target)
		if limit == 0 {
			limit = wire.AbilityOf(c.target.Target.Model).MaxOutputOr()
		}
		c.cap = limit
	}
	n.output = limits.Multiply(limit, env.Choices)
	return n, nil
}

// bound is at least what a prompt to which nothing is attached has in tokens, without
// a count; ok is false where there is no such bound, or the client wants to see what
// was asked for.
func (c *call) bound(model string) (n int64, ok bool) {
	if c.explains() {
		return 0, false
	}
	most, ok := c.proxy.tokens.Most(model, len(c.x.Envelope.Body()))
	return int64(most), ok
}

// countPrompt counts it.
func (c *call) countPrompt(model string) (n int64) {
	tokens, estimated := c.proxy.tokens.Count(model, c.route.Operation, &c.x.Envelope)
	if n = int64(tokens); estimated {
		n += n / 20 // the spread of estimates; see docs/token-counting.md
	}
	return n
}

// mostUSD is the most that the call can cost.
func (c *call) mostUSD(n *need) (int64, error) {
	if c.proxy.host.LedgerFails() {
		return 0, &gateway.Error{Kind: wire.KindOverloaded, Phase: "limit", Message: "spending cannot be recorded at the moment, so budgets cannot be kept"}
	}
	if name := c.alternates(); name != "" {
		return 0, gateway.Invalid(name, "'%s' would let the upstream choose a model of another price, and you have a limit in usd", name)
	}
	price := c.x.Price
	if c.proxy.host.UnpricedPolicy() == gateway.UnpricedDeny && (price == nil || price.Estimated()) {
		return 0, &gateway.Error{Kind: wire.KindPermission, Param: "model", Message: fmt.Sprintf("the price of '%s' is not known, and you have a limit in usd; name its price in the configuration", c.x.Target)}
	}
	if price == nil {
		return 0, nil // a site that asks for an estimate has one
	}
	choices := c.x.Envelope.Choices
	return price.UpperBound(n.input, n.output/max(choices, 1), choices), nil
}

// priceOf is what the target costs, or what stands in for it where the site
// asks for an estimate; nil when neither is known. The price in force when the
// exchange began holds to its end.
func (c *call) priceOf(target gateway.Target) *prices.Price {
	price := c.proxy.host.Price(target, c.x.Start)
	if price == nil && c.proxy.host.UnpricedPolicy() == gateway.UnpricedEstimate {
		return dearest
	}
	return price
}

// dearest is what the dearest models in wide use cost.
var dearest = func() *prices.Price {
	p, err := prices.Parse([]string{"input", "15", "output", "75"})
	if err != nil {
		panic(err)
	}
	p.Name, p.Version, p.Match = "*", "~*", prices.Guess
	return p
}()
