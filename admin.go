package weir

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI is Weir's part of Caddy's admin endpoint: the routes of keys and
// usage, and its collectors in the registry that the endpoint serves. Caddy replaces that endpoint before it provisions a
// configuration's apps and keeps the new one when they fail: were it left to
// the `ai` app, a reload that is rejected before the app's turn would take
// the counts off `/metrics` until the next good one.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.ai",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Provision implements caddy.Provisioner.
func (adminAPI) Provision(ctx caddy.Context) error {
	if err := metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("serving metrics: %w", err)
	}
	return nil
}

// Interface guards.
var (
	_ caddy.AdminRouter = adminAPI{}
	_ caddy.Provisioner = adminAPI{}
)
