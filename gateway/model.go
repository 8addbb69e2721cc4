package gateway

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// Model is an alias that clients may name. Its name may end in `*`.
type Model struct {
	Name string

	// Plan is where its requests go, unless one of the branches, tried in
	// order, is meant for them.
	Plan
	When []*Branch

	// Internal models are there for the plans of others. Clients can neither
	// list nor name them.
	Internal bool

	Retry    Retry
	Passive  Passive
	Policy   Policy
	Timeouts Timeouts

	// ContextWindow is the most tokens a prompt may have; 0: what the
	// catalogue knows of the target, if anything.
	ContextWindow int64
}

// Route is where a request goes.
type Route struct {
	// Name is what the route was asked for by: the client's word, or the name
	// of a model in its fallbacks.
	Name string

	// Alias is the configured name that matched; empty when the client named
	// the target itself.
	Alias    string
	Target   Target
	Provider Provider

	// Operation is what the upstream is asked for: the client's, or one into
	// which it is translated.
	Operation *wire.Operation

	Policy        Policy
	Timeouts      Timeouts
	ContextWindow int64

	pool *pool
}

// models is the immutable table of a configuration's names.
type models struct {
	exact    map[string]*Model
	prefixes []*Model // longest prefix first
}

func newModels(list []*Model) *models {
	m := &models{exact: make(map[string]*Model, len(list))}
	for _, model := range list {
		if strings.HasSuffix(model.Name, "*") {
			m.prefixes = append(m.prefixes, model)
		} else {
			m.exact[model.Name] = model
		}
	}
	sort.Slice(m.prefixes, func(i, j int) bool {
		a, b := m.prefixes[i].Name, m.prefixes[j].Name
		if len(a) != len(b) {
			return len(a) > len(b)
		}
		return a < b
	})
	return m
}

// find returns the model that name stands for and what its `*` matched.
func (m *models) find(name string) (model *Model, rest string) {
	if model, ok := m.exact[name]; ok {
		return model, ""
	}
	for _, model := range m.prefixes {
		prefix := strings.TrimSuffix(model.Name, "*")
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return model, rest
		}
	}
	return nil, ""
}

// names returns all configured names, sorted.
func (m *models) names() []string {
	names := make([]string, 0, len(m.exact)+len(m.prefixes))
	for name := range m.exact {
		names = append(names, name)
	}
	for _, model := range m.prefixes {
		names = append(names, model.Name)
	}
	sort.Strings(names)
	return names
}

// expand fills the `*` of a target: `anthropic/*` keeps the client's whole
// name, `x/gpt-*` takes what the alias's own `*` matched.
func expand(target Target, name, rest string) Target {
	switch {
	case target.Model == "*":
		target.Model = name
	case strings.Contains(target.Model, "*"):
		target.Model = strings.Replace(target.Model, "*", rest, 1)
	}
	return target
}

// CheckDowngrades refuses rules that send requests to a model that is neither
// configured nor some vendor's own.
func (g *Gateway) CheckDowngrades(rules []limits.Rule) error {
	for i := range rules {
		name := rules[i].Downgrade
		if name == "" || g.owner(name) != "" {
			continue
		}
		if model, _ := g.models.find(name); model != nil {
			continue
		}
		if provider, model, ok := strings.Cut(name, "/"); ok && model != "" && g.providers[provider] != nil {
			continue
		}
		return fmt.Errorf("limit %s: downgrade: %s", &rules[i], g.Unknown(name, anybody).Message)
	}
	return nil
}

// CheckModel refuses a name, which may be that of an internal model, where
// nothing can do op.
func (g *Gateway) CheckModel(op *wire.Operation, name string) error {
	_, err := g.legOf(new(legRoom), op, name, true, nil)
	if refusal := (*Error)(nil); errors.As(err, &refusal) {
		return errors.New(refusal.Message) // without the kind, which is for clients
	}
	return err
}

// names are the configured names that may be used, and those of providers as
// `name/*`, sorted.
func (g *Gateway) names(may func(model, target string) bool) []string {
	var names []string
	for _, model := range g.Models() {
		if may(model.Name, model.Targets[0].String()) {
			names = append(names, model.Name)
		}
	}
	for _, provider := range g.ProviderNames() {
		if all := provider + "/*"; may(all, all) {
			names = append(names, all)
		}
	}
	return names
}
