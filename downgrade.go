package weir

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// checkDowngrades refuses limits that send requests to a model that the
// configuration does not know, and models whose limits send them to each other. alias
// is the configured name that a name stands for.
func (a *App) checkDowngrades(known func([]limits.Rule) error, alias func(string) string) error {
	to := make(map[string][]string) // models' own, by alias
	check := func(whose, model string, rules ...limits.Rule) error {
		if err := known(rules); err != nil {
			return fmt.Errorf("%s: %w", whose, err)
		}
		for i := range rules {
			if name := rules[i].Downgrade; name != "" && model != "" && model != gateway.Each {
				to[model] = append(to[model], alias(name))
			}
		}
		return nil
	}
	for name, m := range a.Models {
		if err := check("model '"+name+"'", name, m.Limits...); err != nil {
			return err
		}
	}
	for name, k := range a.Keys {
		if err := check("key '"+name+"'", "", k.Limits...); err != nil {
			return err
		}
	}
	for _, l := range a.Limits {
		model := ""
		if l.Scope == gateway.ScopeModel {
			model = l.Name
		}
		if err := check("limit", model, l.Rule); err != nil {
			return err
		}
	}
	return checkCircle(to)
}

// alias is the configured name that stands for name, else name itself.
func (a *App) alias(name string) string {
	if model, _ := a.gateway.Alias(name); model != nil {
		return model.Name
	}
	return name
}

// checkCircle refuses a way of names that comes back to where it began.
func checkCircle(to map[string][]string) error {
	done := make(map[string]bool)
	var visit func(name string, way []string) error
	visit = func(name string, way []string) error {
		if i := slices.Index(way, name); i >= 0 {
			return gateway.BadName(byDowngrade, name, "limits downgrade in a circle: %s", strings.Join(append(way[i:], name), " → "))
		}
		if done[name] {
			return nil
		}
		for _, next := range to[name] {
			if err := visit(next, append(way, name)); err != nil {
				return err
			}
		}
		done[name] = true
		return nil
	}
	names := make([]string, 0, len(to))
	for name := range to {
		names = append(names, name)
	}
	slices.Sort(names) // the same circle is always told from the same place
	for _, name := range names {
		if err := visit(name, nil); err != nil {
			return err
		}
	}
	return nil
}
