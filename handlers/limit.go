package handlers

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway/limits"
)

func init() {
	caddy.RegisterModule(Limit{})
}

// Limit sets limits for whatever a placeholder says: an address, a header, a
// claim. It refuses nothing by itself: the gateway behind it decides these
// limits together with all others, in one step.
type Limit struct {
	// What has a counter of its own, with placeholders, such as
	// `{client_ip}`. Default: one counter for all requests.
	Key string `json:"key,omitempty"`

	// Tells the counters of several of these handlers apart that have the
	// same key and should not share them. Default: none.
	Name string `json:"name,omitempty"`

	// The limits, such as `requests 10 1m`.
	Limits []limits.Rule `json:"limits,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Limit) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ai_limit",
		New: func() caddy.Module { return new(Limit) },
	}
}

// Provision implements caddy.Provisioner.
func (l *Limit) Provision(ctx caddy.Context) error {
	host, err := hostOf(ctx)
	if err != nil {
		return err
	}
	return host.Gateway().CheckDowngrades(l.Limits)
}

// Validate implements caddy.Validator.
func (l *Limit) Validate() error {
	if len(l.Limits) == 0 {
		return fmt.Errorf("no limit is given")
	}
	return limits.Check(l.Limits)
}

// zone is one counter of a Limit handler.
type zone struct {
	name  string
	rules []limits.Rule
}

// zonesVar is the request variable that holds the []zone of a request.
const zonesVar = "ai.limits"

func zonesOf(r *http.Request) []zone {
	zones, _ := caddyhttp.GetVar(r.Context(), zonesVar).([]zone)
	return zones
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (l *Limit) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	value := ""
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		value = repl.ReplaceAll(l.Key, "")
	}
	z := zone{name: l.Name + "\x00" + l.Key + "\x00" + value, rules: l.Limits}
	caddyhttp.SetVar(r.Context(), zonesVar, append(zonesOf(r), z))
	return next.ServeHTTP(w, r)
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Limit)(nil)
	_ caddy.Validator             = (*Limit)(nil)
	_ caddyhttp.MiddlewareHandler = (*Limit)(nil)
)
