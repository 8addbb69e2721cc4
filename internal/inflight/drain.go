package inflight

import (
	"context"
	"time"
)

// Drain lets the calls in flight run on for up to wait, then ends them with
// cause, gives their handlers up to grace to tell their clients and to
// settle, and at last settles what is left itself. It returns as soon as
// nothing is in flight; ctx cuts the waiting short.
func (r *Registry) Drain(ctx context.Context, wait, grace time.Duration, cause error) {
	if r.await(ctx, wait) {
		return
	}
	r.Cancel(cause)
	r.await(ctx, grace)
	r.Settle()
}

func (r *Registry) await(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.Idle():
		return true
	case <-ctx.Done():
		return false
	case <-timer.C:
		return false
	}
}
