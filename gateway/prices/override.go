package prices

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Overrides are the prices of a configuration, by target. Their zero value
// has none. They are built before they are shared.
type Overrides struct {
	exact    map[string]schedule
	prefixes []prefix // the longest first
}

// prefix is the prices of the targets that begin with it.
type prefix struct {
	text   string
	prices schedule
}

// Add reads `price <target-pattern> <price>`; words are those after `price`. A
// pattern is "provider/model" by the configuration's own names of providers,
// or the beginning of targets and a `*`. Case counts.
func (o *Overrides) Add(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("price: want a target and a price, such as: openai/gpt-4.1 input 2 output 8")
	}
	pattern := words[0]
	begin, wild := strings.CutSuffix(pattern, "*")
	provider, model, ok := strings.Cut(pattern, "/")
	if strings.Contains(begin, "*") || (pattern != "*" && (!ok || provider == "" || model == "")) {
		return fmt.Errorf("price: '%.100s' is no target; write provider/model, or its beginning and a `*`", pattern)
	}
	price, err := Parse(words[1:])
	if err != nil {
		return fmt.Errorf("price of '%s': %w", pattern, err)
	}
	price.Name, price.Version, price.Match = pattern, price.version("override"), Override
	if !wild {
		all, err := o.exact[pattern].add(price)
		if err != nil {
			return fmt.Errorf("price: '%s' %w", pattern, err)
		}
		if o.exact == nil {
			o.exact = map[string]schedule{}
		}
		o.exact[pattern] = all
		return nil
	}
	at := slices.IndexFunc(o.prefixes, func(p prefix) bool { return p.text == begin })
	if at < 0 {
		o.prefixes = append(o.prefixes, prefix{begin, schedule{price}})
		slices.SortStableFunc(o.prefixes, func(a, b prefix) int { return len(b.text) - len(a.text) })
		return nil
	}
	all, err := o.prefixes[at].prices.add(price)
	if err != nil {
		return fmt.Errorf("price: '%s' %w", pattern, err)
	}
	o.prefixes[at].prices = all
	return nil
}

// Find returns the price of a target, "provider/model", at a time: the exact
// pattern's, else the longest beginning's that has one then.
func (o *Overrides) Find(target string, at time.Time) (*Price, bool) {
	if price := o.exact[target].at(at); price != nil {
		return price, true
	}
	for i := range o.prefixes {
		if p := &o.prefixes[i]; strings.HasPrefix(target, p.text) {
			if price := p.prices.at(at); price != nil {
				return price, true
			}
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
// calls name and whose module is module, as it is at a time.
func (t *Table) Find(name, module, model string, at time.Time) (*Price, bool) {
	if price, ok := t.Overrides.Find(name+"/"+model, at); ok {
		return price, true
	}
	if t.Catalogue == nil {
		return nil, false
	}
	return t.Catalogue.Find(module, model, at)
}
