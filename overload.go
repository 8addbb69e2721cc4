package weir

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway/overload"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// Overload is what is too much for the process.
type Overload struct {
	// Whether nobody is ever refused for it. Default: `false`.
	Off bool `json:"off,omitempty"`

	// The most requests that are served at a time, streams included. The lowest
	// priority has four fifths of it, each higher one a twentieth more.
	// Default: `0`, no bound.
	MaxInFlight int `json:"max_in_flight,omitempty"`

	// The most memory in bytes that may be in use, garbage apart; negative: not
	// looked at. Default: as max_memory_percent says.
	MaxMemory int64 `json:"max_memory,omitempty"`

	// The same in percent of what the process may use by GOMEMLIMIT or its
	// cgroup; where neither has a limit, none holds. Default: `80`.
	MaxMemoryPercent int `json:"max_memory_percent,omitempty"`

	// How long goroutines may wait for a processor, at the 99th percentile, before
	// the gateway counts as out of it; negative: not looked at. Default: `2s`, which no
	// burst of requests reaches by itself.
	TargetLatency caddy.Duration `json:"target_latency,omitempty"`
}

// Defaults of Overload.
const (
	defaultMemoryPercent = 80
	defaultTargetLatency = 2 * time.Second
)

func (o *Overload) check() error {
	if o != nil && (o.MaxInFlight < 0 || o.MaxMemoryPercent < 0 || o.MaxMemoryPercent > 100) {
		return fmt.Errorf("overload: max_in_flight must not be negative, max_memory_percent not above 100")
	}
	return nil
}

// settings are the domain's; limit is the memory that the process may use, 0 for
// no limit.
func (o *Overload) settings(limit int64) overload.Settings {
	if o == nil {
		o = &Overload{}
	}
	if o.Off {
		return overload.Settings{}
	}
	s := overload.Settings{MaxInFlight: o.MaxInFlight, MaxMemory: max(o.MaxMemory, 0), TargetLatency: max(time.Duration(o.TargetLatency), 0)}
	if o.MaxMemory == 0 {
		percent := o.MaxMemoryPercent
		if percent == 0 {
			percent = defaultMemoryPercent
		}
		s.MaxMemory = limit / 100 * int64(percent)
	}
	if o.TargetLatency == 0 {
		s.TargetLatency = defaultTargetLatency
	}
	return s
}

func (p *appParser) overload(d *caddyfile.Dispenser) error {
	if p.app.Overload != nil {
		return d.Err("overload is given twice")
	}
	o := &Overload{}
	p.app.Overload = o
	if d.NextArg() {
		if d.Val() != "off" || d.NextArg() {
			return d.ArgErr()
		}
		o.Off = true
	}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		switch {
		case o.Off:
			return d.Err("overload off takes no options")
		case given[option]:
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		if err := o.unmarshal(d); err != nil {
			return err
		}
	}
	return nil
}

func (o *Overload) unmarshal(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "max_in_flight":
		return words.Few(d, &o.MaxInFlight, 1<<30)
	case "max_memory":
		return o.unmarshalMemory(d)
	case "target_latency":
		return words.Duration(d, &o.TargetLatency)
	default:
		return d.Errf("unrecognized overload option '%s'%s", d.Val(), typo.Suggest(d.Val(), "max_in_flight", "max_memory", "target_latency"))
	}
}

func (o *Overload) unmarshalMemory(d *caddyfile.Dispenser) error {
	next := d.RemainingArgs()
	if len(next) != 1 {
		return d.ArgErr()
	}
	if next[0] == "off" {
		o.MaxMemory = -1
		return nil
	}
	if share, ok := strings.CutSuffix(next[0], "%"); ok {
		n, err := strconv.Atoi(share)
		if err != nil || n < 1 || n > 100 {
			return d.Errf("max_memory: '%s' is no percentage from 1%% to 100%%", next[0])
		}
		o.MaxMemoryPercent = n
		return nil
	}
	d.Prev()
	return words.Size(d, &o.MaxMemory)
}

// Guard implements handlers.Host.
func (a *App) Guard() *overload.Guard { return a.shared.overload }

// overloaded logs an episode when it begins and when it is over, and emits it as
// an event.
func overloaded(e overload.Episode) {
	app, err := running()
	if err != nil {
		return // there is no one to tell
	}
	data := map[string]any{"reason": string(e.Reason), "over": e.Over}
	if !e.Over {
		app.logger.Warn("overloaded: refusing requests", zap.String("reason", string(e.Reason)))
	} else {
		data["shed"], data["seconds"] = e.Shed, e.Lasted.Seconds()
		app.logger.Info("no longer overloaded", zap.String("reason", string(e.Reason)), zap.Int64("shed", e.Shed), zap.Duration("lasted", e.Lasted))
	}
	app.emit("ai.overload", data)
}
