// Package weir is an AI gateway for Caddy: the `ai` app and everything that
// belongs to it. Importing it registers the modules.
package weir

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/handlers"
	// Commands and the built-in guests.
	_ "github.com/weirproxy/weir/internal/accesslog"
	_ "github.com/weirproxy/weir/internal/cli"
	"github.com/weirproxy/weir/internal/inflight"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/internal/tokens"
	_ "github.com/weirproxy/weir/policies"
	_ "github.com/weirproxy/weir/providers/anthropic"
	_ "github.com/weirproxy/weir/providers/azure_openai"
	_ "github.com/weirproxy/weir/providers/bedrock"
	_ "github.com/weirproxy/weir/providers/cohere"
	_ "github.com/weirproxy/weir/providers/gemini"
	_ "github.com/weirproxy/weir/providers/openai"
	_ "github.com/weirproxy/weir/providers/openai_compatible"
	_ "github.com/weirproxy/weir/providers/simulator"
	_ "github.com/weirproxy/weir/providers/vertex"
	_ "github.com/weirproxy/weir/records/postgres"
	_ "github.com/weirproxy/weir/records/sqlite"
	_ "github.com/weirproxy/weir/records/usagelog"
	_ "github.com/weirproxy/weir/stores/memory"
	_ "github.com/weirproxy/weir/stores/postgres"
	_ "github.com/weirproxy/weir/stores/redis"
)

func init() {
	caddy.RegisterModule(&App{})
}

// App is the AI gateway. It owns what more than one site shares: providers,
// models and usage records.
type App struct {
	// Upstream accounts, keyed by a name of your choosing, which the names of
	// targets (`provider/model`) refer to. Default: none.
	ProvidersRaw map[string]json.RawMessage `json:"providers,omitempty" caddy:"namespace=ai.providers inline_key=provider"`

	// Model aliases, keyed by the name that clients send. A name may end in
	// `*`; the longest literal prefix wins. Default: none; `provider/model` and
	// vendors' own names need no alias.
	Models map[string]*Model `json:"models,omitempty"`

	// Virtual keys, by their names. While there is none, here or in keys_file,
	// only loopback and private clients are served. Default: none.
	Keys map[string]*Key `json:"keys,omitempty"`

	// A JSON file of more keys, which `caddy ai keys` and the admin endpoint
	// `/ai/keys` change; it is watched. Default: none.
	KeysFile string `json:"keys_file,omitempty"`

	// A placeholder for the secret with which keys are hashed. Hashes made with
	// another are void. Default: one that is no secret.
	KeyPepper string `json:"key_pepper,omitempty"`

	// Limits that hold for everybody, or for those that they name. Default: none.
	Limits []Limit `json:"limits,omitempty"`

	// Where limits are counted. Default: `memory`.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=ai.stores inline_key=store"`

	// Where the usage ledger is kept, behind a journal on disk; `off` for none,
	// and budgets are then forgotten when the process ends. Default: `sqlite`,
	// in Caddy's data directory.
	RecordsRaw json.RawMessage `json:"records,omitempty" caddy:"namespace=ai.records inline_key=records"`

	// Prices that go before the catalogue's, such as
	// `gpu/* input 0.20 output 0.60 from 2026-12-01`, in US dollars for a million
	// tokens. A target may have several, in force one after the other.
	// Default: the catalogue's.
	Prices []string `json:"prices,omitempty"`

	// What becomes of a request whose price is not known, or only that of a
	// similar model, for callers under a limit in usd: `deny`, `estimate` or
	// `free`, which takes what is known of a similar one. Default: `deny`.
	Unpriced string `json:"unpriced,omitempty"`

	// Tokenizers for models whose vocabulary is not built in, read from files.
	// The longest literal prefix wins. Default: none.
	Tokenizers []Tokenizer `json:"tokenizers,omitempty"`

	// Where usage records go, each to all of them. Default: `log`.
	UsageRaw []json.RawMessage `json:"usage,omitempty" caddy:"namespace=ai.usage inline_key=sink"`

	// What is too much for the process; then new requests are refused, those of
	// the lowest priority first. Default: see its fields.
	Overload *Overload `json:"overload,omitempty"`

	// How long streams may run on when the process is told to exit, before
	// they are ended with an error event; negative: as long as Caddy's
	// `grace_period` allows. It is cut to fit into that in any case.
	// Default: `10s`.
	DrainTimeout caddy.Duration `json:"drain_timeout,omitempty"`

	generation uint64

	gateway *gateway.Gateway
	access  *access
	book    *book
	modules map[string]string // of providers, by their names
	secret  map[string]bool   // providers whose address is not to be shown
	tokens  *tokens.Counter
	shared  *shared // stays, since who has found the app may still ask it after Cleanup
	logger  *zap.Logger

	stopRestoring context.CancelFunc // nil unless budgets wait for the ledger

	// recheck begins to check targets that are down, for as long as the
	// configuration runs.
	recheck func()

	// wanted is how many bytes of answers the configuration wants to keep, rows of
	// how many it wants to know what they mean.
	wanted, rows atomic.Int64

	// emit tells Caddy's events app.
	emit func(name string, data map[string]any)

	// How long the process goes on accepting requests on its way out, and
	// serving them after that; the http app's settings bear on both.
	delay, drain atomic.Int64
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai",
		New: func() caddy.Module { return new(App) },
	}
}

