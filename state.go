package weir

import (
	"maps"
	"slices"

	"github.com/weirproxy/weir/gateway/limits"
)

// ledgerPending tells metrics how many usage rows wait for the records. A journal
// that is not open has none, and is not opened for that.
func ledgerPending() (rows int64, ok bool) {
	app, err := running()
	if err != nil {
		return 0, false
	}
	if app.book == nil {
		return 0, true
	}
	if j := app.book.diary.opened.Load(); j != nil {
		rows = j.Stats().Pending
	}
	return rows, true
}

// storeErrors tells metrics how often each store was asked in vain, about limits
// and for answers. The memory of the process never is.
func storeErrors(do func(store string, errors int64)) {
	app, err := running()
	if err != nil || app.access == nil {
		return
	}
	counts := map[string]int64{app.access.storeName: 0}
	if store, shared := app.access.store.(*limits.Failover); shared {
		counts[app.access.storeName] = store.Failures()
	}
	for _, remote := range app.shared.kept.Marks.Remotes() {
		stats := remote.Stats()
		counts[stats.Store] += stats.Failed
	}
	for _, store := range slices.Sorted(maps.Keys(counts)) {
		do(store, counts[store])
	}
}
