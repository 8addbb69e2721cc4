package gateway

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/prices"
)

// The scopes that a limit can hold for. ScopeEach of a name is every bearer of
// the scope, each with a counter of its own.
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
	by map[string]map[string][]limits.Rule
}

// Add adds rules of one scope; name is "" for the global scope, Each for all
// bearers of the scope.
func (r *Rules) Add(scope, name string, rules ...limits.Rule) error {
	if r.by == nil {
		r.by = make(map[string]map[string][]limits.Rule)
	}
	if r.by[scope] == nil {
		r.by[scope] = make(map[string][]limits.Rule)
	}
	all := append(r.by[scope][name], rules...)
	if err := limits.Check(all); err != nil {
		return fmt.Errorf("limits of %s: %w", strings.TrimSpace(scope+" "+name), err)
	}
	r.by[scope][name] = all
	return nil
}

// IsZero reports whether there is no limit at all.
func (r *Rules) IsZero() bool { return len(r.by) == 0 }

// Of returns the rules of a bearer, its own and those for each.
func (r *Rules) Of(scope, name string) (own, each []limits.Rule) {
	named := r.by[scope]
	if named == nil || scope != ScopeGlobal && name == "" {
		return nil, nil
	}
	if own = named[name]; name != Each {
		each = named[Each]
	}
	return own, each
}

// Bearer is one holder of limits.
type Bearer struct{ Scope, Name string }

// Bearers are those that limits name, in no order; not those under limits of
// each of a scope.
func (r *Rules) Bearers() []Bearer {
	var list []Bearer
	for scope, named := range r.by {
		for name := range named {
			if name != Each {
				list = append(list, Bearer{scope, name})
			}
		}
	}
	return list
}

// Money is what a gateway knows of prices.
type Money struct {
	Table prices.Table

	// Unpriced is what becomes of a request whose price is not known, for
	// callers under a limit in usd: "deny", "estimate" or "free".
	Unpriced string
}

// The ways to treat what has no price.
const (
	UnpricedDeny     = "deny"
	UnpricedEstimate = "estimate"
	UnpricedFree     = "free"
)
