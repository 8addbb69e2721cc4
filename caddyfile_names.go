package weir

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/handlers"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/upstream"
)

// byDowngrade is what names models in limits, wherever these stand.
const byDowngrade = "limit downgrade"

// vocabulary is what a configuration knows by name before it is loaded.
type vocabulary struct {
	models, providers []string
	prefixes          []string // of models whose names are their vendors'
}

func (a *App) vocabulary() vocabulary {
	v := vocabulary{models: slices.Sorted(maps.Keys(a.Models)), providers: slices.Sorted(maps.Keys(a.ProvidersRaw))}
	for _, name := range v.providers {
		var guest struct {
			Module string `json:"provider"`
		}
		if json.Unmarshal(a.ProvidersRaw[name], &guest) != nil {
			continue
		}
		if info, err := caddy.GetModule("ai.providers." + guest.Module); err == nil {
			if preset, ok := info.New().(upstream.Preset); ok {
				v.prefixes = append(v.prefixes, preset.Preset().Prefixes...)
			}
		}
	}
	return v
}

// alias is the configured model that a name stands for, else the name.
func (v *vocabulary) alias(name string) string {
	best := ""
	for _, model := range v.models {
		if model == name {
			return model
		}
		if begin, pattern := strings.CutSuffix(model, "*"); pattern && strings.HasPrefix(name, begin) && len(model) > len(best) {
			best = model
		}
	}
	if best == "" {
		return name
	}
	return best
}

// check refuses a name by which no model can be found. by is where it stands.
func (v *vocabulary) check(by, name string) error {
	provider, model, target := strings.Cut(name, "/")
	switch {
	case slices.Contains(v.models, v.alias(name)), target && model != "" && slices.Contains(v.providers, provider):
		return nil
	case slices.ContainsFunc(v.prefixes, func(begin string) bool { return strings.HasPrefix(name, begin) }):
		return nil
	}
	near := typo.Suggest(name, v.models...)
	if target && near == "" {
		near = typo.Suggest(provider, v.providers...)
	}
	return gateway.BadName(by, name, "%s: '%s' is neither a configured model nor written provider/model%s", strings.TrimPrefix(by, "limit "), name, near)
}

// checkDowngrades does what gateway.Gateway.CheckDowngrades does.
func (v *vocabulary) checkDowngrades(rules []limits.Rule) error {
	for i := range rules {
		if name := rules[i].Downgrade; name != "" {
			if err := v.check(byDowngrade, name); err != nil {
				return fmt.Errorf("limit %s: %w", &rules[i], err)
			}
		}
	}
	return nil
}

// noteDowngrade notes where a limit names a model.
func (p wordPlaces) noteDowngrade(rule *limits.Rule, d *caddyfile.Dispenser) {
	if name := rule.Downgrade; name != "" && p[byDowngrade][name] == "" {
		p.name(byDowngrade, name, d)
	}
}

// checkHandler refuses a directive that names what there is not; first is at its
// beginning.
func checkHandler(h httpcaddyfile.Helper, first caddyfile.Dispenser, handler any) error {
	option, ok := h.Option("ai").(httpcaddyfile.App)
	if !ok {
		return nil
	}
	app := new(App)
	if err := json.Unmarshal(option.Value, app); err != nil {
		return err
	}
	v := app.vocabulary()
	var err error
	switch handler := handler.(type) {
	case *handlers.Limit:
		err = v.checkDowngrades(handler.Limits)
	case *handlers.Cache:
		if handler != nil && handler.Semantic != nil && handler.Semantic.Embedder != "" {
			err = v.check("embedder", handler.Semantic.Embedder)
		}
	}
	places := make(wordPlaces)
	first.Next()
	places.note("", &first)
	for _, by := range []string{byDowngrade, "embedder"} {
		places[by] = places[""]
	}
	return places.at(err)
}
