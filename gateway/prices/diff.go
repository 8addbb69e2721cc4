package prices

import (
	"slices"
	"strings"
)

// Difference is a model that two catalogues have different prices for.
type Difference struct {
	Name     string
	Old, New string // the prices in words; empty: none
}

// Diff returns what is different in other, sorted by name.
func (c *Catalogue) Diff(other *Catalogue) []Difference {
	var list []Difference
	for _, price := range c.All() {
		now := ""
		if same := other.get(price.Name); same != nil {
			now = same.String()
		}
		if was := price.String(); was != now {
			list = append(list, Difference{price.Name, was, now})
		}
	}
	for _, price := range other.All() {
		if c.get(price.Name) == nil {
			list = append(list, Difference{price.Name, "", price.String()})
		}
	}
	slices.SortFunc(list, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (c *Catalogue) get(name string) *Price {
	provider, model, _ := strings.Cut(name, "/")
	return c.models[provider][model]
}
