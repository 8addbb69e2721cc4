// Package policies holds the guest modules of `ai.policies`: how one of a
// model's targets is chosen. The choices themselves are made in
// gateway/balance; a module here is what the configuration says of one.
package policies

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway/balance"
)

// Module is a module of `ai.policies`. Policy is valid once it is provisioned,
// and makes a policy with a state of its own at each call.
type Module interface {
	caddy.Module
	Policy() balance.Policy
}

// Fitting is a module whose settings depend on how many targets there are,
// which it does not know itself. The module need not be provisioned.
type Fitting interface {
	// Fit refuses settings that do not fit a number of targets.
	Fit(targets int) error
}

// namespace is where the modules live.
const namespace = "ai.policies."

// random is the source that all policies draw from; it takes no lock.
var random balance.Rand = rand.Uint64

// noArguments reads a policy that takes none; d is fresh.
func noArguments(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("unrecognized option '%s': the policy has none", d.Val())
	}
	return nil
}

// maxWeight keeps sums far from an overflow.
const maxWeight = 1_000_000

// readWeights reads the rest of the line as weights, at least one.
func readWeights(d *caddyfile.Dispenser) ([]int, error) {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return nil, d.ArgErr()
	}
	weights := make([]int, 0, len(args))
	for _, arg := range args {
		weight, err := strconv.Atoi(arg)
		if err != nil || weight < 0 || weight > maxWeight {
			return nil, d.Errf("'%s' is no weight: a whole number from 0 to %d", arg, maxWeight)
		}
		weights = append(weights, weight)
	}
	if err := checkWeights(weights); err != nil {
		return nil, d.WrapErr(err)
	}
	return weights, nil
}

func checkWeights(weights []int) error {
	total := 0
	for _, weight := range weights {
		if weight < 0 || weight > maxWeight {
			return fmt.Errorf("%d is no weight: a whole number from 0 to %d", weight, maxWeight)
		}
		total += weight
	}
	if total == 0 {
		return fmt.Errorf("one weight at least must be above 0")
	}
	return nil
}

func fitWeights(weights []int, targets int) error {
	if len(weights) != targets {
		return fmt.Errorf("%d %s for %d %s; each target takes one, in their order",
			len(weights), plural(len(weights), "weight"), targets, plural(targets, "target"))
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
