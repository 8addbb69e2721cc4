package weir

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// Validate implements caddy.Validator.
func (a *App) Validate() error {
	switch a.Unpriced {
	case "", gateway.UnpricedDeny, gateway.UnpricedEstimate, gateway.UnpricedFree:
	default:
		return fmt.Errorf("unpriced must be 'deny', 'estimate' or 'free', not '%s'", a.Unpriced)
	}
	if err := a.Overload.check(); err != nil {
		return err
	}
	for name, m := range a.Models {
		if name == "" {
			return errors.New("a model has no name")
		}
		if m == nil {
			return fmt.Errorf("model '%s' is null", name)
		}
		if err := limits.Check(m.Limits); err != nil {
			return fmt.Errorf("model '%s': %w", name, err)
		}
		if i := strings.IndexByte(name, '*'); i >= 0 && i != len(name)-1 {
			return fmt.Errorf("model '%s': `*` may only stand at the end of a name", name)
		}
		if err := m.Attempts.check(); err != nil {
			return fmt.Errorf("model '%s': %w", name, err)
		}
		if m.MaxOutputTokens < 0 || m.MaxInputTokens < 0 || m.ContextWindow < 0 {
			return fmt.Errorf("model '%s': limits must not be negative", name)
		}
		if m.MinTemperature != nil && m.MaxTemperature != nil && *m.MinTemperature > *m.MaxTemperature {
			return fmt.Errorf("model '%s': temperature: the lower bound is above the upper one", name)
		}
	}
	return nil
}

// checkGuests looks at the names of guests, which Caddy drops when it loads them.
func (a *App) checkGuests() error {
	for name := range a.ProvidersRaw {
		if err := checkProviderName(name); err != nil {
			return err
		}
	}
	for i, sink := range a.UsageRaw {
		for _, other := range a.UsageRaw[:i] {
			if bytes.Equal(sink, other) {
				return errors.New("usage: two sinks are the same, so each record would be written twice")
			}
		}
	}
	return nil
}

func checkProviderName(name string) error {
	switch {
	case name == "":
		return errors.New("a provider has no name")
	case strings.Contains(name, "/"):
		return fmt.Errorf("provider '%s': a name must not contain a slash, which ends it in the name of a target", name)
	}
	return nil
}
