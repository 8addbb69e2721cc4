package policies

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway/balance"
)

func init() { caddy.RegisterModule(WeightedRoundRobin{}) }

// WeightedRoundRobin chooses targets in proportion to their weights, evenly
// mixed; one whose learned quota is nearly spent less often.
type WeightedRoundRobin struct {
	// The weight of each target, in the order of the targets. A target of
	// weight 0 is called only when no other is usable. Default: none; they are
	// required.
	Weights []int `json:"weights,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (WeightedRoundRobin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "weighted_round_robin", New: func() caddy.Module { return new(WeightedRoundRobin) }}
}

// Validate implements caddy.Validator.
func (w *WeightedRoundRobin) Validate() error { return checkWeights(w.Weights) }

// Policy implements Module.
func (w *WeightedRoundRobin) Policy() balance.Policy {
	return balance.NewWeightedRoundRobin(random, w.Weights)
}

// Fit implements Fitting.
func (w *WeightedRoundRobin) Fit(targets int) error { return fitWeights(w.Weights, targets) }

// UnmarshalCaddyfile reads `weighted_round_robin <weights...>`.
func (w *WeightedRoundRobin) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next()
	if w.Weights, err = readWeights(d); err != nil {
		return err
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("unrecognized option '%s': the policy has none", d.Val())
	}
	return nil
}

// Interface guards.
var (
	_ caddy.Validator       = (*WeightedRoundRobin)(nil)
	_ Module                = (*WeightedRoundRobin)(nil)
	_ Fitting               = (*WeightedRoundRobin)(nil)
	_ caddyfile.Unmarshaler = (*WeightedRoundRobin)(nil)
)
