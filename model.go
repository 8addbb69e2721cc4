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
	Routing

	// Other targets for requests that meet conditions; the first that fits
	// holds. Default: none.
	When []*When `json:"when,omitempty"`

	// Whether the model is there for others only, as a fallback or the target
	// of a condition: clients can neither list nor name it. Default: `false`.
	Internal bool `json:"internal,omitempty"`

	Attempts

	// Limits of everybody's use of this name, such as `requests 100 1s`.
	// Default: none.
	Limits []limits.Rule `json:"limits,omitempty"`

	// The most tokens that a request may ask for. A request that names no cap
	// gets this one. Default: none.
	MaxOutputTokens int64 `json:"max_output_tokens,omitempty"`

	// What becomes of a stream of this model that goes on beyond its cap on
	// generated tokens: `finish` or `cut`. Default: the site's.
	OnExceed string `json:"on_exceed,omitempty"`

	// The most tokens that a prompt may have. Default: none.
	MaxInputTokens int64 `json:"max_input_tokens,omitempty"`

	// The most tokens that the model can take; a longer prompt is refused
	// before it is paid for. Default: what Weir knows of the model.
	ContextWindow int64 `json:"context_window,omitempty"`

	// The lowest temperature that a request may ask for. Default: none.
	MinTemperature *float64 `json:"min_temperature,omitempty"`

	// The highest temperature that a request may ask for. Default: none.
	MaxTemperature *float64 `json:"max_temperature,omitempty"`

	// The only parameters that a body may have. Default: all.
	AllowParams []string `json:"allow_params,omitempty"`

	// Parameters that a body must not have. Default: none.
	DenyParams []string `json:"deny_params,omitempty"`

	// How long the upstream may take to answer with headers; negative: for ever.
	// It goes before the site's, as the other timeouts do. Default: the site's.
	ResponseHeaderTimeout caddy.Duration `json:"response_header_timeout,omitempty"`

	// How long a stream may take to its first content; negative: for ever.
	// Default: the site's.
	FirstTokenTimeout caddy.Duration `json:"first_token_timeout,omitempty"`

	// How long a stream may be without content; negative: for ever.
	// Default: the site's.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// How long the whole request may take; negative: for ever.
	// Default: the site's.
	TotalTimeout caddy.Duration `json:"total_timeout,omitempty"`
}

// Target is one model of one provider.
type Target struct {
	// The provider's name. In a fallback it may be left out: the model is then
	// another one of this configuration. Default: none.
	Provider string `json:"provider,omitempty"`

	// The model, as the provider names it.
	Model string `json:"model"`
}

// domain is the target as the domain knows it.
func (t Target) domain() gateway.Target { return gateway.Target(t) }

func (a *App) models(ctx caddy.Context) ([]*gateway.Model, error) {
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
		model, err := a.Models[name].domain(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("model '%s': %w", name, err)
		}
		list = append(list, model)
	}
	return list, nil
}

// domain is the model as the domain knows it.
func (m *Model) domain(ctx caddy.Context, name string) (*gateway.Model, error) {
	if err := gateway.CheckExceed(m.OnExceed); err != nil {
		return nil, err
	}
	plan, err := m.plan(ctx, len(m.Targets))
	if err != nil {
		return nil, err
	}
	branches, err := m.branches(ctx)
	if err != nil {
		return nil, err
	}
	retry, err := m.retry()
	if err != nil {
		return nil, err
	}
	return &gateway.Model{
		Name:          name,
		Plan:          plan,
		When:          branches,
		Internal:      m.Internal,
		Retry:         retry,
		Passive:       m.passive(),
		ContextWindow: m.ContextWindow,
		Policy: gateway.Policy{
			MaxOutputTokens: m.MaxOutputTokens,
			OnExceed:        m.OnExceed,
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
	}, nil
}
