package ledgertest

import (
	"context"
	"time"

	"github.com/weirproxy/weir/records/ledger"
)

// Spent is what a store has of a scope since a time.
func Spent(ctx context.Context, store ledger.Store, scope string, since time.Time) (ledger.Totals, error) {
	column, value, err := ledger.ParseScope(scope)
	if err != nil {
		return ledger.Totals{}, err
	}
	q := ledger.Query{Since: since, Until: since.AddDate(100, 0, 0)}
	if column != "" {
		q.Where = map[string]string{column: value}
	}
	sums, err := store.Query(ctx, q)
	if err != nil || len(sums) == 0 {
		return ledger.Totals{}, err
	}
	return sums[0].Totals, nil
}
