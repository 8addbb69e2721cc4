// Package accesslog is the format `ai` of Caddy's logs: lines as its format
// `json` writes them, without the credentials that clients of AI APIs send, and
// for less work, since every request has a line.
package accesslog

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap/zapcore"
)

func init() {
	caddy.RegisterModule(&Format{})
}

// Format encodes log entries as JSON without credentials: beside those that Caddy
// hides, the headers and the query parameter that carry the keys of AI vendors.
type Format struct {
	zapcore.Encoder `json:"-"`
	logging.LogEncoderConfig
}

// CaddyModule returns the Caddy module information.
func (*Format) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.ai",
		New: func() caddy.Module { return new(Format) },
	}
}

// Provision implements caddy.Provisioner.
func (f *Format) Provision(caddy.Context) error {
	f.Encoder = newEncoder(f.ZapcoreEncoderConfig())
	return nil
}

// UnmarshalCaddyfile reads `ai`, whose options are those of Caddy's `json`.
func (f *Format) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	return f.LogEncoderConfig.UnmarshalCaddyfile(d)
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*Format)(nil)
	_ caddyfile.Unmarshaler = (*Format)(nil)
	_ zapcore.Encoder       = (*Format)(nil)
)
