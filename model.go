package weir

import (
	"fmt"
	"sort"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// Model is an alias that clients may name.
type Model struct {
	// The targets, in order. Their models may contain the `*` of the name, or
	// be `*` alone for the whole name that the client sent.
	Targets []Target `json:"targets,omitempty"`

	// Limits of everybody's use of this name, such as `requests 100 1s`.
	// Default: none.
	Limits []limits.Rule `json:"limits,omitempty"`

	// The most tokens that a request may ask for. A request that names no cap
	// gets this one. Default: none.
	MaxOutputTokens int64 `json:"max_output_tokens,omitempty"`

	// The most tokens that a prompt may have. Default: none.
	MaxInputTokens int64 `json:"max_input_tokens,omitempty"`

	// The most tokens that the model can take; a longer prompt is refused
	// before it is paid for. Default: what Weir knows of the model.
	ContextWindow int64 `json:"context_window,omitempty"`

	// The bounds of `temperature`. Default: none.
	MinTemperature *float64 `json:"min_temperature,omitempty"`
	MaxTemperature *float64 `json:"max_temperature,omitempty"`

	// The only parameters that a body may have. Default: all.
	AllowParams []string `json:"allow_params,omitempty"`

	// Parameters that a body must not have. Default: none.
	DenyParams []string `json:"deny_params,omitempty"`

	// Timeouts of this model, which go before the site's. Default: the site's.
	ResponseHeaderTimeout caddy.Duration `json:"response_header_timeout,omitempty"`
	FirstTokenTimeout     caddy.Duration `json:"first_token_timeout,omitempty"`
	IdleTimeout           caddy.Duration `json:"idle_timeout,omitempty"`
	TotalTimeout          caddy.Duration `json:"total_timeout,omitempty"`
}

// Target is one model of one provider.
type Target struct {
	// The provider's name.
	Provider string `json:"provider"`

	// The model, as the provider names it.
	Model string `json:"model"`
}

func (a *App) models() ([]*gateway.Model, error) {
	names := make([]string, 0, len(a.Models))
	for name := range a.Models {
		names = append(names, name)
	}
	sort.Strings(names)
	list := make([]*gateway.Model, 0, len(names))
	for _, name := range names {
		if a.Models[name] == nil {
			return nil, fmt.Errorf("model '%s' is null", name)
		}
		list = append(list, a.Models[name].domain(name))
	}
	return list, nil
}

// domain is the model as the domain knows it.
func (m *Model) domain(name string) *gateway.Model {
	model := &gateway.Model{
		Name:          name,
		ContextWindow: m.ContextWindow,
		Policy: gateway.Policy{
			MaxOutputTokens: m.MaxOutputTokens,
			MaxInputTokens:  m.MaxInputTokens,
			MinTemperature:  m.MinTemperature,
			MaxTemperature:  m.MaxTemperature,
			AllowParams:     m.AllowParams,
			DenyParams:      m.DenyParams,
		},
		Timeouts: gateway.Timeouts{
			ResponseHeader: time.Duration(m.ResponseHeaderTimeout),
			FirstToken:     time.Duration(m.FirstTokenTimeout),
			Idle:           time.Duration(m.IdleTimeout),
			Total:          time.Duration(m.TotalTimeout),
		},
	}
	for _, t := range m.Targets {
		model.Targets = append(model.Targets, gateway.Target{Provider: t.Provider, Model: t.Model})
	}
	return model
}
