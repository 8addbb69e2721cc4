package handlers

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
)

func init() {
	caddy.RegisterModule(Auth{})
}

// Auth finds out who asks: the holder of a virtual key, or whom another
// authentication of Caddy's has found. Without a valid credential the request
// ends here, with 401 in the shape that the path's SDK expects.
//
// A key is accepted as `Authorization: Bearer`, `x-api-key`,
// `x-goog-api-key`, `api-key` and `?key=`. Where neither keys nor a
// source of keys nor an identity are configured, only loopback and private
// clients pass.
//
// Placeholders, for handlers behind this one and for logs:
//
// Placeholder | Description
// ------------|-------------
// `{http.ai.key.name}` | the key's name
// `{http.ai.key.id}` | its public id
// `{http.ai.key.user}` `{http.ai.key.team}` | whose it is
// `{http.ai.key.tags}` | its tags, with commas
// `{http.ai.key.metadata.*}` | what else it says
//
// The key's name, or the identity, is the access log's `user_id`.
type Auth struct {
	// Serve requests that bring no credential, or one that is not known, from
	// anywhere. Default: `false`.
	Anonymous bool `json:"anonymous,omitempty"`

	// Who asks, as another authentication of Caddy's has found it: placeholders
	// such as `{http.auth.user.id}`; the first that is not empty counts.
	// Default: none.
	Identity []string `json:"identity,omitempty"`

	// The identity's team, a placeholder. Default: none.
	Team string `json:"team,omitempty"`

	gateway *gateway.Gateway
	metrics *telemetry.Metrics
	keys    *keys.Set
}

// CaddyModule returns the Caddy module information.
func (Auth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ai_auth",
		New: func() caddy.Module { return new(Auth) },
	}
}

// Provision implements caddy.Provisioner.
func (a *Auth) Provision(ctx caddy.Context) error {
	host, err := hostOf(ctx)
	if err != nil {
		return err
	}
	a.gateway, a.metrics, a.keys = host.Gateway(), host.Metrics(), host.VirtualKeys()
	return nil
}

// caller is who a request is made for. A nil key has no limits of its own
// and may use every model.
type caller struct {
	principal gateway.Principal
	key       *keys.Key
	grant     keys.Grant // what key was found by
}

// callerVar is the request variable that holds a *caller.
const callerVar = "ai.caller"

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (a *Auth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method == http.MethodHead && decodedPath(r.URL) == "/" {
		return next.ServeHTTP(w, r) // agents probe their base URL with it
	}
	c, refusal := a.identify(r, a.gateway.Now())
	if refusal != nil {
		refuseEarly(w, r, a.gateway, a.metrics, refusal)
		return nil
	}
	caddyhttp.SetVar(r.Context(), callerVar, c)
	return next.ServeHTTP(w, r)
}

// identify finds the caller of r, who asks now, or says why it is none.
func (a *Auth) identify(r *http.Request, now time.Time) (*caller, *gateway.Error) {
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if c := a.identity(repl); c != nil {
		return c, nil
	}
	credential, _, err := keys.Extract(r.Header, r.URL.RawQuery)
	switch {
	case err != nil && !a.Anonymous:
		return nil, unauthorized(err)
	case credential != "" && a.keys.Asked():
		key, err := a.keys.Find(credential, now)
		if err == nil {
			c := newCaller(key, repl)
			c.grant.Credential = credential
			return c, nil
		}
		if !a.Anonymous {
			return nil, unauthorized(err)
		}
	}
	if key, ok := a.keys.Anonymous(now); ok {
		return newCaller(key, repl), nil
	}
	switch {
	case a.Anonymous:
		return &caller{}, nil
	case a.keys.Asked(), len(a.Identity) > 0:
		return nil, &gateway.Error{Kind: wire.KindAuthentication, Message: "no API key was sent; send one as 'Authorization: Bearer', 'x-api-key', 'x-goog-api-key' or 'api-key'"}
	case private(clientIP(r)):
		return &caller{}, nil
	default:
		return nil, &gateway.Error{Kind: wire.KindAuthentication, Message: "no API key is configured here, so only loopback and private addresses are served"}
	}
}

// identity is the caller that another authentication has found, nil if none.
func (a *Auth) identity(repl *caddy.Replacer) *caller {
	if repl == nil {
		return nil
	}
	for _, placeholder := range a.Identity {
		user := strings.TrimSpace(repl.ReplaceAll(placeholder, ""))
		if user == "" {
			continue
		}
		p := gateway.Principal{User: user, Team: repl.ReplaceAll(a.Team, "")}
		repl.Set("http.ai.key.user", p.User)
		repl.Set("http.ai.key.team", p.Team)
		return &caller{principal: p}
	}
	return nil
}

func newCaller(key *keys.Key, repl *caddy.Replacer) *caller {
	p := key.Principal()
	c := &caller{principal: gateway.Principal{Key: p.Key, User: p.User, Team: p.Team}, key: key}
	if repl != nil {
		// The key's holder it is, whoever has set another before. What is set goes
		// before what is mapped.
		if _, taken := repl.Get(userID); taken {
			repl.Set(userID, p.Key)
		}
		repl.Map(c.placeholder)
	}
	return c
}

// userID is the placeholder of the access log's user_id.
const userID = "http.auth.user.id"

// placeholder answers {http.ai.key.*}, and who asks: most sites ask for neither.
func (c *caller) placeholder(name string) (any, bool) {
	if name == userID {
		return c.principal.Key, true
	}
	name, ok := strings.CutPrefix(name, "http.ai.key.")
	if !ok {
		return nil, false
	}
	p := c.key.Principal()
	switch name {
	case "name":
		return p.Key, true
	case "id":
		return p.KeyID, true
	case "user":
		return p.User, true
	case "team":
		return p.Team, true
	case "tags":
		return strings.Join(p.Tags, ","), true
	}
	if name, ok = strings.CutPrefix(name, "metadata."); ok {
		value, ok := p.Metadata[name]
		return value, ok
	}
	return nil, false
}

// unauthorized words why a credential is not accepted. An unknown key and a
// wrong one read the same.
func unauthorized(err error) *gateway.Error {
	message := "the API key is not valid"
	switch {
	case errors.Is(err, keys.ErrDamaged), errors.Is(err, keys.ErrConflict):
		message = err.Error()
	case errors.Is(err, keys.ErrExpired), errors.Is(err, keys.ErrDisabled):
		message = err.Error()
	}
	return &gateway.Error{Kind: wire.KindAuthentication, Message: message, Cause: err}
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Auth)(nil)
	_ caddyhttp.MiddlewareHandler = (*Auth)(nil)
)
