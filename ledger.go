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

// book is the usage ledger of a configuration: the journal on disk that every
// record goes to first, and the store that it is delivered to.
type book struct {
	dir     string
	journal *journal.Journal
	store   ledger.Store
}

// journalCloser lets the process's one journal of a directory go when no
// configuration uses it any more.
type journalCloser struct{ *journal.Journal }

// Destruct implements caddy.Destructor. What has not been delivered waits on
// disk for the next process.
func (c journalCloser) Destruct() error {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	return c.Journal.Close(ctx)
}

// loadLedger opens the ledger. The one that nobody asked for may be missing: a
// machine without a disk to write to still serves.
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
	b := &book{dir: filepath.Join(caddy.AppDataDir(), "ai", "journal"), store: guest.Store()}
	value, _, err := pool.LoadOrNew(b.dir, func() (caddy.Destructor, error) {
		j, err := journal.Open(journal.Options{Dir: b.dir, Now: time.Now, Logger: slog.New(zapslog.NewHandler(a.logger.Core()))})
		if err != nil {
			return nil, fmt.Errorf("opening the journal: %w", err)
		}
		return journalCloser{j}, nil
	})
	switch {
	case err != nil && asked:
		return err
	case err != nil:
		a.logger.Warn("there is no usage ledger: " + err.Error())
		return nil
	}
	b.journal = value.(journalCloser).Journal
	a.book = b
	return nil
}

// recordsOff is the setting for a gateway without a ledger.
const recordsOff = `{"records":"off"}`

// Record implements gateway.UsageSink. What no upstream was asked for is no
// entry: refusals cost nothing.
func (b *book) Record(r *gateway.Record) {
	if r.Attempts > 0 {
		b.journal.Record(r)
	}
}

// openLedger starts to deliver to this configuration's store, and raises budgets
// to what the ledger knows to have been spent.
func (a *App) openLedger() error {
	if a.book == nil {
		return nil
	}
	a.book.journal.SetStore(a.book.store)
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	if err := a.restoreBudgets(ctx); err != nil {
		// The store may be away for hours; the journal goes on without it.
		a.logger.Warn("budgets begin without what the ledger knows: " + err.Error())
	}
	return nil
}

// restoreBudgets raises each counter of money to at least what the ledger has
// for its window. A store that has not lost its counters is not changed by it.
func (a *App) restoreBudgets(ctx context.Context) error {
	budgets, err := a.budgets()
	if err != nil || len(budgets) == 0 {
		return err
	}
	if err := a.book.journal.Flush(ctx); err != nil {
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
		add(b.Scope, b.Name, own)
	}
	_, each := a.access.rules.Of(gateway.ScopeKey, "any")
	for _, key := range a.access.set.All() {
		rules, err := a.KeyRules(key)
		if err != nil {
			return nil, err
		}
		add(gateway.ScopeKey, key.Name, rules)
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

// release lets go of the journal.
func (b *book) release() error {
	if b == nil {
		return nil
	}
	_, err := pool.Delete(b.dir)
	return err
}

// Began implements handlers.Host.
func (a *App) Began(x *gateway.Exchange) {
	if a.book == nil {
		return
	}
	draft := x.Draft()
	if err := a.book.journal.Open(ledger.FromRecord(draft)); err != nil {
		a.logger.Warn("journal: " + err.Error())
		return
	}
	a.checkpoint(draft) // the prompt is spent as soon as it is sent
}

// Went implements handlers.Host.
func (a *App) Went(x *gateway.Exchange) {
	if a.book == nil {
		return
	}
	a.checkpoint(x.Draft())
}

func (a *App) checkpoint(draft *gateway.Record) {
	a.book.journal.Checkpoint(draft.RequestID, ledger.Progress{Usage: draft.Usage, CostNano: draft.Cost.Total, BytesOut: draft.BytesOut})
}

// LedgerFails implements handlers.Host.
func (a *App) LedgerFails() bool { return a.book != nil && a.book.journal.Degraded() }
