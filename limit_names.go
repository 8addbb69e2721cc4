package weir

import (
	"maps"
	"slices"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/typo"
)

// checkBearers refuses limits and prices of providers and models that there are not:
// nothing would ever be counted under them. Keys, teams and users may come later.
func (a *App) checkBearers(providers []string) error {
	for _, l := range a.Limits {
		if l.Name == gateway.Each {
			continue
		}
		provider, model, target := strings.Cut(l.Name, "/")
		switch l.Scope {
		case gateway.ScopeProvider:
			if !slices.Contains(providers, l.Name) {
				return gateway.BadName("limit provider", l.Name, "limit: the provider '%s' is not configured%s", l.Name, typo.Suggest(l.Name, providers...))
			}
		case gateway.ScopeModel:
			if _, alias := a.Models[l.Name]; !alias && !(target && model != "" && slices.Contains(providers, provider)) {
				near := slices.Sorted(maps.Keys(a.Models))
				return gateway.BadName("limit model", l.Name, "limit: '%s' is neither a configured model nor written provider/model%s", l.Name, typo.Suggest(l.Name, near...))
			}
		}
	}
	for _, price := range a.Prices {
		target, _, _ := strings.Cut(strings.TrimSpace(price), " ")
		provider, _, _ := strings.Cut(target, "/")
		if !strings.Contains(provider, "*") && !slices.Contains(providers, provider) {
			return gateway.BadName("price", target, "price of '%s': the provider '%s' is not configured%s", target, provider, typo.Suggest(provider, providers...))
		}
	}
	return nil
}
