package weir

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/policies"
)

// Routing is where the calls of a request may go.
type Routing struct {
	// The targets, in order. Their models may contain the `*` of the name, or
	// be `*` alone for the whole name that the client sent. Default: in `when`
	// those of the model, which must have one itself.
	Targets []Target `json:"targets,omitempty"`

	// How one of several targets is chosen. Default: `first`.
	LBPolicyRaw json.RawMessage `json:"lb_policy,omitempty" caddy:"namespace=ai.policies inline_key=policy"`

	// What is tried in order when no target could answer: other targets, or
	// other models of this configuration. Default: nothing.
	Fallback []Target `json:"fallback,omitempty"`

	// Which failures lead to what. Default: all but `context_length` and
	// `content_policy` lead to the fallback.
	FallbackOn []FallbackRule `json:"fallback_on,omitempty"`

	policy policies.Module
}

// FallbackRule is where certain failures lead.
type FallbackRule struct {
	// The failures: `rate_limit`, `overloaded`, `timeout`, `upstream_error`,
	// `context_length`, `content_policy` or `auth`.
	Classes []string `json:"classes"`

	// What is tried after them. Default: the fallback; when any rule names no
	// targets, only the failures of such rules lead there.
	Targets []Target `json:"targets,omitempty"`
}

// When is where requests go that meet all of some conditions. What it leaves
// out is as the model has it.
type When struct {
	// The conditions, all of which must hold.
	Conditions []gateway.Condition `json:"conditions"`

	// Another model of this configuration that the request is handed to, in
	// place of all below. Default: none.
	Model string `json:"model,omitempty"`

	Routing
}

// plan loads the policy and returns the routing as the domain knows it;
// targets is how many there are to choose from.
func (r *Routing) plan(ctx caddy.Context, targets int) (plan gateway.Plan, err error) {
	if r.LBPolicyRaw != nil {
		mod, err := ctx.LoadModule(r, "LBPolicyRaw")
		if err != nil {
			return plan, fmt.Errorf("lb_policy: %w", err)
		}
		policy, ok := mod.(policies.Module)
		if !ok {
			return plan, fmt.Errorf("lb_policy: module %T is no policy", mod)
		}
		r.policy = policy
	}
	if fitting, ok := r.policy.(policies.Fitting); ok {
		if err := fitting.Fit(targets); err != nil {
			return plan, fmt.Errorf("lb_policy: %w", err)
		}
	}
	if r.policy != nil {
		plan.Balance = r.policy.Policy()
	}
	balance := plan.Balance
	plan, err = r.names()
	plan.Balance = balance
	return plan, err
}

// names is the plan without its policy.
func (r *Routing) names() (plan gateway.Plan, err error) {
	plan.Targets = domainTargets(r.Targets)
	plan.Fallback = domainTargets(r.Fallback)
	for _, rule := range r.FallbackOn {
		classes, err := gateway.ParseClasses(rule.Classes)
		if err != nil {
			return plan, fmt.Errorf("fallback_on: %w", err)
		}
		plan.FallbackOn = append(plan.FallbackOn, gateway.FallbackRule{On: classes, To: domainTargets(rule.Targets)})
	}
	return plan, nil
}

func domainTargets(list []Target) (targets []gateway.Target) {
	for _, t := range list {
		targets = append(targets, t.domain())
	}
	return targets
}

// branches are the conditions and their plans; plan has been called for the
// model itself.
func (m *Model) branches(ctx caddy.Context) ([]*gateway.Branch, error) {
	branches := make([]*gateway.Branch, 0, len(m.When))
	for _, w := range m.When {
		if w == nil {
			return nil, errors.New("when: it is null")
		}
		branch := &gateway.Branch{When: w.Conditions}
		if w.Model != "" {
			if w.Targets != nil || w.LBPolicyRaw != nil || w.Fallback != nil || w.FallbackOn != nil {
				return nil, fmt.Errorf("when: the request is handed to '%s', which has its own targets, policy and fallbacks", w.Model)
			}
			branch.Alias = w.Model
			branches = append(branches, branch)
			continue
		}
		inherited := w.Routing
		inherited.inherit(&m.Routing)
		plan, err := inherited.plan(ctx, len(inherited.Targets))
		if err != nil {
			return nil, fmt.Errorf("when: %w", err)
		}
		branch.Plan = plan
		branches = append(branches, branch)
	}
	return branches, nil
}

