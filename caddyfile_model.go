package weir

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// modelOptions are the words of a model's block.
var modelOptions = []string{
	"to", "when", "internal", "lb_policy", "fallback", "fallback_on",
	"retry_on", "lb_retries", "lb_try_duration", "lb_try_interval", "hedge", "on_cut",
	"max_fails", "fail_duration", "unhealthy_latency",
	"limit", "max_output_tokens", "on_exceed", "max_input_tokens", "context_window", "temperature", "allow_params", "deny_params",
	"response_header_timeout", "first_token_timeout", "idle_timeout", "total_timeout",
}

// model reads a model's line and block. Syntax:
//
//	model <alias> [<targets...>] {
//		to <targets...>
//		lb_policy <name> [<arguments...>] {
//			...
//		}
//		fallback <targets|models...>
//		fallback_on <error classes...> [<targets|models...>]
//		when <conditions...> {
//			to <targets...>|<model>
//			lb_policy ...
//			fallback ...
//			fallback_on ...
//		}
//		internal
//		retry_on <error classes...>
//		lb_retries <number>
//		lb_try_duration <duration>
//		lb_try_interval <duration>
//		hedge [<delay>|off]
//		on_cut fail|continue
//		max_fails <number>
//		fail_duration <duration>
//		unhealthy_latency <duration>
//		max_output_tokens <number>
//		on_exceed finish|cut
//		max_input_tokens <number>
//		limit <unit> <amount> [<window>] [<options...>]
//		context_window <number>
//		temperature <min> <max>
//		allow_params <names...>
//		deny_params <names...>
//		response_header_timeout <duration>
//		first_token_timeout <duration>
//		idle_timeout <duration>
//		total_timeout <duration>
//	}
func (p *appParser) model(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	if name == "" {
		return d.Err("a model has no name")
	}
	if _, ok := p.app.Models[name]; ok {
		return d.Errf("model '%s' is given twice", name)
	}
	if star := strings.IndexByte(name, '*'); star >= 0 && star != len(name)-1 {
		return d.Errf("model '%s': `*` may only stand at the end of a name", name)
	}
	p.places.note(name, d)
	m := new(Model)
	if err := m.readTargets(d); err != nil {
		return err
	}
	r := modelReader{model: m, own: routingReader{routing: &m.Routing}}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if given[option] && !repeatable(option) {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		if err := r.option(d, option); err != nil {
			return err
		}
		if option == "limit" {
			p.places.noteDowngrade(&m.Limits[len(m.Limits)-1], d)
		}
	}
	if len(m.Targets) == 0 {
		return d.Errf("model '%s' has no target", name)
	}
	if err := r.fit(); err != nil {
		return err
	}
	if p.app.Models == nil {
		p.app.Models = make(map[string]*Model)
	}
	p.app.Models[name] = m
	return nil
}

// repeatable reports whether an option adds up when it is given again.
func repeatable(option string) bool {
	switch option {
	case "to", "limit", "when", "fallback", "fallback_on":
		return true
	default:
		return false
	}
}

// modelReader reads one model's block.
type modelReader struct {
	model    *Model
	own      routingReader
	branches []routingReader
}

func (r *modelReader) option(d *caddyfile.Dispenser, option string) error {
	if known, err := r.own.option(d, option); known || err != nil {
		return err
	}
	if known, err := r.model.attemptOption(d, option); known || err != nil {
		return err
	}
	m := r.model
	switch option {
	case "to":
		if d.CountRemainingArgs() == 0 {
			return d.ArgErr()
		}
		return m.readTargets(d)
	case "when":
		return r.when(d)
	case "internal":
		return words.Switch(d, &m.Internal)
	case "limit":
		return addLimit(d, &m.Limits)
	case "max_output_tokens":
		return words.Count(d, &m.MaxOutputTokens)
	case "on_exceed":
		return words.Choice(d, &m.OnExceed, gateway.ExceedFinish, gateway.ExceedCut)
	case "max_input_tokens":
		return words.Count(d, &m.MaxInputTokens)
	case "context_window":
		return words.Count(d, &m.ContextWindow)
	case "temperature":
		return words.Range(d, &m.MinTemperature, &m.MaxTemperature)
	case "allow_params":
		return words.List(d, &m.AllowParams)
	case "deny_params":
		return words.List(d, &m.DenyParams)
	case "response_header_timeout":
		return words.Duration(d, &m.ResponseHeaderTimeout)
	case "first_token_timeout":
		return words.Duration(d, &m.FirstTokenTimeout)
	case "idle_timeout":
		return words.Duration(d, &m.IdleTimeout)
	case "total_timeout":
		return words.Duration(d, &m.TotalTimeout)
	default:
		return d.Errf("unrecognized model option '%s'%s", option, typo.Suggest(option, modelOptions...))
	}
}
