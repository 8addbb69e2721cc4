package handlers

import (
	"fmt"
	"net/http"
	"strings"

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
	// `{client_ip}`; those that begin with `{http.ai.` are known wherever
	// this handler stands. Default: one counter for all requests.
	Key string `json:"key,omitempty"`

	// Tells the counters of several of these handlers apart that have the
	// same key and should not share them. Default: none.
	Name string `json:"name,omitempty"`

	// The limits, such as `requests 10 1m`. Default: none; one is required.
	Limits []limits.Rule `json:"limits,omitempty"`

	// late says that the key is known only once ai_auth and ai_proxy have looked at
	// the request, wherever they stand.
	late bool
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
	l.late = strings.Contains(l.Key, "{http.ai.")
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

// zone is one counter of a Limit handler; name is empty until it is known.
type zone struct {
	limit *Limit
	name  string
}

// named is the name of the counter, which is known by now.
func (z *zone) named(r *http.Request) string {
	if z.name == "" {
		return z.limit.zone(r)
	}
	return z.name
}

// zone is the name of the counter that r counts for, as far as r has come.
func (l *Limit) zone(r *http.Request) string {
	value := ""
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		value = repl.ReplaceAll(l.Key, "")
	}
	return l.Name + "\x00" + l.Key + "\x00" + value
}

// zonesVar is the request variable that holds the []zone of a request.
const zonesVar = "ai.limits"

func zonesOf(r *http.Request) []zone {
	zones, _ := caddyhttp.GetVar(r.Context(), zonesVar).([]zone)
	return zones
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (l *Limit) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	z := zone{limit: l}
	if !l.late { // what comes in between may change what it stands for
		z.name = l.zone(r)
	}
	caddyhttp.SetVar(r.Context(), zonesVar, append(zonesOf(r), z))
	return next.ServeHTTP(w, r)
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Limit)(nil)
	_ caddy.Validator             = (*Limit)(nil)
	_ caddyhttp.MiddlewareHandler = (*Limit)(nil)
)
