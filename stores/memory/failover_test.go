package memory

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
)

// flaky is a shared store that can be away.
type flaky struct {
	*Store
	away    bool
	charged []limits.Claim
}

func (f *flaky) err() error {
	if f.away {
		return limits.ErrUnavailable
	}
	return nil
}

func (f *flaky) Reserve(ctx context.Context, r *limits.Reservation) (bool, error) {
	if f.away {
		return false, limits.ErrUnavailable
	}
	return f.Store.Reserve(ctx, r)
}

func (f *flaky) Settle(ctx context.Context, r *limits.Reservation, actual []int64) error {
	if err := f.err(); err != nil {
		r.Held = false
		return err
	}
	return f.Store.Settle(ctx, r, actual)
}

func (f *flaky) Renew(ctx context.Context, r *limits.Reservation) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.Renew(ctx, r)
}

func (f *flaky) Peek(ctx context.Context, r *limits.Reservation) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.Peek(ctx, r)
}

func (f *flaky) Charge(_ context.Context, claims []limits.Claim) error {
	f.charged = append(f.charged, claims...)
	return f.err()
}

func TestFailover(t *testing.T) {
	clock := limitstest.NewClock()
	shared := &flaky{Store: New(clock.Now, 0)}
	f := limits.NewFailover(shared, New(clock.Now, 0), func() int { return 4 })
	ctx := context.Background()
	rule := mustParse(t, "tokens", "1000", "1h")
	free := mustParse(t, "requests", "3", "1h", "on_store_error", "allow")
	deny := mustParse(t, "usd", "1", "1M", "on_store_error", "deny")
	var r limits.Reservation
	ask := func(claims ...limits.Claim) (bool, error) {
		r.Reset()
		for _, c := range claims {
			r.Claim(c.Key, c.Rule, c.Amount)
		}
		return f.Reserve(ctx, &r)
	}
	tokens := func(n int64) limits.Claim { return limits.Claim{Key: "t", Rule: rule, Amount: n} }
	if ok, err := ask(tokens(600)); !ok || err != nil || r.Decisions[0].Degraded {
		t.Fatal(ok, err, r.Decisions)
	}
	if err := f.Settle(ctx, &r, []int64{400}); err != nil || r.Decisions[0].Used != 400 {
		t.Fatal(err, r.Decisions)
	}
	shared.away = true
	// 600 are left: 150 for each of four.
	if ok, err := ask(tokens(151)); ok || err != nil || !r.Decisions[0].Degraded || r.Refused != 0 || r.Wait() <= 0 {
		t.Error("more than the share was admitted", err, r.Decisions)
	}
	// Who asks again is held by nothing, and told of the limit, not of the share.
	if ok, err := f.Reserve(ctx, &r); ok || err != nil || r.Held {
		t.Error("a refused reservation is held", ok, err)
	}
	if ok, _ := ask(tokens(300)); ok || r.Wait() != limits.Soon {
		t.Errorf("what fits the limit is to wait for %s", r.Wait())
	}
	if ok, _ := ask(tokens(1001)); ok || r.Wait() != limits.Never {
		t.Errorf("what fits no limit is to wait for %s", r.Wait())
	}
	if ok, err := ask(limits.Claim{Key: "f", Rule: free, Amount: 4}, tokens(150)); !ok || err != nil || r.Decisions[1].Used != 1000 {
		t.Error("the share was refused", err, r.Decisions)
	}
	for range 2 {
		if err := f.Settle(ctx, &r, []int64{1, 50}); err != nil || r.Decisions[1].Used != 600 || !r.Decisions[0].Degraded || r.Decisions[0].Remaining != 3 {
			t.Error(err, r.Decisions)
		}
	}
	want := []limits.Claim{{Key: "f", Rule: free, Amount: 1}, tokens(50)}
	if len(shared.charged) != 2 || shared.charged[0] != want[0] || shared.charged[1] != want[1] {
		t.Errorf("the store was charged %+v", shared.charged)
	}
	if ok, err := ask(tokens(1), limits.Claim{Key: "d", Rule: deny, Amount: 1}); ok || !errors.Is(err, limits.ErrUnavailable) || r.Refused != 1 {
		t.Error("deny has admitted", err, r.Decisions)
	}
	if err := f.Peek(ctx, &r); err != nil || r.Decisions[0].Used != 600 {
		t.Error("a refusal has cost something", err, r.Decisions)
	}
	if n := f.Failures(); n != 8 {
		t.Errorf("%d failures of the store, want 6 decisions, a charge and a look", n)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	r.Reset()
	r.Claim("t", rule, 1)
	if ok, err := f.Reserve(gone, &r); ok || err == nil {
		t.Error("decided for a client that has left")
	}
	if n := f.Failures(); n != 8 {
		t.Errorf("%d failures of the store: a client that leaves is none", n)
	}
	shared.away = false
	if ok, err := ask(tokens(600)); !ok || err != nil || r.Decisions[0].Degraded {
		t.Error("after the outage", ok, err, r.Decisions)
	}
	if err := f.Settle(ctx, &r, nil); err != nil {
		t.Error(err)
	}
	if err := f.Restore(ctx, []limits.History{{Key: "d", Rule: deny, Uses: []limits.Use{{Amount: limits.Dollar}}}}); err != nil {
		t.Error(err)
	}
	if ok, err := ask(limits.Claim{Key: "d", Rule: deny, Amount: 1}); ok || err != nil {
		t.Error("a restored budget is full again", err)
	}
	clock.Advance(40 * 24 * time.Hour)
	if ok, err := ask(limits.Claim{Key: "d", Rule: deny, Amount: 1}); !ok || err != nil {
		t.Error("a new month has no budget", err)
	}
}

// TestForcedFailover holds that what is forced is counted while the store is away,
// and charged to it, whatever the rules say then.
func TestForcedFailover(t *testing.T) {
	clock := limitstest.NewClock()
	shared := &flaky{Store: New(clock.Now, 0), away: true}
	f := limits.NewFailover(shared, New(clock.Now, 0), func() int { return 1 })
	limitstest.Forced(t, f)
	var r limits.Reservation
	r.Reset()
	r.Force = true
	deny := mustParse(t, "usd", "1", "1M", "on_store_error", "deny")
	r.Claim("d", deny, 1)
	if ok, err := f.Reserve(context.Background(), &r); !ok || err != nil {
		t.Fatal("deny has refused what was forced", err)
	}
	shared.charged = nil
	if err := f.Settle(context.Background(), &r, []int64{7}); err != nil || len(shared.charged) != 1 || shared.charged[0].Amount != 7 {
		t.Errorf("%v, charged %+v", err, shared.charged)
	}
}

// TestFailoverWhileHeld holds that what an instance holds when the store goes away
// counts from the first decision without it, and is given back without it.
func TestFailoverWhileHeld(t *testing.T) {
	clock := limitstest.NewClock()
	shared := &flaky{Store: New(clock.Now, 0)}
	f := limits.NewFailover(shared, New(clock.Now, 0), func() int { return 2 })
	ctx := context.Background()
	tokens, places := mustParse(t, "tokens", "1000", "1h"), mustParse(t, "concurrency", "4")
	ask := func(amount int64) (*limits.Reservation, bool) {
		t.Helper()
		r := new(limits.Reservation)
		r.Reset()
		r.Claim("t", tokens, amount)
		r.Claim("p", places, 1)
		ok, err := f.Reserve(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		return r, ok
	}
	first, _ := ask(600)
	shared.away = true
	// 400 tokens are left: 200 for each of two, and two of the four places, of which
	// one is taken.
	if _, ok := ask(201); ok {
		t.Error("what was reserved before is forgotten")
	}
	second, ok := ask(50)
	if !ok {
		t.Errorf("refused: %+v", second.Decisions)
	}
	if r, ok := ask(50); ok || r.Refused != 1 {
		t.Errorf("the place that was taken before is forgotten: %+v", r.Decisions)
	}
	clock.Advance(limits.LeaseTime / 2 * time.Microsecond)
	_ = f.Renew(ctx, first)
	if err := f.Renew(ctx, second); err != nil {
		t.Error(err)
	}
	clock.Advance(limits.LeaseTime / 2 * time.Microsecond)
	if _, ok := ask(50); ok {
		t.Error("a place was not kept, though it was renewed")
	}
	_ = f.Settle(ctx, first, []int64{600, 0})
	if third, ok := ask(50); !ok {
		t.Errorf("a place was not given back: %+v", third.Decisions)
	}
}

// TestFailoverAmended holds that what is lowered without the shared store is room for
// others, and that it is charged as lowered when it settles as it is.
func TestFailoverAmended(t *testing.T) {
	clock := limitstest.NewClock()
	shared := &flaky{Store: New(clock.Now, 0), away: true}
	f := limits.NewFailover(shared, New(clock.Now, 0), func() int { return 4 })
	ctx := context.Background()
	var r, look limits.Reservation
	for _, of := range []*limits.Reservation{&r, &look} {
		of.Reset()
		of.Claim("a", mustParse(t, "requests", "1000", "1h", "on_store_error", "allow"), 1)
		of.Claim("t", mustParse(t, "tokens", "1000", "1h"), 100)
		of.Claim("p", mustParse(t, "concurrency", "20"), 1)
	}
	used := func(want int64) {
		t.Helper()
		if err := f.Peek(ctx, &look); err != nil || look.Decisions[1].Used != want {
			t.Errorf("%v: %+v, want %d", err, look.Decisions, want)
		}
	}
	if ok, err := f.Reserve(ctx, &r); !ok || err != nil {
		t.Fatal(ok, err)
	}
	used(400)
	if err := f.Amend(ctx, &r, []int64{1, 50, 1}); err != nil {
		t.Error(err)
	}
	used(200)
	if err := f.Settle(ctx, &r, nil); err != nil {
		t.Error(err)
	}
	used(200)
	if len(shared.charged) != 2 || shared.charged[0].Amount != 1 || shared.charged[1].Amount != 50 {
		t.Errorf("charged %+v", shared.charged)
	}
}
