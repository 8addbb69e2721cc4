package prices

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed data/prices.txt
var embedded string

// Catalogue is a table of prices. It is immutable.
type Catalogue struct {
	version string
	models  map[string]map[string]schedule // by provider and model, in lower case
}

// Default is the catalogue of this binary. It is read at the first call.
func Default() *Catalogue { return loaded() }

var loaded = sync.OnceValue(func() *Catalogue {
	c, err := Read(embedded)
	if err != nil {
		panic("reading the embedded prices: " + err.Error()) // a test reads them
	}
	return c
})

// Read reads a catalogue: a line "version V", and a line "provider model
// price…" for each price of a model; see [Parse]. Lines that begin with # are comments.
func Read(text string) (*Catalogue, error) {
	c := &Catalogue{models: map[string]map[string]schedule{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
			continue
		case words[0] == "version" && len(words) == 2:
			c.version = words[1]
			continue
		case len(words) < 3:
			return nil, fmt.Errorf("line %d: want a provider, a model and a price", number)
		case c.version == "":
			return nil, fmt.Errorf("line %d: a line such as 'version 2026-11-25' must come first", number)
		}
		price, err := Parse(words[2:])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		provider, model := words[0], strings.ToLower(words[1])
		if c.models[provider] == nil {
			c.models[provider] = map[string]schedule{}
		}
		price.Name, price.Version, price.Match = provider+"/"+model, price.version(c.version), Exact
		all, err := c.models[provider][model].add(price)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s %w", number, price.Name, err)
		}
		c.models[provider][model] = all
	}
	if c.version == "" {
		return nil, errors.New("there is no line such as 'version 2026-11-25'")
	}
	return c, nil
}

// Version is the day that the catalogue's prices are of.
func (c *Catalogue) Version() string { return c.version }

// siblings sell the same models elsewhere at list prices that seldom differ.
var siblings = map[string]string{"azure_openai": "openai", "vertex": "gemini"}

// Find returns the price of a provider's model that is in force at a time;
// provider is the module's name ("openai", "bedrock", "azure_openai" …). The
// price's Match says how sure it is.
func (c *Catalogue) Find(provider, model string, at time.Time) (price *Price, ok bool) {
	model = strings.ToLower(model)
	if price := c.models[provider][model].at(at); price != nil {
		return price, true
	}
	if price, ok := c.find(provider, model, at); ok {
		return price, true
	}
	if sibling := siblings[provider]; sibling != "" {
		if price, ok := c.find(sibling, model, at); ok {
			return price.as(Family), true
		}
	}
	return nil, false
}

func (c *Catalogue) find(provider, model string, at time.Time) (*Price, bool) {
	table := c.models[provider]
	if table == nil || model == "" {
		return nil, false
	}
	// A fine-tuned model costs what the catalogue has for fine-tuned ones of
	// its base (ft:gpt-4o-2024-08-06:org::id), never what the base costs.
	if strings.HasPrefix(model, "ft:") {
		for name := model; name != ""; name = cutColon(name) {
			if price := table[name].at(at); price != nil {
				return price, true
			}
		}
		return nil, false
	}
	list := spellings(provider, model)
	for _, name := range list {
		if price := table[name].at(at); price != nil {
			return price, true
		}
	}
	for _, name := range list {
		for rest, ok := undated(name); ok; rest, ok = undated(rest) {
			if price := table[rest].at(at); price != nil {
				return price.as(Undated), true
			}
		}
	}
	for _, name := range list {
		for rest := parent(name); rest != ""; rest = parent(rest) {
			if price := table[rest].at(at); price != nil {
				return price.as(Family), true
			}
		}
	}
	return nil, false
}

func cutColon(name string) string {
	if at := strings.LastIndexByte(name, ':'); at > len("ft:") {
		return name[:at]
	}
	return ""
}

// as returns the price with another match.
func (p *Price) as(match Match) *Price {
	other := *p
	other.Match = match
	if other.Estimated() {
		other.Version += "~" + other.Name
	}
	return &other
}

// All returns every price, sorted by name and then by when it comes into force.
func (c *Catalogue) All() []*Price {
	var list []*Price
	for _, table := range c.models {
		for _, all := range table {
			list = append(list, all...)
		}
	}
	slices.SortStableFunc(list, func(a, b *Price) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Search returns the prices whose name is or contains text, sorted by name.
func (c *Catalogue) Search(text string) []*Price {
	text = strings.ToLower(text)
	return slices.DeleteFunc(c.All(), func(p *Price) bool { return !strings.Contains(p.Name, text) })
}
