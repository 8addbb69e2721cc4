package weir

import (
	"context"
	"net/http"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/handlers"
)

func serveCache(w http.ResponseWriter, r *http.Request) error {
	app, err := running()
	if err != nil {
		return err
	}
	cache.AdminHandler(keeper{app.shared.kept}).ServeHTTP(w, r)
	return nil
}

// keeper is what administrators see of the answers that are kept.
type keeper struct{ kept *handlers.Kept }

// Purge implements cache.Keeper.
func (k keeper) Purge(ctx context.Context, tags ...string) error {
	return k.kept.Marks.Purge(ctx, tags...)
}

// Report implements cache.Keeper.
func (k keeper) Report() cache.Report {
	s := k.kept.Memory.Stats()
	return cache.Report{
		Entries: s.Entries, Bytes: s.Bytes, MaxBytes: s.Size,
		Hits: s.Hits, Misses: s.Misses, Evictions: s.Evicted, Rejections: s.Rejected,
		SavedUSD: metrics.SavedUSD(),
	}
}

// Interface guard.
var _ cache.Keeper = keeper{}
