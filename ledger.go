package weir

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"

	"github.com/weirproxy/weir/records/ledger"
)

// recordsModule is the interface of the guest modules `ai.records.*`.
type recordsModule interface {
	Store() ledger.Store
}

// loadLedger finds the ledger. The one that nobody asked for may turn out to be
// missing: a machine without a disk to write to still serves.
func (a *App) loadLedger(ctx caddy.Context) error {
	asked := a.RecordsRaw != nil
	switch {
	case string(a.RecordsRaw) == recordsOff:
		return nil
	case !asked:
		a.RecordsRaw = []byte(`{"records":"sqlite"}`)
	}
	mod, err := ctx.LoadModule(a, "RecordsRaw")
	if err != nil {
		return fmt.Errorf("loading records: %w", err)
	}
	guest, ok := mod.(recordsModule)
	if !ok {
		return fmt.Errorf("module %T keeps no records", mod)
	}
	dir := filepath.Join(caddy.AppDataDir(), "ai", "journal")
	value, _, err := pool.LoadOrNew(dir, func() (caddy.Destructor, error) {
		return &diary{dir: dir, logger: slog.New(zapslog.NewHandler(a.logger.Core()))}, nil
	})
	if err != nil {
		return fmt.Errorf("sharing the journal: %w", err)
	}
	a.book = &book{diary: value.(*diary), store: guest.Store(), asked: asked}
	return nil
}

// recordsOff is the setting for a gateway without a ledger.
const recordsOff = `{"records":"off"}`

// openLedger opens the journal, starts to deliver to this configuration's store,
// and raises budgets to what the ledger knows to have been spent.
func (a *App) openLedger() error {
	if a.book == nil {
		return nil
	}
	j, err := a.book.diary.open()
	switch {
	case err != nil && a.book.asked:
		return err
	case err != nil:
		a.logger.Warn("there is no usage ledger: " + err.Error())
		return nil
	}
	j.SetStore(a.book.store)
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	if err := a.restoreBudgets(ctx, j); err != nil {
		// The store may be away for hours; the journal goes on without it.
		a.logger.Warn("budgets begin without what the ledger knows, until it can be asked: " + err.Error())
		a.restoreLater(j)
	}
	return nil
}