// defaultDrain is how long streams may run on after SIGTERM.
const defaultDrain = 10 * time.Second

// Provision implements caddy.Provisioner. The app is usable from here on:
// apps start in random order, so requests may come before Start.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	a.generation = inflight.Process.NextGeneration()
	if a.DrainTimeout == 0 {
		a.DrainTimeout = caddy.Duration(defaultDrain)
	}
	a.drain.Store(int64(a.DrainTimeout))
	if a.DrainTimeout < 0 {
		a.drain.Store(1 << 62) // as long as Caddy lets them
	}

	if err := a.checkGuests(); err != nil {
		return err
	}
	a.modules = make(map[string]string, len(a.ProvidersRaw))
	a.secret = make(map[string]bool)
	versions := make(map[string]string, len(a.ProvidersRaw))
	for name, raw := range a.ProvidersRaw { // which Caddy drops when it loads a module
		a.modules[name] = moduleOf(raw)
		a.secret[name] = secretBase(raw)
		versions[name] = versionOf(raw)
	}
	providers, err := a.loadProviders(ctx)
	if err != nil {
		return err
	}
	sinks, err := a.loadSinks(ctx)
	if err != nil {
		return err
	}
	if a.tokens, err = a.loadTokenizers(); err != nil {
		return err
	}
	if err = a.loadAccess(ctx); err != nil {
		return err
	}
	if err = a.loadLedger(ctx); err != nil {
		return err
	}
	if a.book != nil {
		sinks = append(sinks, a.book)
	}
	a.watchKeys(ctx)
	if a.shared, err = acquireShared(); err != nil {
		return err
	}
	if err := a.shared.metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	models, err := a.models(ctx)
	if err != nil {
		return err
	}
	a.gateway, err = gateway.New(gateway.Config{
		Providers: providers,
		Versions:  versions,
		Models:    models,
		Sinks:     sinks,
		Tokens:    a.tokens,
		Health:    a.shared.tracker,
		Hedges:    a.shared.hedges,
		Capacity:  a.shared.capacity,
		Clock:     gateway.SystemClock{},
		Random:    rand.Uint64,
		NewID:     newRequestID,
	})
	if err != nil {
		return err
	}
	if err := a.checkBearers(a.gateway.ProviderNames()); err != nil {
		return err
	}
	if err := a.checkDowngrades(a.gateway.CheckDowngrades, a.alias); err != nil {
		return err
	}
	a.recheck = func() {
		a.gateway.Recheck(ctx, func(ctx context.Context, check *gateway.Check, timeout time.Duration) {
			handlers.Ask(ctx, check, timeout, metrics)
		})
	}
	a.revokeKeys(ctx)
	return a.subscribe(ctx)
}

// Start implements caddy.App. It only begins background work, since requests
// may have come before.
func (a *App) Start() error {
	tokens.Preload()
	for _, name := range a.gateway.ProviderNames() {
		if p, ok := a.gateway.Provider(name).(gateway.Warmer); ok {
			p.Warm()
		}
	}
	if !a.access.set.Asked() {
		a.logger.Warn("no API key is configured: only loopback and private clients are served")
	}
	if err := a.testStore(); err != nil {
		return err
	}
	if err := a.openLedger(); err != nil {
		return err
	}
	if _, err := running(); err != nil {
		a.takeOver() // the first configuration; later ones when the one before goes
	}
	a.recheck()
	return nil
}

// takeOver makes what configurations share this one's. It runs now: one that other
// apps reject is started before that, too.
func (a *App) takeOver() {
	a.track()
	a.resizeKept()
}

// Stop implements caddy.App. Requests may still come, and streams go on.
func (*App) Stop() error { return nil }

// Cleanup implements caddy.CleanerUpper. It runs while streams of this
// configuration still do; they need nothing of what it lets go.
func (a *App) Cleanup() error {
	if a.stopRestoring != nil {
		a.stopRestoring()
	}
	err := errors.Join(a.access.release(), a.book.release())
	if a.shared == nil {
		return err // Provision failed before it took more
	}
	if app, no := running(); no == nil {
		app.takeOver()
	}
	return errors.Join(err, releaseShared())
}

// Gateway implements handlers.Host.
func (a *App) Gateway() *gateway.Gateway { return a.gateway }

// Metrics implements handlers.Host.
func (a *App) Metrics() *telemetry.Metrics { return a.shared.metrics }

// Queues implements handlers.Host.
func (a *App) Queues() *queue.Set { return a.shared.queues }

// Margins implements handlers.Host.
func (a *App) Margins() *limits.Margins { return a.shared.margins }

// Tokens implements handlers.Host.
func (a *App) Tokens() *tokens.Counter { return a.tokens }

// Interface guards.
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
	_ handlers.Host      = (*App)(nil)
)
