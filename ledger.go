package weir

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/exp/zapslog"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/records/journal"
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
		a.logger.Warn("budgets begin without what the ledger knows: " + err.Error())
	}
	return nil
}

// restoreBudgets raises each counter of money to at least what the ledger has
// for its window. A store that has not lost its counters is not changed by it.
func (a *App) restoreBudgets(ctx context.Context, j *journal.Journal) error {
	budgets, err := a.budgets()
	if err != nil || len(budgets) == 0 {
		return err
	}
	if err := j.Flush(ctx); err != nil {
		return fmt.Errorf("delivering the journal: %w", err)
	}
	now := time.Now()
	var claims []limits.Claim
	for _, b := range budgets {
		since := now.Add(-b.rule.Window)
		if b.rule.Calendar != limits.Sliding {
			since, _ = b.rule.Period(now)
		}
		spent, err := a.book.store.Spent(ctx, scopeOf(b.scope, b.name), since)
		if err != nil {
			return fmt.Errorf("asking the ledger: %w", err)
		}
		if spent.CostNano > 0 {
			claims = append(claims, limits.Claim{Key: limits.Key(b.scope, b.name, b.rule), Rule: b.rule, Amount: spent.CostNano})
		}
	}
	if len(claims) == 0 {
		return nil
	}
	return a.access.store.Restore(ctx, claims)
}

// budget is a limit in usd and whose it is.
type budget struct {
	scope, name string
	rule        *limits.Rule
}

// budgets are those that name their bearer, and those of every key.
func (a *App) budgets() (list []budget, err error) {
	add := func(scope, name string, rules []limits.Rule) {
		for i := range rules {
			if rules[i].Unit == limits.USD {
				list = append(list, budget{scope, name, &rules[i]})
			}
		}
	}
	for _, b := range a.access.rules.Bearers() {
		own, _ := a.access.rules.Of(b.Scope, b.Name)
		add(b.Scope, b.Name, own.Rules)
	}
	_, each := a.access.rules.Of(gateway.ScopeKey, "any")
	for _, key := range a.access.set.All() {
		own, err := a.KeyRules(key)
		if err != nil {
			return nil, err
		}
		add(gateway.ScopeKey, key.Name, own.Rules)
		add(gateway.ScopeKey, key.Name, each)
	}
	return list, nil
}

// scopeOf is a scope as the ledger names it.
func scopeOf(scope, name string) string {
	if scope == gateway.ScopeGlobal {
		return scope
	}
	return scope + ":" + name
}
