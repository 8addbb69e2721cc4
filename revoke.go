package weir

import (
	"context"
	"errors"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/internal/inflight"
)

// Generation implements handlers.Host.
func (a *App) Generation() uint64 { return a.generation }

// revokeKeys ends the calls whose keys are no longer accepted, also those that
// began under an earlier configuration, whoever has changed what: a reload, an
// administrator, another process that writes the keys file, the clock. It does so
// from when the configuration runs until it ends; one that is rejected must not
// end anything.
func (a *App) revokeKeys(ctx context.Context) {
	go func() {
		ticker := time.NewTicker(keys.Interval)
		defer ticker.Stop()
		var seen keys.Version
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if app, err := running(); err != nil || app != a {
				continue
			}
			now := a.gateway.Now()
			if version := a.access.set.Version(now); version != seen {
				inflight.Process.Watch(guard(a.generation, a.access.set, gateway.SystemClock{}.Now))
				seen = version
			}
		}
	}()
}

// guard has something against calls whose keys set does not accept. It must not
// hold the app: it stays when that is gone.
func guard(generation uint64, set *keys.Set, now func() time.Time) *inflight.Guard {
	return &inflight.Guard{Generation: generation, Check: func(owner any) error {
		grant, ok := owner.(*keys.Grant)
		if !ok {
			return nil
		}
		switch err := set.Honours(*grant, now()); {
		case err == nil:
			return nil
		case errors.Is(err, keys.ErrExpired):
			return gateway.ErrKeyExpired
		default:
			return gateway.ErrRevoked
		}
	}}
}
