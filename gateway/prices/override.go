package prices

import (
	"fmt"
	"slices"
	"strings"
)

// Overrides are the prices of a configuration, by target. Their zero value
// has none. They are built before they are shared.
type Overrides struct {
	exact    map[string]*Price
	prefixes []*Price // the longest first
}

// Add reads `price <target-pattern> <price>`; words are those after `price`. A
// pattern is "provider/model" by the configuration's own names of providers,
// or the beginning of targets and a `*`. Case counts.
func (o *Overrides) Add(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("price: want a target and a price, such as: openai/gpt-4.1 input 2 output 8")
	}
	pattern := words[0]
	prefix, wild := strings.CutSuffix(pattern, "*")
	provider, model, ok := strings.Cut(pattern, "/")
	if strings.Contains(prefix, "*") || (pattern != "*" && (!ok || provider == "" || model == "")) {
		return fmt.Errorf("price: '%.100s' is no target; write provider/model, or its beginning and a `*`", pattern)
	}
	price, err := Parse(words[1:])
	if err != nil {
		return fmt.Errorf("price of '%s': %w", pattern, err)
	}
	price.Name, price.Version, price.Match = pattern, "override", Override
	if o.exact[pattern] != nil || slices.ContainsFunc(o.prefixes, func(p *Price) bool { return p.Name == pattern }) {
		return fmt.Errorf("price: '%s' has two prices", pattern)
	}
	if !wild {
		if o.exact == nil {
			o.exact = map[string]*Price{}
		}
		o.exact[pattern] = price
		return nil
	}
	o.prefixes = append(o.prefixes, price)
	slices.SortStableFunc(o.prefixes, func(a, b *Price) int { return len(b.Name) - len(a.Name) })
	return nil
}

// Find returns the price of a target, "provider/model": the exact pattern's,
// else the longest beginning's.
func (o *Overrides) Find(target string) (*Price, bool) {
	if price := o.exact[target]; price != nil {
		return price, true
	}
	for _, price := range o.prefixes {
		if strings.HasPrefix(target, strings.TrimSuffix(price.Name, "*")) {
			return price, true
		}
	}
	return nil, false
}

// Table is what a gateway asks: overrides before the catalogue.
type Table struct {
	Overrides Overrides
	Catalogue *Catalogue
}

// Find returns the price of a model of the provider that the configuration
// calls name and whose module is module.
func (t *Table) Find(name, module, model string) (*Price, bool) {
	if price, ok := t.Overrides.Find(name + "/" + model); ok {
		return price, true
	}
	if t.Catalogue == nil {
		return nil, false
	}
	return t.Catalogue.Find(module, model)
}
