package policies

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway/balance"
)

func init() {
	caddy.RegisterModule(Header{})
	caddy.RegisterModule(ClientIPHash{})
	caddy.RegisterModule(KeyHash{})
}

// Header leads requests with the same value of a header field to the same
// target, so that its prompt cache stays warm.
type Header struct {
	// The name of the header field. Default: none; it is required.
	Field string `json:"field,omitempty"`

	Affinity
}

// CaddyModule returns the Caddy module information.
func (Header) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "header", New: func() caddy.Module { return new(Header) }}
}

// Provision implements caddy.Provisioner.
func (h *Header) Provision(ctx caddy.Context) error {
	if h.Field == "" {
		return errors.New("the name of a header field is missing")
	}
	return h.provision(ctx, h)
}

// Policy implements Module.
func (h *Header) Policy() balance.Policy {
	return balance.NewHeaderHash(h.Field, h.Weights, h.fallback.module.Policy())
}

// UnmarshalCaddyfile reads:
//
//	header <name> {
//		fallback <policy>
//		weights <numbers...>
//	}
func (h *Header) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&h.Field) {
		return d.ArgErr()
	}
	return h.readBlock(d)
}

// ClientIPHash leads the requests of one client address, as `trusted_proxies`
// have it, to the same target.
type ClientIPHash struct {
	Affinity
}

// CaddyModule returns the Caddy module information.
func (ClientIPHash) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "client_ip_hash", New: func() caddy.Module { return new(ClientIPHash) }}
}

// Provision implements caddy.Provisioner.
func (h *ClientIPHash) Provision(ctx caddy.Context) error { return h.provision(ctx, h) }

// Policy implements Module.
func (h *ClientIPHash) Policy() balance.Policy {
	return balance.NewClientIPHash(h.Weights, h.fallback.module.Policy())
}

// UnmarshalCaddyfile reads:
//
//	client_ip_hash {
//		fallback <policy>
//		weights <numbers...>
//	}
func (h *ClientIPHash) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	return h.readBlock(d)
}

// KeyHash leads the requests of one principal, which is the virtual key's, to
// the same target.
type KeyHash struct {
	Affinity
}

// CaddyModule returns the Caddy module information.
func (KeyHash) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: namespace + "key_hash", New: func() caddy.Module { return new(KeyHash) }}
}

// Provision implements caddy.Provisioner.
func (h *KeyHash) Provision(ctx caddy.Context) error { return h.provision(ctx, h) }

// Policy implements Module.
func (h *KeyHash) Policy() balance.Policy {
	return balance.NewKeyHash(h.Weights, h.fallback.module.Policy())
}

// UnmarshalCaddyfile reads:
//
//	key_hash {
//		fallback <policy>
//		weights <numbers...>
//	}
func (h *KeyHash) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	return h.readBlock(d)
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*Header)(nil)
	_ caddy.Provisioner     = (*ClientIPHash)(nil)
	_ caddy.Provisioner     = (*KeyHash)(nil)
	_ Module                = (*Header)(nil)
	_ Module                = (*ClientIPHash)(nil)
	_ Module                = (*KeyHash)(nil)
	_ Fitting               = (*Affinity)(nil)
	_ caddyfile.Unmarshaler = (*Header)(nil)
	_ caddyfile.Unmarshaler = (*ClientIPHash)(nil)
	_ caddyfile.Unmarshaler = (*KeyHash)(nil)
)
