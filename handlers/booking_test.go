package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/stores/memory"
)

// lessor is a store that remembers whose leases it was to renew.
type lessor struct {
	limits.Store
	renewed []*limits.Reservation
}

func (s *lessor) Renew(_ context.Context, r *limits.Reservation) error {
	s.renewed = append(s.renewed, r)
	return nil
}

func (s *lessor) Reserve(ctx context.Context, r *limits.Reservation) (bool, error) {
	r.Held = ctx.Err() == nil && r.Force
	return r.Held, ctx.Err()
}

func (s *lessor) Settle(_ context.Context, r *limits.Reservation, _ []int64) error {
	r.Held = false
	return nil
}

// mortal is a store that decides nothing for who is gone.
type mortal struct{ limits.Store }

func (s mortal) Reserve(ctx context.Context, r *limits.Reservation) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return s.Store.Reserve(ctx, r)
}

// TestHeldWhenClientLeaves holds that what a call has taken is still charged to it
// when its client leaves while room for another target is looked for.
func TestHeldWhenClientLeaves(t *testing.T) {
	p, _ := proxyTo(t, whole{})
	rule := parseRule(t, "requests 5 1h")
	if err := p.rules.Add(gateway.ScopeGlobal, "", rule); err != nil {
		t.Fatal(err)
	}
	p.limits, p.queues, p.margins = mortal{memory.New(time.Now, 1<<10)}, queue.NewSet(queue.System{}), limits.NewMargins()
	c := p.newCall(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", nil))
	c.begin()
	defer c.flight.Done()
	c.caller = new(caller)
	var err error
	if c.target, err = p.gateway.Resolve(c.route.Operation, "up/gpt-4o"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.book(time.Now(), atOnce); err != nil {
		t.Fatal(err)
	}
	c.cancel(gateway.ErrClientGone)
	if err := c.rebook(atOnce); !errors.Is(err, gateway.ErrClientGone) {
		t.Errorf("rebooked: %v", err)
	}
	if c.quota.held == nil || !c.quota.held.Held {
		t.Error("nothing is held any more")
	}
}

// TestBothAreRenewed holds that while a hedge is under way the places of both
// attempts are kept, and of the one that has lost no longer.
func TestBothAreRenewed(t *testing.T) {
	rule, err := limits.Parse([]string{"concurrency", "3"})
	if err != nil {
		t.Fatal(err)
	}
	s := new(lessor)
	c := &call{proxy: &Proxy{limits: s}}
	c.life.Begin(t.Context())
	var held [2]limits.Reservation
	for i := range held {
		held[i].Reset()
		held[i].Claim("key", &rule, 1)
		held[i].Held = true
	}
	c.hold(&held[0])
	first := c.swap(booking{})
	c.hold(&held[1])
	ring := func(n *renewal, want ...*limits.Reservation) {
		t.Helper()
		s.renewed = nil
		if n.ring(); !slices.Equal(s.renewed, want) {
			t.Errorf("renewed %v, want %v", s.renewed, want)
		}
	}
	lost := c.quota.renew
	ring(first.renew, &held[0])
	ring(lost, &held[1])
	beaten := c.swap(first) // the first has won
	if r := c.quota.held; r != &held[0] {
		t.Errorf("the call holds %v", r)
	}
	first = c.swap(beaten) // as free does
	_ = c.release(nil)
	c.swap(first)
	ring(lost)
	ring(first.renew, &held[0])
	_ = c.release(nil)
	ring(first.renew)
}

// TestHeldAgain holds that a call whose client leaves while it turns to another
// target goes on to hold what it has used.
func TestHeldAgain(t *testing.T) {
	rule, err := limits.Parse([]string{"tokens", "3", "1h"})
	if err != nil {
		t.Fatal(err)
	}
	c := &call{proxy: &Proxy{limits: new(lessor)}}
	c.life.Begin(t.Context())
	c.cancel(context.Canceled)
	var r limits.Reservation
	r.Reset()
	r.Claim("key", &rule, 1)
	c.holdAgain(&r, need{})
	if !r.Held || c.quota.held != &r {
		t.Error("nothing is held, so that nothing is charged")
	}
}
