package weir

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/handlers"
)

// Every directive, its place in the order and the global option are registered
// here and nowhere else: orders depend on the sequence of their registration.
// Directives of one request path are registered in the order in which a request
// passes them; each goes before reverse_proxy and so behind the one before.
func init() {
	httpcaddyfile.RegisterGlobalOption("ai", parseGlobal)

	httpcaddyfile.RegisterHandlerDirective("ai_health", named(handlers.ParseHealth))
	httpcaddyfile.RegisterHandlerDirective("ai_auth", named(handlers.ParseAuth))
	httpcaddyfile.RegisterHandlerDirective("ai_limit", named(handlers.ParseLimit))
	httpcaddyfile.RegisterHandlerDirective("ai_cache", named(handlers.ParseCache))
	httpcaddyfile.RegisterHandlerDirective("ai_proxy", named(handlers.ParseProxy))
	httpcaddyfile.RegisterDirective("ai_gateway", parseGateway)

	for _, directive := range []string{"ai_health", "ai_auth", "ai_limit", "ai_cache", "ai_proxy", "ai_gateway"} {
		httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.Before, "reverse_proxy")
	}
}

// named reads a directive once it is known that models name what there is.
func named(parse httpcaddyfile.UnmarshalHandlerFunc) httpcaddyfile.UnmarshalHandlerFunc {
	return func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		if err := checkNames(h); err != nil {
			return nil, err
		}
		first := *h.Dispenser
		handler, err := parse(h)
		if err == nil {
			err = checkHandler(h, first, handler)
		}
		return handler, err
	}
}

// parseGateway reads the sugar `ai_gateway`, which stands for the handlers of
// the request path in one route: ai_auth, ai_cache where something is to be kept,
// and ai_proxy. It takes the options of all. Syntax:
//
//	ai_gateway [<matcher>] {
//		...
//	}
func parseGateway(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	first := *h.Dispenser
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	if err := checkNames(h); err != nil {
		return nil, err
	}
	auth, cache, proxy, err := handlers.ParseGateway(h)
	if err != nil {
		return nil, err
	}
	if err := checkHandler(h, first, cache); err != nil {
		return nil, err
	}
	path := []json.RawMessage{caddyconfig.JSONModuleObject(auth, "handler", "ai_auth", nil)}
	if cache != nil {
		path = append(path, caddyconfig.JSONModuleObject(cache, "handler", "ai_cache", nil))
	}
	path = append(path, caddyconfig.JSONModuleObject(proxy, "handler", "ai_proxy", nil))
	// A subroute would be compiled, and measured where metrics are on, for each request.
	route := caddyhttp.Route{HandlersRaw: path}
	if matcher != nil {
		route.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
	}
	return []httpcaddyfile.ConfigValue{{Class: "route", Value: route}}, nil
}
