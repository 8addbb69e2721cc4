package upstream

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Common is what every provider can be told, also one that is not on the
// network.
type Common struct {
	Capacity
	HealthCheck
}

// Check refuses what makes no sense.
func (c *Common) Check() error {
	if err := c.Capacity.Check(); err != nil {
		return err
	}
	return c.HealthCheck.Check()
}

// CommonOptions are the options of a provider's block that Unmarshal reads.
var CommonOptions = []string{"max_in_flight", "queue", "health_interval", "health_timeout"}

// Unmarshal reads the option that d stands on, if it is one of CommonOptions.
// Syntax:
//
//	max_in_flight <calls>
//	queue <duration> [<calls>]
//	health_interval <duration>
//	health_timeout <duration>
func (c *Common) Unmarshal(d *caddyfile.Dispenser) (known bool, err error) {
	switch d.Val() {
	case "max_in_flight":
		return true, c.unmarshalBound(d)
	case "queue":
		return true, c.unmarshalQueue(d)
	case "health_interval":
		return true, unmarshalDuration(d, &c.Interval)
	case "health_timeout":
		return true, unmarshalDuration(d, &c.Timeout)
	default:
		return false, nil
	}
}

// unmarshalDuration reads the one value of an option that has no `off`.
func unmarshalDuration(d *caddyfile.Dispenser, into *caddy.Duration) error {
	var value string
	option := d.Val()
	if *into != 0 {
		return d.Errf("%s is given twice", option)
	}
	if !d.AllArgs(&value) {
		return d.ArgErr()
	}
	return readDuration(d, option, value, into)
}

func readDuration(d *caddyfile.Dispenser, option, value string, into *caddy.Duration) error {
	duration, err := caddy.ParseDuration(value)
	if err != nil || duration <= 0 {
		return d.Errf("%s: '%s' is no duration; write for example 5s", option, value)
	}
	*into = caddy.Duration(duration)
	return nil
}
