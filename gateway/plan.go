package gateway

import (
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway/balance"
)

// Plan is where the calls of a request may go, in general and when they fail.
// A target without a provider is the name of another configured model.
type Plan struct {
	// Alias hands the request over to another model; all else is then empty.
	Alias string

	// Targets share the calls as Balance says; nil: the first that is up. The
	// model part may contain the `*` of the name, or be `*` alone for the
	// client's whole name.
	Targets []Target
	Balance balance.Policy

	// Fallback is tried in order when no target could answer, and FallbackOn
	// says what failures go elsewhere. See [Plan.FallbackFor].
	Fallback   []Target
	FallbackOn []FallbackRule

	identity string
}

// FallbackRule is where certain failures lead.
type FallbackRule struct {
	On Classes

	// To are their own targets; none: those of the plan's Fallback.
	To []Target
}

// FallbackFor returns what is tried after a failure of class c: the targets of
// the rule that names it, else those of Fallback. Rules without targets say
// which failures lead to Fallback at all; without such a rule it is those of
// [DefaultClasses].
func (p *Plan) FallbackFor(c Class) []Target {
	var general Classes
	for _, rule := range p.FallbackOn {
		switch {
		case len(rule.To) == 0:
			general |= rule.On
		case rule.On.Has(c):
			return rule.To
		}
	}
	if general == 0 {
		general = DefaultClasses
	}
	if !general.Has(c) {
		return nil
	}
	return p.Fallback
}

// Branch is a plan for requests that meet all its conditions.
type Branch struct {
	When []Condition
	Plan

	tests []test
}

// Retry says how often and when failed calls are made anew, before anything
// of an answer has been shown. Zero values mean the defaults of whoever calls.
type Retry struct {
	// On are the failures after which another call is made; empty:
	// [DefaultClasses].
	On Classes

	// Retries is how many calls may follow the first; nil: the default.
	Retries *int

	// TryDuration is for how long calls may be begun, TryInterval the least
	// pause between two.
	TryDuration, TryInterval time.Duration

	// Hedge sends a second call when the first is slow: after HedgeDelay, or
	// when that is 0 after the time within which 95 of 100 answers begin.
	Hedge      bool
	HedgeDelay time.Duration

	// ContinueCut lets another target continue a stream that dies after its
	// commit point.
	ContinueCut bool
}

// Passive says what calls tell about a target's health. Zero values mean the
// defaults; a negative FailDuration that failures are not remembered.
type Passive struct {
	// MaxFails failures in a row make a target count as down for FailDuration.
	MaxFails     int
	FailDuration time.Duration

	// UnhealthyLatency is the time to first token from which an answer counts
	// as a failure; 0: none does.
	UnhealthyLatency time.Duration
}

// Choose returns the plan of a request: that of the first branch whose
// conditions hold, else the model's own.
func (m *Model) Choose(f *Facts) *Plan {
	if len(m.When) > 0 && f.Prompt != nil && !f.looked {
		f.Tools, f.Images = f.Prompt.Contents()
		f.looked = true
	}
	for _, b := range m.When {
		if hold(b.tests, f) {
			return &b.Plan
		}
	}
	return &m.Plan
}

// Follow chooses the plan of a request for model, whose `*` matched rest, and
// hands it on from model to model until one has targets. It returns that model,
// what its own `*` matched, and its plan.
func (g *Gateway) Follow(model *Model, rest string, f *Facts) (*Model, string, *Plan) {
	plan := model.Choose(f)
	for plan.Alias != "" { // New has made sure that this ends
		model, rest = g.models.find(plan.Alias)
		plan = model.Choose(f)
	}
	return model, rest, plan
}

// Alias returns the configured model that a target without a provider names,
// and what its `*` matched. Internal models can be named here.
func (g *Gateway) Alias(name string) (model *Model, rest string) { return g.models.find(name) }

// plans are the model's own and those of its branches.
func (m *Model) plans() []*Plan {
	plans := []*Plan{&m.Plan}
	for _, b := range m.When {
		plans = append(plans, &b.Plan)
	}
	return plans
}

// lists are all lists of targets in the plan.
func (p *Plan) lists() [][]Target {
	lists := [][]Target{p.Targets, p.Fallback}
	for _, rule := range p.FallbackOn {
		lists = append(lists, rule.To)
	}
	return lists
}

// Targets are all that the configured models can lead to, each once. What a `*`
// stands for cannot be known.
func (g *Gateway) Targets() []Target {
	var list []Target
	known := make(map[Target]bool)
	for _, model := range g.AllModels() {
		for _, plan := range model.plans() {
			for _, targets := range plan.lists() {
				for _, t := range targets {
					if t.Provider != "" && !strings.Contains(t.Model, "*") && !known[t] {
						known[t] = true
						list = append(list, t)
					}
				}
			}
		}
	}
	return list
}

// aliases are the names of other models that the model can lead to.
func (m *Model) aliases() (names []string) {
	for _, plan := range m.plans() {
		if plan.Alias != "" {
			names = append(names, plan.Alias)
		}
		for _, list := range plan.lists() {
			for _, t := range list {
				if t.Provider == "" {
					names = append(names, t.Model)
				}
			}
		}
	}
	return names
}
