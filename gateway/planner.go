package gateway

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/internal/typo"
)

// planner checks the plans of a configuration and makes them ready.
type planner struct {
	models     *models
	providers  map[string]Provider
	identities identities
}

func (p *planner) prepare(m *Model) error {
	if len(m.Targets) == 0 || m.Plan.Alias != "" {
		return fmt.Errorf("model '%s' has no target", m.Name)
	}
	if err := p.check(m.Name, &m.Plan); err != nil {
		return err
	}
	for _, b := range m.When {
		var err error
		if len(b.When) == 0 {
			return fmt.Errorf("model '%s': when: no condition is given", m.Name)
		}
		if b.tests, err = compileAll(b.When); err != nil {
			return fmt.Errorf("model '%s': when: %w", m.Name, err)
		}
		// What looks like a target may be a model with a slash in its name.
		if len(b.Targets) == 1 && p.names(b.Targets[0]) {
			b.Plan = Plan{Alias: b.Targets[0].String()}
		}
		if len(b.Targets) == 0 && b.Alias == "" {
			return fmt.Errorf("model '%s': when: it has no target", m.Name)
		}
		if err := p.check(m.Name, &b.Plan); err != nil {
			return err
		}
	}
	return nil
}

// names reports whether a target written provider/model can only be the name
// of a model.
func (p *planner) names(t Target) bool {
	_, provider := p.providers[t.Provider]
	_, model := p.models.exact[t.String()]
	return !provider && model
}

func (p *planner) check(owner string, plan *Plan) error {
	plan.identity = p.identities.plan(owner, plan.Targets)
	if plan.Alias != "" {
		if model, _ := p.models.find(plan.Alias); model == nil {
			return p.unknownAlias(owner, plan.Alias)
		}
	}
	for _, target := range plan.Targets {
		if err := p.checkTarget(owner, target); err != nil {
			return err
		}
	}
	if err := p.checkFallback(owner, plan.Fallback); err != nil {
		return err
	}
	var seen Classes
	for _, rule := range plan.FallbackOn {
		if twice := seen & rule.On; twice != 0 {
			return fmt.Errorf("model '%s': fallback_on names the error class '%s' twice", owner, twice)
		}
		if seen |= rule.On; rule.On == 0 {
			return fmt.Errorf("model '%s': fallback_on names no error class", owner)
		}
		if len(rule.To) == 0 && len(plan.Fallback) == 0 {
			return fmt.Errorf("model '%s': fallback_on %s names no target, and there is no fallback", owner, rule.On)
		}
		if err := p.checkFallback(owner, rule.To); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) checkTarget(owner string, target Target) error {
	if target.Provider == "" {
		return BadName(owner, target.String(), "model '%s': target '%s' must be written provider/model", owner, target)
	}
	if _, ok := p.providers[target.Provider]; !ok {
		return BadName(owner, target.String(), "model '%s' names the provider '%s', which is not configured%s", owner, target.Provider, typo.Suggest(target.Provider, sortedNames(p.providers)...))
	}
	if target.Model == "" {
		return BadName(owner, target.String(), "model '%s': target '%s' names no model", owner, target)
	}
	return nil
}

// checkFallback checks targets that may be names of models, and makes them so
// where nothing else is meant.
func (p *planner) checkFallback(owner string, targets []Target) error {
	for i := range targets {
		t := &targets[i]
		if t.Provider != "" && p.names(*t) {
			*t = Target{Model: t.String()}
		}
		if t.Provider != "" {
			if err := p.checkTarget(owner, *t); err != nil {
				return err
			}
		} else if model, _ := p.models.find(t.Model); model == nil {
			return p.unknownAlias(owner, t.Model)
		}
	}
	return nil
}

func (p *planner) unknownAlias(owner, name string) error {
	// A class that is mistyped behind others in fallback_on looks like a name.
	near := append(p.models.names(), classNames[:]...)
	return BadName(owner, name, "model '%s' names '%s', which is neither a configured model nor written provider/model%s", owner, name, typo.Suggest(name, near...))
}

// checkCircles refuses models that lead back to themselves.
func (p *planner) checkCircles(list []*Model) error {
	const open, done = 1, 2
	state := make(map[*Model]int, len(list))
	var path []string
	var visit func(m *Model, by string) error
	visit = func(m *Model, by string) error {
		path = append(path, m.Name)
		defer func() { path = path[:len(path)-1] }()
		switch state[m] {
		case done:
			return nil
		case open:
			first := 0
			for path[first] != m.Name {
				first++
			}
			return BadName(path[len(path)-2], by, "models lead in a circle: %s", strings.Join(path[first:], " → "))
		}
		state[m] = open
		for _, name := range m.aliases() {
			next, _ := p.models.find(name)
			if err := visit(next, name); err != nil {
				return err
			}
		}
		state[m] = done
		return nil
	}
	for _, m := range list {
		if err := visit(m, m.Name); err != nil {
			return err
		}
	}
	return nil
}
