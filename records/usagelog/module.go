// Package usagelog is the usage sink `log`: one JSON line per exchange
// through Caddy's logging, under the logger `ai.usage`.
package usagelog

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
)

func init() {
	caddy.RegisterModule(&Sink{})
}

// Sink writes usage records to the log. Where they go is up to Caddy's
// `log` option: include the logger `ai.usage`.
type Sink struct {
	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*Sink) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.usage.log",
		New: func() caddy.Module { return new(Sink) },
	}
}

// name is the module whose name the logger bears: records are found under
// `ai.usage`, whichever sink writes them.
type name struct{}

func (name) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "ai.usage", New: func() caddy.Module { return new(name) }}
}

// Provision implements caddy.Provisioner.
func (s *Sink) Provision(ctx caddy.Context) error {
	s.logger = ctx.Logger(name{})
	return nil
}

// UnmarshalCaddyfile reads `usage log`, which has no options.
func (*Sink) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(d.Nesting()) {
		return d.Errf("unrecognized option '%s' of usage log", d.Val())
	}
	return nil
}

// Record implements gateway.UsageSink.
func (s *Sink) Record(r *gateway.Record) {
	if c := s.logger.Check(zapcore.InfoLevel, "usage"); c != nil {
		c.Write(zap.Inline(telemetry.Object{Record: r}))
	}
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*Sink)(nil)
	_ caddyfile.Unmarshaler = (*Sink)(nil)
	_ gateway.UsageSink     = (*Sink)(nil)
)
