package gateway

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/wire"
)

// Resolve finds where a request for model goes if nothing speaks against its
// first target. A configured name comes first, then `provider/model`, then
// names that are some vendor's own. The name of an internal model stands for
// nothing else either.
func (g *Gateway) Resolve(op *wire.Operation, name string) (*Route, error) {
	l, err := g.legOf(new(legRoom), op, name, false, nil)
	if err != nil {
		return nil, err
	}
	for _, route := range l.routes {
		if g.Health.Look(health.Target(route.Target)).Healthy {
			return route, nil
		}
	}
	return l.routes[0], nil
}

// legOf is the first leg of a request for name. facts choose among a model's
// branches; nil for none of them.
func (g *Gateway) legOf(room *legRoom, op *wire.Operation, name string, internal bool, facts *Facts) (*leg, error) {
	if model, rest := g.models.find(name); model != nil {
		if model.Internal && !internal {
			return nil, g.Unknown(name, anybody)
		}
		l := g.modelLeg(room, op, model, name, rest, facts)
		if len(l.routes) == 0 {
			return nil, g.cannotSpeak(op, name)
		}
		return l, nil
	}
	if provider, model, ok := strings.Cut(name, "/"); ok && model != "" {
		if _, known := g.providers[provider]; known {
			return g.direct(room, op, name, Target{Provider: provider, Model: model})
		}
	}
	if provider := g.owner(name); provider != "" {
		return g.direct(room, op, name, Target{Provider: provider, Model: name})
	}
	return nil, g.Unknown(name, anybody)
}

// modelLeg is the leg of a configured model: those of its targets that can do
// what is asked, in its own dialect or in another.
func (g *Gateway) modelLeg(room *legRoom, op *wire.Operation, model *Model, name, rest string, facts *Facts) *leg {
	plan := &model.Plan
	if facts != nil {
		model, rest, plan = g.Follow(model, rest, facts)
	}
	l := &room.leg
	*l = leg{name: name, model: model, plan: plan, routes: room.list[:0]}
	if n := len(plan.Targets); n > len(room.list) {
		l.routes = make([]*Route, 0, n)
	}
	memory := &room.route
	for _, target := range plan.Targets {
		if route := g.route(memory, op, model, name, expand(target, name, rest)); route != nil {
			l.routes = append(l.routes, route)
			memory = new(Route)
		}
	}
	return l
}

// route is the way to a target by the rules of model, nil when the target
// cannot do what is asked. It is made in route.
func (g *Gateway) route(route *Route, op *wire.Operation, model *Model, name string, target Target) *Route {
	provider := g.providers[target.Provider]
	spoken := Spoken(provider, op, target.Model)
	if spoken == nil {
		return nil
	}
	*route = Route{Name: name, Target: target, Provider: provider, Operation: spoken, pool: g.pools[target.Provider]}
	if model != nil {
		route.Alias, route.Policy, route.Timeouts, route.ContextWindow = model.Name, model.Policy, model.Timeouts, model.ContextWindow
	}
	if route.ContextWindow == 0 {
		route.ContextWindow = contextWindow(target.Model)
	}
	return route
}

// noPlan is that of a target which a client has named itself.
var noPlan Plan

func (g *Gateway) direct(room *legRoom, op *wire.Operation, name string, target Target) (*leg, error) {
	room.list[0] = g.route(&room.route, op, nil, name, target)
	if room.list[0] == nil {
		return nil, g.cannotSpeak(op, name)
	}
	room.leg = leg{name: name, plan: &noPlan, routes: room.list[:]}
	return &room.leg, nil
}

// Spoken is the operation in which provider serves a request for op to model:
// op itself, or the best of those into which it can be translated; nil when
// there is none.
func Spoken(provider Provider, op *wire.Operation, model string) *wire.Operation {
	speaks := provider.Speaks
	if s, ok := provider.(Selective); ok {
		speaks = func(op *wire.Operation) bool { return s.SpeaksFor(op, model) }
	}
	if speaks(op) {
		return op
	}
	for _, other := range wire.Alternatives(op) {
		if speaks(other) {
			return other
		}
	}
	return nil
}

func (g *Gateway) cannotSpeak(op *wire.Operation, name string) error {
	return Invalid("model", "the upstream of model '%s' has no %s (%s dialect) and nothing that it could be translated into; name a model whose provider has", name, op.Path, op.Dialect)
}

// owner returns the name of a provider whose vendor the model name belongs
// to; the one named after its module wins, then the first by name.
func (g *Gateway) owner(model string) string {
	best := ""
	for name, p := range g.providers {
		owner, ok := p.(Owner)
		if !ok || !owner.Owns(model) {
			continue
		}
		if best == "" || name < best {
			best = name
		}
	}
	return best
}

// Unknown is the refusal of a name that stands for no model, with the names nearest
// to it of those that may be used: what is somebody else's is not told.
func (g *Gateway) Unknown(name string, may func(model, target string) bool) *Error {
	message := fmt.Sprintf("the model '%s' does not exist or is not configured here", name)
	if near := typo.Nearest(name, 3, g.names(may)...); len(near) > 0 {
		message += "; did you mean '" + strings.Join(near, "', '") + "'?"
	}
	return &Error{Kind: wire.KindModelNotFound, Param: "model", Message: message}
}

// anybody may use everything.
func anybody(_, _ string) bool { return true }
