package gateway

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/gateway/limits"
)

// The scopes that a limit can hold for. Each instead of a name is every bearer
// of the scope, with a counter of its own for every one.
const (
	ScopeGlobal   = "global"
	ScopeSite     = "site"
	ScopeProvider = "provider"
	ScopeModel    = "model"
	ScopeTeam     = "team"
	ScopeUser     = "user"
	ScopeKey      = "key"

	Each = "*"
)

// NamedScopes are the scopes whose limits name a bearer.
var NamedScopes = []string{ScopeProvider, ScopeModel, ScopeTeam, ScopeUser, ScopeKey}

// Rules are the limits of a configuration, by scope and bearer. They are
// immutable once shared.
type Rules struct {
	by map[string]map[string]limits.Ruled
}

// Add adds rules of one scope; name is "" for the global scope, Each for all
// bearers of the scope.
func (r *Rules) Add(scope, name string, rules ...limits.Rule) error {
	if r.by == nil {
		r.by = make(map[string]map[string]limits.Ruled)
	}
	if r.by[scope] == nil {
		r.by[scope] = make(map[string]limits.Ruled)
	}
	all := append(r.by[scope][name].Rules, rules...)
	if err := limits.Check(all); err != nil {
		return fmt.Errorf("limits of %s: %w", strings.TrimSpace(scope+" "+name), err)
	}
	r.by[scope][name] = limits.RulesOf(scope, name, all)
	return nil
}

// Of returns the rules of a bearer, its own and those for each.
func (r *Rules) Of(scope, name string) (own limits.Ruled, each []limits.Rule) {
	named := r.by[scope]
	if named == nil || scope != ScopeGlobal && name == "" {
		return own, nil
	}
	if own = named[name]; name != Each {
		each = named[Each].Rules
	}
	return own, each
}

// Any reports whether there are rules of a scope at all.
func (r *Rules) Any(scope string) bool { return r.by[scope] != nil }

// Bearer is one holder of limits.
type Bearer struct{ Scope, Name string }

// Bearers are those that limits name, in no order; [Each] is one of them.
func (r *Rules) Bearers() []Bearer {
	var list []Bearer
	for scope, named := range r.by {
		for name := range named {
			list = append(list, Bearer{scope, name})
		}
	}
	return list
}

// The ways to treat a request whose price is not known, of a caller under a
// limit in usd.
const (
	UnpricedDeny     = "deny"
	UnpricedEstimate = "estimate"
	UnpricedFree     = "free"
)
