package policies

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway/balance"
)

func init() {
	caddy.RegisterModule(First{})
	caddy.RegisterModule(Random{})
	caddy.RegisterModule(RoundRobin{})
	caddy.RegisterModule(LeastConn{})
	caddy.RegisterModule(LeastLatency{})
	caddy.RegisterModule(LeastCost{})
}

// First chooses the first target that is usable.
type First struct{}

// CaddyModule returns the Caddy module information.
func (First) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "first", New: func() caddy.Module { return new(First) }}
}

// Policy implements Module.
func (First) Policy() balance.Policy { return balance.First{} }

// UnmarshalCaddyfile reads `first`.
func (*First) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// Random chooses any target; one whose learned quota is nearly spent less
// often.
type Random struct{}

// CaddyModule returns the Caddy module information.
func (Random) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "random", New: func() caddy.Module { return new(Random) }}
}

// Policy implements Module.
func (Random) Policy() balance.Policy { return balance.NewRandom(random) }

// UnmarshalCaddyfile reads `random`.
func (*Random) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// RoundRobin chooses one target after the other; one whose learned quota is
// nearly spent less often.
type RoundRobin struct{}

// CaddyModule returns the Caddy module information.
func (RoundRobin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "round_robin", New: func() caddy.Module { return new(RoundRobin) }}
}

// Policy implements Module.
func (RoundRobin) Policy() balance.Policy { return balance.NewRoundRobin(random) }

// UnmarshalCaddyfile reads `round_robin`.
func (*RoundRobin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// LeastConn chooses the target with the fewest calls in flight; one whose
// learned quota is nearly spent less often.
type LeastConn struct{}

// CaddyModule returns the Caddy module information.
func (LeastConn) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "least_conn", New: func() caddy.Module { return new(LeastConn) }}
}

// Policy implements Module.
func (LeastConn) Policy() balance.Policy { return balance.NewLeastConn(random) }

// UnmarshalCaddyfile reads `least_conn`.
func (*LeastConn) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// LeastLatency draws two targets and chooses the one with the lower product of
// its time to first token (an average that follows peaks at once) and its calls
// in flight; one whose learned quota is nearly spent less often. A target of
// which nothing is known yet is tried by one call at a time.
type LeastLatency struct{}

// CaddyModule returns the Caddy module information.
func (LeastLatency) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "least_latency", New: func() caddy.Module { return new(LeastLatency) }}
}

// Policy implements Module.
func (LeastLatency) Policy() balance.Policy { return balance.NewLeastLatency(random) }

// UnmarshalCaddyfile reads `least_latency`.
func (*LeastLatency) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// LeastCost chooses the target where the call costs least; one whose learned
// quota is nearly spent less often. Targets without a known price come last; of
// equals, the one with the fewest calls in flight is chosen.
type LeastCost struct{}

// CaddyModule returns the Caddy module information.
func (LeastCost) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "least_cost", New: func() caddy.Module { return new(LeastCost) }}
}

// Policy implements Module.
func (LeastCost) Policy() balance.Policy { return balance.NewLeastCost(random) }

// UnmarshalCaddyfile reads `least_cost`.
func (*LeastCost) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// Interface guards.
var (
	_ Module                = First{}
	_ Module                = Random{}
	_ Module                = RoundRobin{}
	_ Module                = LeastConn{}
	_ Module                = LeastLatency{}
	_ Module                = LeastCost{}
	_ caddyfile.Unmarshaler = (*First)(nil)
	_ caddyfile.Unmarshaler = (*Random)(nil)
	_ caddyfile.Unmarshaler = (*RoundRobin)(nil)
	_ caddyfile.Unmarshaler = (*LeastConn)(nil)
	_ caddyfile.Unmarshaler = (*LeastLatency)(nil)
	_ caddyfile.Unmarshaler = (*LeastCost)(nil)
)
