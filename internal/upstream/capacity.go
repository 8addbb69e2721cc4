package upstream

import (
	"errors"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/capacity"
	"github.com/weirproxy/weir/internal/words"
)

// Capacity is how much a provider is sent at a time.
type Capacity struct {
	// The most calls that are made to the provider at a time, by each instance
	// of the gateway; a stream counts until its end. Default: `0`, no bound.
	MaxInFlight int `json:"max_in_flight,omitempty"`

	// How long a call may wait for its place when all are taken and its model
	// has no other target that could serve it. Default: `0`, it is refused at
	// once.
	Queue caddy.Duration `json:"queue,omitempty"`

	// How many calls may wait. Default: `100`.
	QueueLength int `json:"queue_length,omitempty"`
}

// Bound implements gateway.Bounded.
func (c *Capacity) Bound() capacity.Bound {
	return capacity.Bound{MaxInFlight: c.MaxInFlight, Queue: time.Duration(c.Queue), Length: c.QueueLength}
}

// Check refuses what makes no sense.
func (c *Capacity) Check() error {
	switch {
	case c.MaxInFlight < 0 || c.Queue < 0 || c.QueueLength < 0:
		return errors.New("max_in_flight and queue must not be negative")
	case c.MaxInFlight == 0 && (c.Queue > 0 || c.QueueLength > 0):
		return errors.New("queue needs max_in_flight: nobody waits where there is no bound")
	case c.Queue == 0 && c.QueueLength > 0:
		return errors.New("queue_length needs queue")
	}
	return nil
}

func (c *Capacity) unmarshalBound(d *caddyfile.Dispenser) error {
	if c.MaxInFlight != 0 {
		return d.Err("max_in_flight is given twice")
	}
	return words.Few(d, &c.MaxInFlight, maxPlaces)
}

// maxPlaces bounds what can be meant by a bound.
const maxPlaces = 1_000_000

func (c *Capacity) unmarshalQueue(d *caddyfile.Dispenser) error {
	if c.Queue != 0 {
		return d.Err("queue is given twice")
	}
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	if err := readDuration(d, "queue", args[0], &c.Queue); err != nil {
		return err
	}
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 || n > maxPlaces {
			return d.Errf("queue: '%s' is no whole number from 1 to %d", args[1], maxPlaces)
		}
		c.QueueLength = n
	}
	return nil
}

// Interface guard.
var _ gateway.Bounded = (*Capacity)(nil)
