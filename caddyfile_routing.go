package weir

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
	"github.com/weirproxy/weir/policies"
)

// readTargets reads the rest of a line as targets.
func (r *Routing) readTargets(d *caddyfile.Dispenser) error {
	for d.NextArg() {
		target := readName(d.Val())
		if target.Provider == "" || target.Model == "" {
			return d.Errf("target '%s' must be written provider/model", d.Val())
		}
		r.Targets = append(r.Targets, target)
	}
	return nil
}

// readName reads a word that may be a target or the name of a model.
func readName(word string) Target {
	if provider, model, ok := strings.Cut(word, "/"); ok && provider != "" {
		return Target{Provider: provider, Model: model}
	}
	return Target{Model: word}
}

// routingReader reads the options that a model and a `when` share.
type routingReader struct {
	routing *Routing

	// policy is what lb_policy made, at the place where it stands; place is
	// where an error of a policy that does not fit is to be seen.
	policy caddyfile.Unmarshaler
	place  *caddyfile.Dispenser
}

// option reads one option, if it is one of routing's.
func (r *routingReader) option(d *caddyfile.Dispenser, option string) (known bool, err error) {
	switch option {
	case "lb_policy":
		r.place = place(d)
		if !d.NextArg() {
			return true, d.ArgErr()
		}
		r.policy, r.routing.LBPolicyRaw, err = policies.ReadGuest(d)
	case "fallback":
		names, err := readNames(d)
		if err != nil {
			return true, err
		}
		if len(names) == 0 {
			return true, d.ArgErr()
		}
		r.routing.Fallback = append(r.routing.Fallback, names...)
	case "fallback_on":
		err = r.fallbackOn(d)
	default:
		return false, nil
	}
	return true, err
}

// place is a dispenser that stands where d does and stays there.
func place(d *caddyfile.Dispenser) *caddyfile.Dispenser {
	here := caddyfile.NewDispenser([]caddyfile.Token{d.Token()})
	here.Next()
	return here
}

// readNames reads the rest of a line as targets or models.
func readNames(d *caddyfile.Dispenser) (names []Target, err error) {
	for d.NextArg() {
		name := readName(d.Val())
		if name.Model == "" || strings.HasPrefix(name.Model, "/") {
			return nil, d.Errf("'%s' is neither the name of a model nor written provider/model", d.Val())
		}
		names = append(names, name)
	}
	return names, nil
}

// fallbackOn reads error classes, and then what is tried after them.
func (r *routingReader) fallbackOn(d *caddyfile.Dispenser) error {
	var rule FallbackRule
	for d.NextArg() {
		word := d.Val()
		_, err := gateway.ParseClass(word)
		if err != nil && len(rule.Classes) == 0 {
			return d.WrapErr(err)
		}
		if err != nil {
			d.Prev()
			break
		}
		for _, earlier := range append(r.routing.FallbackOn, rule) {
			for _, class := range earlier.Classes {
				if class == word {
					return d.Errf("the error class '%s' is given twice", word)
				}
			}
		}
		rule.Classes = append(rule.Classes, word)
	}
	if len(rule.Classes) == 0 {
		return d.ArgErr()
	}
	var err error
	if rule.Targets, err = readNames(d); err != nil {
		return err
	}
	r.routing.FallbackOn = append(r.routing.FallbackOn, rule)
	return nil
}

// when reads a line of conditions and its block.
func (r *modelReader) when(d *caddyfile.Dispenser) error {
	w := new(When)
	reader := routingReader{routing: &w.Routing, place: place(d)}
	var line []gateway.Word
	for d.NextArg() {
		line = append(line, gateway.Word{Text: d.Val(), Quoted: d.Val() != d.ValRaw()})
	}
	var err error
	if w.Conditions, err = gateway.ParseConditions(line); err != nil {
		return d.Errf("when: %v", err)
	}
	empty := true
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		empty = false
		option := d.Val()
		if given[option] && !repeatable(option) {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		known, err := reader.option(d, option)
		if err == nil && !known {
			err = w.option(d, option)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case empty:
		return reader.place.Err("when: a block is missing that says where such requests go")
	case w.Model != "" && (w.Targets != nil || w.LBPolicyRaw != nil || w.Fallback != nil || w.FallbackOn != nil):
		return reader.place.Errf("when: the request is handed to '%s', which has its own targets, policy and fallbacks", w.Model)
	}
	r.model.When = append(r.model.When, w)
	if w.Model == "" {
		r.branches = append(r.branches, reader)
	}
	return nil
}

func (w *When) option(d *caddyfile.Dispenser, option string) error {
	if option != "to" {
		return d.Errf("unrecognized option of when '%s'%s", option, typo.Suggest(option, "to", "lb_policy", "fallback", "fallback_on"))
	}
	switch n := d.CountRemainingArgs(); {
	case n == 0:
		return d.ArgErr()
	case n > 1 || w.Targets != nil || w.Model != "":
		return w.readTargets(d)
	}
	d.NextArg()
	if !strings.Contains(d.Val(), "/") {
		w.Model = d.Val()
		return nil
	}
	d.Prev()
	return w.readTargets(d)
}

// fit refuses policies whose weights are not those of the targets, where they
// stand.
func (r *modelReader) fit() error {
	if err := r.own.fit(len(r.model.Targets)); err != nil {
		return err
	}
	for i := range r.branches {
		branch := &r.branches[i]
		targets := len(branch.routing.Targets)
		if targets == 0 {
			targets = len(r.model.Targets)
		}
		if branch.policy == nil {
			branch.policy = r.own.policy
		}
		if err := branch.fit(targets); err != nil {
			return err
		}
	}
	return nil
}

func (r *routingReader) fit(targets int) error {
	if fitting, ok := r.policy.(policies.Fitting); ok {
		if err := fitting.Fit(targets); err != nil {
			return r.place.Errf("lb_policy: %v", err)
		}
	}
	return nil
}

// attemptOption reads one option, if it is one of attempts.
func (a *Attempts) attemptOption(d *caddyfile.Dispenser, option string) (known bool, err error) {
	switch option {
	case "retry_on":
		if err := words.List(d, &a.RetryOn); err != nil {
			return true, err
		}
		if _, err := gateway.ParseClasses(a.RetryOn); err != nil {
			return true, d.WrapErr(err)
		}
	case "lb_retries":
		err = words.Number(d, &a.LBRetries)
	case "lb_try_duration":
		err = words.Duration(d, &a.LBTryDuration)
		a.LBTryDuration = max(a.LBTryDuration, 0) // off is the default
	case "lb_try_interval":
		err = words.Duration(d, &a.LBTryInterval)
		a.LBTryInterval = max(a.LBTryInterval, 0)
	case "hedge":
		err = a.readHedge(d)
	case "on_cut":
		err = words.Choice(d, &a.OnCut, onCutFail, onCutContinue)
	case "max_fails":
		err = words.Count(d, &a.MaxFails)
	case "fail_duration":
		err = words.Duration(d, &a.FailDuration)
	case "unhealthy_latency":
		err = words.Duration(d, &a.UnhealthyLatency)
		a.UnhealthyLatency = max(a.UnhealthyLatency, 0)
	default:
		return false, nil
	}
	return true, err
}

func (a *Attempts) readHedge(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() == 0 {
		a.Hedge = new(Hedge)
		return nil
	}
	var hedge Hedge
	if err := words.Duration(d, &hedge.Delay); err != nil {
		return err
	}
	if hedge.Delay > 0 { // else off
		a.Hedge = &hedge
	}
	return nil
}
