package weir

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/records/journal"
	"github.com/weirproxy/weir/records/ledger"
)

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
	var histories []limits.History
	for _, b := range budgets {
		by, err := a.spent(ctx, b, now)
		if err != nil {
			return fmt.Errorf("asking the ledger: %w", err)
		}
		for name, uses := range by {
			histories = append(histories, limits.History{Key: limits.Key(b.scope, name, b.rule), Rule: b.rule, Uses: uses})
		}
	}
	if len(histories) == 0 {
		return nil
	}
	return a.access.store.Restore(ctx, histories)
}

// How often a ledger that could not be asked is asked again, and how long it may take.
const (
	firstPause  = time.Second
	longest     = time.Minute
	restoreTime = 2 * time.Minute
)

// restoreLater restores budgets as soon as the ledger can be asked, while this
// configuration lasts.
func (a *App) restoreLater(j *journal.Journal) {
	ctx, cancel := context.WithCancel(context.Background())
	a.stopRestoring = cancel
	go func() {
		for pause := firstPause; ; pause = min(2*pause, longest) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			within, done := context.WithTimeout(ctx, restoreTime)
			err := a.restoreBudgets(within, j)
			done()
			if err == nil {
				a.logger.Info("budgets go on from what the ledger knows")
				return
			}
		}
	}()
}

// spent is what the bearers of a budget have spent in its window, by name.
func (a *App) spent(ctx context.Context, b budget, now time.Time) (map[string][]limits.Use, error) {
	q := ledger.Query{Since: now.Add(-b.rule.Window), Until: now.Add(ahead)}
	if b.scope != gateway.ScopeGlobal {
		q.By = []string{b.scope}
	}
	switch {
	case b.scope == gateway.ScopeModel: // a target is called by several names
		q.By = append(q.By, "provider", "counted_as")
	case b.name != gateway.Each && b.scope != gateway.ScopeGlobal:
		q.Where = map[string]string{b.scope: b.name}
	}
	if b.rule.Calendar == limits.Sliding {
		q.By = append(q.By, "hour")
	} else {
		q.Since, _ = b.rule.Period(now)
	}
	sums, err := a.book.store.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	by := make(map[string][]limits.Use)
	for _, sum := range sums {
		name := ""
		switch b.scope {
		case gateway.ScopeGlobal:
		case gateway.ScopeModel:
			if name = sum.Group[2]; name == "" {
				name = a.counted(sum.Group[0], sum.Group[1])
			}
		default:
			name = sum.Group[0]
		}
		named := name != "" || b.scope == gateway.ScopeGlobal
		if sum.CostNano <= 0 || !named || b.name != gateway.Each && name != b.name {
			continue
		}
		use := limits.Use{Amount: sum.CostNano}
		if b.rule.Calendar == limits.Sliding {
			hour, err := time.Parse(time.RFC3339, sum.Group[len(sum.Group)-1])
			if err != nil {
				return nil, err
			}
			use.Ago = max(0, now.Sub(hour.Add(time.Hour))) // when in it nobody knows: not before its end
		}
		by[name] = append(by[name], use)
	}
	return by, nil
}

// ahead is how far the clocks of gateways that share a ledger may differ.
const ahead = time.Hour

// counted is the name under which limits count a request for model that provider
// answered, where the ledger does not say.
func (a *App) counted(model, provider string) string {
	if alias, _ := a.gateway.Alias(model); alias != nil {
		return alias.Name
	}
	if name, rest, ok := strings.Cut(model, "/"); ok && rest != "" && a.gateway.Provider(name) != nil {
		return model
	}
	return gateway.Target{Provider: provider, Model: model}.String()
}

// budget is a limit in usd and whose it is, [gateway.Each] for everybody of the
// scope.
type budget struct {
	scope, name string
	rule        *limits.Rule
}

// budgets are all of them but those by placeholders, whose values the ledger does not
// know.
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
	for _, key := range a.access.set.All() {
		own, err := a.KeyRules(key)
		if err != nil {
			return nil, err
		}
		add(gateway.ScopeKey, key.Name, own.Rules)
	}
	return list, nil
}
