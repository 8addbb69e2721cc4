package weir

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/inflight"
)

func init() {
	caddy.OnExit(func(ctx context.Context) {
		// Caddy has waited for the servers of its last configuration, as long
		// as its grace period allows. Streams that began before the last
		// reload are nobody's but ours.
		inflight.Process.Drain(ctx, 0, settleTime, gateway.ErrShutdown)
	})
}

// settleTime is how long handlers get to tell their clients that their stream
// ends, and to settle.
const settleTime = 2 * time.Second

// subscribe listens for the end of the process. The event comes before apps
// stop, which they do in random order: our own Stop may come only after the
// http app has waited out its grace period and cut every stream.
func (a *App) subscribe(ctx caddy.Context) error {
	app, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("loading the events app: %w", err)
	}
	events, ok := app.(*caddyevents.App)
	if !ok {
		return errors.New("the events app is not Caddy's own")
	}
	if err := events.On("stopping", stopping{a}); err != nil {
		return fmt.Errorf("subscribing to events: %w", err)
	}
	a.emit = func(name string, data map[string]any) { events.Emit(ctx, name, data) }
	return nil
}

// stopping handles the event of that name, which a reload emits as well.
type stopping struct{ app *App }

// Handle implements caddyevents.Handler. Events are synchronous, so the work
// happens elsewhere.
func (s stopping) Handle(context.Context, caddy.Event) error {
	if caddy.Exiting() {
		inflight.Process.SetExiting(true)
		// Streams may begin until Caddy closes its listeners, so an empty
		// house now does not mean that no one has to be told later.
		time.AfterFunc(time.Duration(s.app.delay.Load()+s.app.drain.Load()), func() {
			inflight.Process.Drain(context.Background(), 0, settleTime, gateway.ErrShutdown)
		})
	}
	return nil
}

// LimitDrain implements handlers.Host: streams must be told before Caddy cuts
// them, so the drain ends a little earlier than the grace period, which begins
// after the shutdown delay. A grace period of 0 never ends.
func (a *App) LimitDrain(delay, grace time.Duration) {
	a.delay.Store(int64(delay))
	if grace <= 0 {
		return
	}
	limit := int64(grace - min(settleTime, grace/4))
	for current := a.drain.Load(); current > limit && !a.drain.CompareAndSwap(current, limit); {
		current = a.drain.Load()
	}
}

// Interface guard.
var _ caddyevents.Handler = stopping{}
