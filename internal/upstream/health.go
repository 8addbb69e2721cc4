package upstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
)

// HealthCheck is whether targets that are down are asked by the gateway itself
// whether they are up again.
type HealthCheck struct {
	// How often each of the provider's configured targets that is down is asked
	// for one token, 10 % more or less. Targets that are up are never asked: each
	// check is a call that the provider may bill. Default: `0`, never; the next
	// request finds out.
	Interval caddy.Duration `json:"health_interval,omitempty"`

	// How long a check may take, a minute at most. Default: `10s`.
	Timeout caddy.Duration `json:"health_timeout,omitempty"`
}

const (
	defaultHealthTimeout = 10 * time.Second

	// maxHealthTimeout is less than the time after which the tracker takes a
	// probe for lost and lets another one through.
	maxHealthTimeout = time.Minute
)

// Recheck implements gateway.Rechecked.
func (h *HealthCheck) Recheck() gateway.Recheck {
	r := gateway.Recheck{Interval: time.Duration(h.Interval), Timeout: time.Duration(h.Timeout)}
	if r.Timeout == 0 {
		r.Timeout = defaultHealthTimeout
	}
	return r
}

// Check refuses what makes no sense.
func (h *HealthCheck) Check() error {
	switch {
	case h.Interval < 0 || h.Timeout < 0:
		return errors.New("health_interval and health_timeout must not be negative")
	case h.Interval == 0 && h.Timeout > 0:
		return errors.New("health_timeout needs health_interval: nothing is checked without it")
	case time.Duration(h.Timeout) > maxHealthTimeout:
		return fmt.Errorf("health_timeout: %s is more than %s", time.Duration(h.Timeout), maxHealthTimeout)
	}
	return nil
}

// Interface guard.
var _ gateway.Rechecked = (*HealthCheck)(nil)
