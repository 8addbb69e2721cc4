package weir

import (
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
	}
	return nil
}
