package handlers

import (
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/wire"
)

// resolve finds the target of the model asked for and refuses what breaks
// its rules or the site's, before any provider is paid.
func (c *call) resolve() error {
	start := c.proxy.gateway.Now()
	defer func() { c.routed = c.timed(start, &c.x.Timings.Route) }()

	ask := c.ask()
	trip, err := c.proxy.gateway.Itinerary(&ask)
	if err != nil {
		return c.unknown(err, ask.Model)
	}
	c.way.trip = trip
	err = c.setOut(trip.First())
	if err != nil && c.way.pick != nil && c.way.pick.Reason == gateway.ReasonUnhealthy {
		// It goes nowhere, and not to the last that was passed over.
		c.way.pick, c.target = nil, nil
		c.x.Update(func() { c.x.Target, c.x.Price = gateway.Target{}, nil })
	}
	return err
}

// setOut makes pick the first target of the call, or says why not, as err does. A
// fallback that stands in for the model's own targets is passed over if the request
// may not go there: its client did not ask for it.
func (c *call) setOut(pick *gateway.Pick, err error) error {
	for err == nil && pick.Reason == gateway.ReasonUnhealthy {
		why := c.take(pick)
		if why == nil {
			return nil
		}
		pick, err = c.way.trip.Refused(why)
	}
	if err != nil {
		return err
	}
	c.turn(way{c.way.trip, pick})
	if err := c.permitted(); err != nil {
		return c.elsewhere(err)
	}
	return nil
}

// afford reserves for the call. A fallback that stands in for the model's own
// targets is passed over, too, if there is no room for it.
func (c *call) afford() error {
	defer c.countRefusal()
	err := c.reserve()
	for err != nil && c.way.pick.Reason == gateway.ReasonUnhealthy && overLimit(err) && !c.out.started() {
		if c.setOut(c.way.trip.Refused(err)) != nil {
			return err
		}
		err = c.reserve()
	}
	return err
}

// unknown is err, why the gateway has no way to a model, without suggestions that
// are not the caller's to use.
func (c *call) unknown(err error, model string) error {
	if key := c.caller.key; key != nil && gateway.AsError(err).Kind == wire.KindModelNotFound {
		return c.proxy.gateway.Unknown(model, key.Allows)
	}
	return err
}

// way is where a call goes: its itinerary, and the present pick of that.
type way struct {
	trip *gateway.Itinerary
	pick *gateway.Pick
}

// abandon gives up a way on which nothing has been sent.
func (w way) abandon() { w.pick.Health.Abandon() }

// turn makes w the way of the call.
func (c *call) turn(w way) {
	c.way, c.target = w, w.pick.Route
	price := c.priceOf(c.target.Target)
	c.x.Update(func() {
		c.x.Target, c.x.Alias, c.x.Price, c.x.Downgraded = c.target.Target, c.target.Alias, price, ""
		if name := w.trip.Model(); name != c.x.Model {
			c.x.Downgraded = name
		}
	})
}

// take makes pick the target of the call, if its rules allow the request and
// its dialect can carry it.
func (c *call) take(pick *gateway.Pick) error {
	c.turn(way{c.way.trip, pick})
	if err := c.permitted(); err != nil {
		return err
	}
	return c.translatable()
}

// translatable refuses a target in whose dialect the request cannot be said.
// What the client is told is then what the target before has said, not that
// another is of no use.
func (c *call) translatable() error {
	if c.form != nil || c.target.Operation == c.route.Operation {
		return nil
	}
	trial := attempt{call: c, pick: c.way.pick, route: c.target}
	body := newPayload()
	defer body.release()
	made, err := trial.translate(body.bytes)
	if err != nil {
		return err
	}
	body.bytes = made
	trial.conversation.written()
	return nil
}

// elsewhere looks for a target that a prompt fits which was too long for the
// first; all other faults of a request are told at once.
func (c *call) elsewhere(err error) error {
	class, ok := gateway.Classify(err)
	c.way.abandon()
	if !ok || class != gateway.ClassContextLength {
		return err
	}
	for pick := c.way.trip.Next(err); pick != nil; pick = c.way.trip.Unfit(err) {
		if c.take(pick) == nil {
			return nil
		}
	}
	return err
}

// permitted refuses a call that its key, its model or the site does not allow
// to go to its target.
func (c *call) permitted() error {
	if err := c.permit(); err != nil {
		return err
	}
	if c.form != nil {
		return c.target.Policy.Check(gateway.ScopeModel, c.target.Name, &c.x.Envelope)
	}
	if err := c.requireCap(); err != nil {
		return err
	}
	if err := c.target.Policy.Check(gateway.ScopeModel, c.target.Name, &c.x.Envelope); err != nil {
		return err
	}
	return c.proxy.gateway.CheckInput(c.x, c.target, &c.proxy.policy)
}

// permit refuses a model that the caller's key may not use. It is asked anew
// for every target: a fallback that is a model of its own has to be allowed
// itself.
func (c *call) permit() error {
	key := c.caller.key
	if key == nil {
		return nil
	}
	if !key.Allows(c.target.Name, c.target.Target.String()) {
		return forbidden(key, c.target.Name)
	}
	if name := c.alternates(); name != "" && len(key.Models) > 0 {
		return &gateway.Error{Kind: wire.KindPermission, Param: name, Message: "the key '" + key.Name + "' may not use every model, and '" + name + "' would let the upstream choose one"}
	}
	return nil
}

// alternates is what of the request, as it is sent, would let the upstream choose
// another model; empty when there is nothing.
func (c *call) alternates() string {
	if c.form != nil || c.target.Operation != c.route.Operation || c.route.Dialect != wire.OpenAI {
		return ""
	}
	return c.x.Envelope.Alternates()
}

func forbidden(key *keys.Key, model string) error {
	return &gateway.Error{Kind: wire.KindPermission, Param: "model", Message: "the key '" + key.Name + "' may not use the model '" + model + "'"}
}

// requireCap refuses a request without the cap that its vendor demands, unless
// a rule of the gateway will put one in.
func (c *call) requireCap() error {
	if c.route.Operation == wire.Messages && c.x.Envelope.CapParam == "" && c.outputLimit(c.target) == 0 {
		return gateway.Invalid("max_tokens", "missing required parameter: 'max_tokens'")
	}
	return nil
}

// outputLimit is the cap on generated tokens that the site and the model set
// together; 0 when there is none.
func (c *call) outputLimit(route *gateway.Route) int64 {
	return lowest(c.proxy.policy.MaxOutputTokens, route.Policy.MaxOutputTokens)
}

// lowest returns the lower of two limits, of which 0 is none.
func lowest(a, b int64) int64 {
	switch {
	case a == 0:
		return b
	case b == 0:
		return a
	default:
		return min(a, b)
	}
}

// limits are the timeouts of a call to route: the model's where it has some,
// else the site's.
func (c *call) limits(route *gateway.Route) gateway.Timeouts {
	return route.Timeouts.Over(c.proxy.timeouts).WithDefaults()
}

// positive makes a switched-off timeout practically endless.
func positive(d time.Duration) time.Duration {
	if d <= 0 {
		return 1<<63 - 1
	}
	return d
}
