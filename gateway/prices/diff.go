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
	was, is := c.texts(), other.texts()
	var list []Difference
	for name, old := range was {
		if now := is[name]; old != now {
			list = append(list, Difference{name, old, now})
		}
	}
	for name, now := range is {
		if was[name] == "" {
			list = append(list, Difference{name, "", now})
		}
	}
	slices.SortFunc(list, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// texts are the prices in words, those of one model one after the other, by
// name.
func (c *Catalogue) texts() map[string]string {
	texts := make(map[string]string)
	for _, price := range c.All() {
		if before := texts[price.Name]; before != "" {
			texts[price.Name] = before + "; " + price.String()
			continue
		}
		texts[price.Name] = price.String()
	}
	return texts
}
