package policies

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/internal/typo"
)

// Affinity are the settings of the policies that lead a session to the same
// target, by consistent hashing.
type Affinity struct {
	// The share of sessions that each target gets, in the order of the
	// targets. Default: equal shares.
	Weights []int `json:"weights,omitempty"`

	// The policy for requests that lack what is hashed. Default: `random`.
	FallbackRaw json.RawMessage `json:"fallback,omitempty" caddy:"namespace=ai.policies inline_key=policy"`

	fallback fallback
}

func (a *Affinity) provision(ctx caddy.Context, host any) error {
	if len(a.Weights) > 0 {
		if err := checkWeights(a.Weights); err != nil {
			return fmt.Errorf("weights: %w", err)
		}
	}
	if a.FallbackRaw == nil {
		a.FallbackRaw = defaultFallback
	}
	return a.fallback.load(ctx, host)
}

// Fit implements Fitting.
func (a *Affinity) Fit(targets int) error {
	if len(a.Weights) > 0 {
		if err := fitWeights(a.Weights, targets); err != nil {
			return err
		}
	}
	return a.fallback.fit(targets)
}

// readBlock reads the options.
func (a *Affinity) readBlock(d *caddyfile.Dispenser) (err error) {
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if given[option] {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		switch option {
		case "weights":
			if a.Weights, err = readWeights(d); err != nil {
				return err
			}
		case "fallback":
			if err := a.fallback.read(d, &a.FallbackRaw); err != nil {
				return err
			}
		default:
			return d.Errf("unrecognized option '%s'%s", option, typo.Suggest(option, "weights", "fallback"))
		}
	}
	return nil
}