// inherit fills in what r leaves out.
func (r *Routing) inherit(model *Routing) {
	if r.Targets == nil {
		r.Targets = model.Targets
	}
	if r.LBPolicyRaw == nil {
		r.policy = model.policy
	}
	if r.Fallback == nil {
		r.Fallback = model.Fallback
	}
	if r.FallbackOn == nil {
		r.FallbackOn = model.FallbackOn
	}
}

// Attempts says how often and when calls are made, and what they tell about a
// target.
type Attempts struct {
	// The failures after which another call is made: `rate_limit`,
	// `overloaded`, `timeout`, `upstream_error`, `context_length`,
	// `content_policy` or `auth`. Default: all but `context_length` and
	// `content_policy`.
	RetryOn []string `json:"retry_on,omitempty"`

	// How many calls to the model's targets may follow a first one that failed,
	// also to those that have failed already, after a pause. Default: `2`, but
	// only to targets and accounts that have not failed the request.
	LBRetries *int `json:"lb_retries,omitempty"`

	// For how long after the request came calls may still be begun. Default:
	// as long as the request may take.
	LBTryDuration caddy.Duration `json:"lb_try_duration,omitempty"`

	// The least pause before another call; what an upstream asks for goes
	// before it. Default: a random one that grows with each attempt.
	LBTryInterval caddy.Duration `json:"lb_try_interval,omitempty"`

	// A second call to another target when the first is slow. Default: none.
	Hedge *Hedge `json:"hedge,omitempty"`

	// What becomes of a stream that dies when some of it has been shown: `fail`
	// ends it with an error, `continue` lets another target go on from there.
	// Default: `fail`.
	OnCut string `json:"on_cut,omitempty"`

	// How many calls must fail in a row for a target to count as down.
	// Default: `3`.
	MaxFails int64 `json:"max_fails,omitempty"`

	// For how long it then counts as down; negative: not at all.
	// Default: `30s`.
	FailDuration caddy.Duration `json:"fail_duration,omitempty"`

	// The time to the first token from which an answer counts as a failure of
	// its target. Default: none.
	UnhealthyLatency caddy.Duration `json:"unhealthy_latency,omitempty"`
}

// Hedge is when a second call is made.
type Hedge struct {
	// How long after the first. Default: the time within which 95 of 100
	// answers of the target have begun.
	Delay caddy.Duration `json:"delay,omitempty"`
}

// The values of Attempts.OnCut.
const (
	onCutFail     = "fail"
	onCutContinue = "continue"
)

func (a *Attempts) check() error {
	switch {
	case a.LBRetries != nil && *a.LBRetries < 0:
		return errors.New("lb_retries must not be negative")
	case a.MaxFails < 0:
		return errors.New("max_fails must not be negative")
	case a.LBTryDuration < 0 || a.LBTryInterval < 0 || a.UnhealthyLatency < 0 || a.Hedge != nil && a.Hedge.Delay < 0:
		return errors.New("lb_try_duration, lb_try_interval, unhealthy_latency and the delay of hedge must not be negative")
	case a.OnCut != "" && a.OnCut != onCutFail && a.OnCut != onCutContinue:
		return fmt.Errorf("on_cut must be '%s' or '%s', not '%s'", onCutFail, onCutContinue, a.OnCut)
	}
	return nil
}

// retry is what bears on attempts, as the domain knows it.
func (a *Attempts) retry() (gateway.Retry, error) {
	on, err := gateway.ParseClasses(a.RetryOn)
	if err != nil {
		return gateway.Retry{}, fmt.Errorf("retry_on: %w", err)
	}
	retry := gateway.Retry{
		On:          on,
		Retries:     a.LBRetries,
		TryDuration: time.Duration(a.LBTryDuration),
		TryInterval: time.Duration(a.LBTryInterval),
		ContinueCut: a.OnCut == onCutContinue,
	}
	if a.Hedge != nil {
		retry.Hedge, retry.HedgeDelay = true, time.Duration(a.Hedge.Delay)
	}
	return retry, nil
}

// passive is what bears on health, as the domain knows it.
func (a *Attempts) passive() gateway.Passive {
	return gateway.Passive{
		MaxFails:         int(a.MaxFails),
		FailDuration:     time.Duration(a.FailDuration),
		UnhealthyLatency: time.Duration(a.UnhealthyLatency),
	}
}
