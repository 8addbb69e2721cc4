package gateway

import (
	"context"
	"fmt"

	"github.com/weirproxy/weir/gateway/health"
)

// Ready reports why the gateway should not be sent traffic, one line per
// reason; none means that it should. any relaxes the rule that every model
// has a target that is up: one such model is enough.
func (g *Gateway) Ready(ctx context.Context, anyModel bool) []string {
	resolvable := make(map[string]error, len(g.providers))
	for name, p := range g.providers {
		if prober, ok := p.(Prober); ok {
			resolvable[name] = prober.Probe(ctx)
		}
	}
	var reasons []string
	for _, name := range g.ProviderNames() {
		if resolvable[name] != nil {
			reasons = append(reasons, fmt.Sprintf("provider %s: its address does not resolve", name))
		}
	}
	healthy := 0
	var down []string
	for _, model := range g.AllModels() {
		if g.reachable(model, resolvable) {
			healthy++
		} else {
			down = append(down, fmt.Sprintf("model %s: no healthy target", model.Name))
		}
	}
	if anyModel && healthy > 0 {
		return nil
	}
	return append(reasons, down...)
}

func (g *Gateway) reachable(model *Model, resolvable map[string]error) bool {
	for _, target := range model.Targets {
		if resolvable[target.Provider] == nil && g.Health.Look(health.Target(target)).State != health.Open {
			return true
		}
	}
	return false
}
