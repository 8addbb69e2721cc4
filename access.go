package weir

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/stores/memory"
)

// Limit is a limit for everybody, or for one bearer of a scope.
type Limit struct {
	// `provider`, `model`, `team`, `user` or `key`. Default: the whole gateway.
	Scope string `json:"scope,omitempty"`

	// Whose limit it is; `*` is each of the scope by itself. Default: nobody's,
	// which only the whole gateway has.
	Name string `json:"name,omitempty"`

	// The limit, such as `tokens 1M 1m`.
	Rule limits.Rule `json:"rule"`
}

// access is who may do how much, as a configuration says it.
type access struct {
	set     *keys.Set
	file    *keys.File
	watcher *keys.Watcher
	rules   gateway.Rules
	store   limits.Store
	shared  sharedStore          // what store falls back from, nil for none
	keeper  cache.RemoteProvider // where a fleet keeps answers, nil for nowhere
	prices  prices.Table

	storeName string // the module's

	// ruled are the parsed limits of keys, *limits.Ruled by *keys.Key.
	ruled sync.Map
}

// sourceConfig is the source of the configuration's own keys. Those of the
// file come after it: a key of the configuration wins.
const sourceConfig = "configuration"

// storeModule is the interface of the guest modules `ai.stores.*`.
type storeModule interface {
	Store() limits.Store
}

func (a *App) loadAccess(ctx caddy.Context) error {
	acc := new(access)
	a.access = acc // so that Cleanup finds what a failure leaves
	for _, load := range []func(caddy.Context, *access) error{a.loadStore, a.loadKeys, a.loadRules, a.loadPrices} {
		if err := load(ctx, acc); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) loadStore(ctx caddy.Context, acc *access) error {
	if a.StoreRaw == nil {
		a.StoreRaw = []byte(`{"store":"memory"}`)
	}
	mod, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return fmt.Errorf("loading store: %w", err)
	}
	guest, ok := mod.(storeModule)
	if !ok {
		if _, keeps := mod.(cache.RemoteProvider); keeps {
			name := mod.(caddy.Module).CaddyModule().ID.Name()
			return fmt.Errorf("store: '%s' keeps answers and counts no limits: write it into 'cache exact { store %s }', and here 'memory' or 'redis'", name, name)
		}
		return fmt.Errorf("module %T is no store", mod)
	}
	acc.store, acc.storeName = guest.Store(), mod.(caddy.Module).CaddyModule().ID.Name()
	acc.keeper, _ = mod.(cache.RemoteProvider)
	shared, ok := acc.store.(sharedStore)
	if !ok {
		return nil
	}
	value, _, err := pool.LoadOrNew(shared, func() (caddy.Destructor, error) {
		return failover{limits.NewFailover(shared, memory.New(time.Now, 0), shared.Instances)}, nil
	})
	if err != nil {
		return fmt.Errorf("preparing for the store's failure: %w", err)
	}
	acc.store, acc.shared = value.(failover).Failover, shared
	return nil
}

// sharedStore is a store that several gateways use, which may be away.
type sharedStore interface {
	limits.Store
	Instances() int
}

// leased tells metrics what of a limit this instance may hold.
func leased() (ratio float64, lends bool) {
	app, err := running()
	if err != nil || app.access == nil {
		return 0, false
	}
	store, shared := app.access.store.(*limits.Failover)
	if !shared {
		return 0, false
	}
	return store.Ratio()
}

// failover lives as long as a configuration uses its store, and remembers
// through reloads how full the counters were. The store has its own pool.
type failover struct{ *limits.Failover }

// Destruct implements caddy.Destructor.
func (failover) Destruct() error { return nil }

// release gives up what the configuration shares with others.
func (acc *access) release() error {
	if acc == nil || acc.shared == nil {
		return nil
	}
	_, err := pool.Delete(acc.shared)
	acc.shared = nil
	return err
}

func (a *App) loadRules(_ caddy.Context, acc *access) error {
	for _, l := range a.Limits {
		scope := l.Scope
		if scope == "" {
			scope = gateway.ScopeGlobal
		} else if !slices.Contains(gateway.NamedScopes, scope) {
			return fmt.Errorf("limit: unknown scope '%s'%s", scope, typo.Suggest(scope, gateway.NamedScopes...))
		}
		if err := acc.rules.Add(scope, l.Name, l.Rule); err != nil {
			return err
		}
	}
	for name, m := range a.Models {
		if m == nil || len(m.Limits) == 0 { // null is refused elsewhere
			continue
		}
		if err := acc.rules.Add(gateway.ScopeModel, name, m.Limits...); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) loadPrices(_ caddy.Context, acc *access) error {
	acc.prices.Catalogue = prices.Default()
	for _, words := range a.Prices {
		if err := acc.prices.Overrides.Add(strings.Fields(words)); err != nil {
			return err
		}
	}
	return nil
}

// Rules implements handlers.Host.
func (a *App) Rules() *gateway.Rules { return &a.access.rules }

// LimitStore implements handlers.Host.
func (a *App) LimitStore() limits.Store { return a.access.store }

// Price implements handlers.Host.
func (a *App) Price(target gateway.Target, at time.Time) *prices.Price {
	module := a.modules[target.Provider]
	price, ok := a.access.prices.Find(target.Provider, module, target.Model, at)
	switch {
	case ok:
		return price
	case module == "simulator":
		return free
	default:
		return nil
	}
}

// free is what the simulator costs.
var free = func() *prices.Price {
	p, err := prices.Parse([]string{"free"})
	if err != nil {
		panic(err)
	}
	return p
}()

// UnpricedPolicy implements handlers.Host.
func (a *App) UnpricedPolicy() string { return cmp.Or(a.Unpriced, gateway.UnpricedDeny) }

// testStore shows that the store's limits are in force before anything relies
// on them: "configured but not enforced" is an error.
func (a *App) testStore() error {
	tester, ok := a.access.store.(limits.Tester)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	warnings, err := tester.SelfTest(ctx)
	for _, w := range warnings {
		a.logger.Warn("store: " + w)
	}
	if err != nil {
		return fmt.Errorf("testing the store of limits: %w", err)
	}
	return nil
}

const testTime = 5 * time.Second
