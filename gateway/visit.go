package gateway

import (
	"github.com/weirproxy/weir/gateway/capacity"
	"github.com/weirproxy/weir/gateway/health"
)

// Visit is a call to a target as the tracker of health has entered it, and its
// place at the provider, once it has one. It belongs to one goroutine at a time
// and must be ended, which gives the place back.
type Visit struct {
	health.Call
	gate  *capacity.Gate
	bound *capacity.Bound
	in    bool
}

// Enter takes a place at the provider, and reports whether there was one. Who
// has one keeps it.
func (v *Visit) Enter() bool {
	if !v.in && v.gate != nil {
		v.in = v.gate.Enter(v.bound)
		return v.in
	}
	return true
}

// Full reports whether the call would have to wait for its place.
func (v *Visit) Full() bool { return !v.in && v.gate != nil && v.gate.Full(v.bound) }

// Gate is where calls to the provider wait, Bound how long they may.
func (v *Visit) Gate() (*capacity.Gate, *capacity.Bound) { return v.gate, v.bound }

// End notes how the call ended. Only the first end counts.
func (v *Visit) End(r health.Result) {
	v.Call.End(r)
	if v.in {
		v.in = false
		v.gate.Leave()
	}
}

// Abandon ends a call that was not made, or whose end says nothing.
func (v *Visit) Abandon() { v.End(health.Result{Class: health.Abandoned}) }

// Bounded is implemented by providers that are to be sent no more than so many
// calls at a time.
type Bounded interface {
	Bound() capacity.Bound
}

// door is a provider's gate and its bound in this configuration.
type door struct {
	gate  *capacity.Gate
	bound capacity.Bound
}

// newDoors makes the doors of providers; none without a set.
func newDoors(set *capacity.Set, providers map[string]Provider) map[string]*door {
	if set == nil {
		return nil
	}
	doors := make(map[string]*door, len(providers))
	for name, p := range providers {
		d := &door{gate: set.Gate(name)}
		if b, ok := p.(Bounded); ok {
			d.bound = b.Bound()
		}
		doors[name] = d
	}
	return doors
}

// Bounds are the bounds of all providers.
func (g *Gateway) Bounds() map[string]capacity.Bound {
	bounds := make(map[string]capacity.Bound, len(g.doors))
	for name, d := range g.doors {
		bounds[name] = d.bound
	}
	return bounds
}

// full reports whether a call to provider would have to wait for a place.
func (g *Gateway) full(provider string) bool {
	d := g.doors[provider]
	return d != nil && d.gate.Full(&d.bound)
}

func (g *Gateway) visit(provider string, call health.Call) Visit {
	v := Visit{Call: call}
	if d := g.doors[provider]; d != nil {
		v.gate, v.bound = d.gate, &d.bound
	}
	return v
}
