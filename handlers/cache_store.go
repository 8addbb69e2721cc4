package handlers

import (
	"fmt"
	"math"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/cache/static"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// open makes ready where answers are kept: the memory of the process, and behind
// it what the fleet shares.
func (e *CacheExact) open(host Host) (err error) {
	kept := host.Kept()
	remote, err := e.remote(host)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if e.answers, err = cache.New(cache.Options{Memory: kept.Memory, Marks: kept.Marks, Remote: remote, Secret: []byte(e.seal.Reveal()), MaxEntry: e.MaxEntry}); err != nil {
		return err
	}
	host.WantMemory(e.MaxSize)
	if remote != nil {
		e.detach = kept.Marks.Attach(remote)
	}
	return nil
}

// remote is where a fleet keeps the answers; nil for nowhere.
func (c *CacheCommon) remote(host Host) (cache.Remote, error) {
	if c.store == nil {
		return host.Remote()
	}
	keeper, ok := c.store.(cache.RemoteProvider)
	switch {
	case ok:
		return keeper.Remote()
	case c.store.(caddy.Module).CaddyModule().ID.Name() == "memory":
		return nil, nil
	default:
		return nil, fmt.Errorf("module %T keeps no answers", c.store)
	}
}

// models holds the embedding models that configurations use, by their folders and the
// state of these: a reload keeps those that are still there.
var models = caddy.NewUsagePool()

type embedder struct{ *static.Model }

// Destruct implements caddy.Destructor.
func (embedder) Destruct() error { return nil }

// open makes ready what requests are compared by and with.
func (s *CacheSemantic) open(host Host) error {
	kept := host.Kept()
	host.WantRows(int(min(s.MaxEntries, math.MaxInt32)))
	s.rows = semantic.Local{Index: kept.Index}
	remote, err := s.remote(host)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if log, ok := remote.(semantic.Log); ok {
		s.rows = semantic.NewShared(kept.Index, log, []byte(s.seal.Reveal()))
	}
	s.guard = semantic.Guard(max(slices.Index(cacheGuards, s.Guard), 0)) //nolint:gosec // one of three
	if s.Static == "" {
		trip, err := host.Gateway().Itinerary(&gateway.Ask{Operation: wire.Embeddings, Model: s.Embedder, Internal: true})
		if err != nil {
			return fmt.Errorf("embedder: %w", err)
		}
		s.by = trip.Identity()
		return nil
	}
	stamp := static.Stamp(s.Static)
	model, _, err := models.LoadOrNew(stamp, func() (caddy.Destructor, error) {
		m, err := static.Load(s.Static)
		return embedder{m}, err
	})
	if err != nil {
		return fmt.Errorf("loading the embedding model: %w", err)
	}
	s.model, s.pooled = model.(embedder).Model, stamp
	identity := s.model.Identity()
	s.by = string(identity[:])
	return nil
}

func (s *CacheSemantic) implied() *CacheExact {
	if s == nil {
		return nil
	}
	return s.exact
}

// Cleanup implements caddy.CleanerUpper. Requests under way go on with what they
// hold.
func (c *Cache) Cleanup() error {
	if c.Semantic != nil && c.Semantic.model != nil {
		if _, err := models.Delete(c.Semantic.pooled); err != nil {
			return err
		}
	}
	for _, e := range []*CacheExact{c.Exact, c.Semantic.implied()} {
		if e != nil && e.detach != nil {
			e.detach()
		}
	}
	return nil
}

// Interface guards.
var _ caddy.CleanerUpper = (*Cache)(nil)
