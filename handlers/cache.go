package handlers

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(Cache{})
}

// Cache says which answers may be kept and served again, and to whom. It serves
// nothing by itself: the gateway behind it looks answers up when it knows who asks
// for what. Where several of these handlers see a request, the first one's `exact`
// and the first one's `semantic` count: in a Caddyfile those with a matcher come
// before those without, and before what ai_gateway has itself.
//
// Only complete, successful answers are kept, and only whoever shares their scope
// gets them.
type Cache struct {
	// Answers to requests that ask for the very same. Default: none are kept.
	Exact *CacheExact `json:"exact,omitempty"`

	// Answers to requests that mean the same. Default: none are looked for.
	Semantic *CacheSemantic `json:"semantic,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Cache) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ai_cache",
		New: func() caddy.Module { return new(Cache) },
	}
}

// Provision implements caddy.Provisioner.
func (c *Cache) Provision(ctx caddy.Context) error {
	host, err := hostOf(ctx)
	if err != nil {
		return err
	}
	if c.Exact != nil {
		if err := c.Exact.provision(ctx); err != nil {
			return fmt.Errorf("exact: %w", err)
		}
		if err := c.Exact.open(host); err != nil {
			return fmt.Errorf("exact: %w", err)
		}
	}
	if c.Semantic != nil {
		if err := c.Semantic.provision(ctx, host.Gateway()); err != nil {
			return fmt.Errorf("semantic: %w", err)
		}
		if c.Exact == nil {
			// The same request is the most similar one: its answer is kept in any case.
			c.Semantic.exact = &CacheExact{CacheCommon: c.Semantic.CacheCommon}
			if err := c.Semantic.exact.provision(ctx); err != nil {
				return fmt.Errorf("semantic: %w", err)
			}
			if err := c.Semantic.exact.open(host); err != nil {
				return fmt.Errorf("semantic: %w", err)
			}
		}
		if err := c.Semantic.open(host); err != nil {
			return fmt.Errorf("semantic: %w", err)
		}
	}
	return nil
}

// Validate implements caddy.Validator.
func (c *Cache) Validate() error {
	if c.Exact == nil && c.Semantic == nil {
		return errors.New("neither 'exact' nor 'semantic' is given")
	}
	if c.Exact != nil {
		if err := c.Exact.check(); err != nil {
			return fmt.Errorf("exact: %w", err)
		}
	}
	if c.Semantic != nil {
		if err := c.Semantic.check(); err != nil {
			return fmt.Errorf("semantic: %w", err)
		}
	}
	return nil
}

// cacheVar is the request variable that holds a request's *Cache.
const cacheVar = "ai.cache"

// given is what handlers have said so far.
func given(r *http.Request) (exact *CacheExact, semantic *CacheSemantic) {
	if c, ok := caddyhttp.GetVar(r.Context(), cacheVar).(*Cache); ok {
		return c.Exact, c.Semantic
	}
	return nil, nil
}

// cacheOf is what a request may get from where; nil for what is not to be used.
// Answers are never found by what they mean alone.
func cacheOf(r *http.Request) (exact *CacheExact, semantic *CacheSemantic) {
	if exact, semantic = given(r); exact == nil && semantic != nil {
		exact = semantic.exact
	}
	return exact, semantic
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (c *Cache) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	policy := c
	if exact, semantic := given(r); exact != nil || semantic != nil {
		policy = &Cache{Exact: exact, Semantic: semantic}
		if exact == nil {
			policy.Exact = c.Exact
		}
		if semantic == nil {
			policy.Semantic = c.Semantic
		}
	}
	caddyhttp.SetVar(r.Context(), cacheVar, policy)
	return next.ServeHTTP(w, r)
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Cache)(nil)
	_ caddy.Validator             = (*Cache)(nil)
	_ caddyhttp.MiddlewareHandler = (*Cache)(nil)
)
