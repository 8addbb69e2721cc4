package upstream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/weirproxy/weir/internal/secret"
)

// TokenSource fetches a token and says when it expires; a zero time: never.
type TokenSource func(ctx context.Context) (token secret.Secret, expiry time.Time, err error)

// The token is fetched anew refreshEarly before it expires, as the vendors'
// own SDKs do, so that none expires on its way. A failed fetch is not tried
// again for every call that waits, but after retryAfter.
const (
	refreshEarly = 5 * time.Minute
	retryAfter   = time.Second
	fetchTimeout = 15 * time.Second
)

var errExpired = errors.New("the token that was fetched has expired already")

// Tokens keeps a token that has to be fetched. However many calls need it,
// one fetch runs at a time, and a call that is ended stops waiting for it.
type Tokens struct {
	source TokenSource
	now    func() time.Time

	mu      sync.Mutex
	token   secret.Secret
	expiry  time.Time
	fetched time.Time
	err     error
	pending chan struct{} // closed when the fetch that runs has ended; nil: none runs
}

// NewTokens returns a keeper of what source fetches. now is the clock.
func NewTokens(source TokenSource, now func() time.Time) *Tokens {
	return &Tokens{source: source, now: now}
}

// Get returns a token that is still good.
func (t *Tokens) Get(ctx context.Context) (secret.Secret, error) {
	for {
		t.mu.Lock()
		now := t.now()
		switch {
		case !t.token.IsZero() && (t.expiry.IsZero() || now.Before(t.renewal())):
			defer t.mu.Unlock()
			return t.token, nil
		case t.err != nil && now.Sub(t.fetched) < retryAfter:
			defer t.mu.Unlock()
			if !t.token.IsZero() && now.Before(t.expiry) {
				return t.token, nil // it lasts until the endpoint is back
			}
			return secret.Secret{}, t.err
		}
		if t.pending == nil {
			t.pending = make(chan struct{})
			go t.fetch(context.WithoutCancel(ctx))
		}
		pending := t.pending
		t.mu.Unlock()
		select {
		case <-pending:
		case <-ctx.Done():
			return secret.Secret{}, context.Cause(ctx)
		}
	}
}

// renewal is when the token is fetched anew. One that is issued for a shorter
// time than refreshEarly is kept for half of it.
func (t *Tokens) renewal() time.Time {
	early := refreshEarly
	if life := t.expiry.Sub(t.fetched); life < 2*early {
		early = life / 2
	}
	return t.expiry.Add(-early)
}

// fetch is of use to others, so whoever asked may leave.
func (t *Tokens) fetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	token, expiry, err := t.source(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetched = t.now()
	if err == nil && !expiry.IsZero() && !expiry.After(t.fetched) {
		err = errExpired
	}
	t.err = err
	if err == nil {
		t.token, t.expiry = token, expiry
	}
	close(t.pending)
	t.pending = nil
}

// Drop ends the token, which an upstream has refused before its time. One
// that has only just been fetched stays: another would fare no better.
func (t *Tokens) Drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); now.Sub(t.fetched) > time.Minute {
		t.expiry = now
	}
}

// Secrets is the token that calls were last sent with, good or not.
func (t *Tokens) Secrets() []secret.Secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []secret.Secret{t.token}
}

// Sign writes the token into a request.
func (t *Tokens) Sign(req *http.Request) error {
	token, err := t.Get(req.Context())
	if err != nil {
		return err
	}
	Bearer(req.Header, token)
	return nil
}

// HTTPClient returns a client that sends through the provider's transport, for
// libraries that fetch tokens.
func (c *Client) HTTPClient() *http.Client {
	return &http.Client{Transport: c.transport, Timeout: fetchTimeout}
}
