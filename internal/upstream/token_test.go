package upstream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/clocktest"
	"github.com/weirproxy/weir/internal/secret"
)

// endpoint hands out tokens that last an hour, unless told otherwise.
type endpoint struct {
	clock   *clocktest.Clock
	life    time.Duration
	release chan struct{} // nil: at once

	mu      sync.Mutex
	fetches int
	err     error
}

func (e *endpoint) fetch(ctx context.Context) (secret.Secret, time.Time, error) {
	if e.release != nil {
		select {
		case <-e.release:
		case <-ctx.Done():
			return secret.Secret{}, time.Time{}, ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fetches++
	return secret.New("token-" + string(rune('0'+e.fetches))), e.clock.Now().Add(e.life), e.err
}

func (e *endpoint) set(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

func newEndpoint(life time.Duration) (*endpoint, *Tokens) {
	c := clocktest.New(time.Unix(1_800_000_000, 0))
	e := &endpoint{clock: c, life: life}
	return e, NewTokens(e.fetch, c.Now)
}

func check(t *testing.T, tokens *Tokens, want string) {
	t.Helper()
	got, err := tokens.Get(t.Context())
	if err != nil || got.Reveal() != want {
		t.Errorf("%q, %v, want %q", got.Reveal(), err, want)
	}
}

func TestTokensAreKeptUntilShortlyBeforeTheyExpire(t *testing.T) {
	e, tokens := newEndpoint(time.Hour)
	check(t, tokens, "token-1")
	e.clock.Add(54 * time.Minute)
	check(t, tokens, "token-1")
	e.clock.Add(2 * time.Minute)
	check(t, tokens, "token-2")
}

func TestShortTokensAreKeptForHalfTheirLife(t *testing.T) {
	e, tokens := newEndpoint(2 * time.Minute)
	check(t, tokens, "token-1")
	e.clock.Add(59 * time.Second)
	check(t, tokens, "token-1")
	e.clock.Add(2 * time.Second)
	check(t, tokens, "token-2")
}

func TestTokenThatHasExpiredAlready(t *testing.T) {
	_, tokens := newEndpoint(-time.Second)
	if _, err := tokens.Get(t.Context()); !errors.Is(err, errExpired) {
		t.Errorf("error %v", err)
	}
}

// TestOneFetchForAll holds that calls which come together wait for one fetch,
// that one which is ended does not wait, and that the fetch outlives it.
func TestOneFetchForAll(t *testing.T) {
	e, tokens := newEndpoint(time.Hour)
	e.release = make(chan struct{})
	cause := errors.New("client left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := tokens.Get(ctx); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { check(t, tokens, "token-1") })
	}
	close(e.release)
	wg.Wait()
	if e.fetches != 1 {
		t.Errorf("%d fetches", e.fetches)
	}
}

// TestFailedFetch holds that a token endpoint that is down is not stormed, and
// that a token lasts as long as it is good.
func TestFailedFetch(t *testing.T) {
	e, tokens := newEndpoint(time.Hour)
	down := errors.New("down")
	e.set(down)
	for range 3 {
		if _, err := tokens.Get(t.Context()); !errors.Is(err, down) {
			t.Errorf("error %v", err)
		}
	}
	if e.fetches != 1 {
		t.Errorf("%d fetches", e.fetches)
	}
	e.set(nil)
	e.clock.Add(2 * time.Second)
	check(t, tokens, "token-2")
	e.set(down)
	e.clock.Add(56 * time.Minute)
	check(t, tokens, "token-2")
	e.clock.Add(5 * time.Minute)
	if _, err := tokens.Get(t.Context()); !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
}

func TestDroppedToken(t *testing.T) {
	e, tokens := newEndpoint(time.Hour)
	check(t, tokens, "token-1")
	tokens.Drop()
	check(t, tokens, "token-1")
	e.clock.Add(2 * time.Minute)
	tokens.Drop()
	if s := tokens.Secrets(); len(s) != 1 || s[0].Reveal() != "token-1" {
		t.Error("a token that was dropped is not hidden any more")
	}
	check(t, tokens, "token-2")
}

func TestTokensSign(t *testing.T) {
	_, tokens := newEndpoint(time.Hour)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://up.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Sign(req); err != nil || req.Header.Get("Authorization") != "Bearer token-1" {
		t.Errorf("header %v, %v", req.Header, err)
	}
}
