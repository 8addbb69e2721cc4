package weir

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/records/journal"
	"github.com/weirproxy/weir/records/ledger"
)

// Routes implements caddy.AdminRouter: `/ai/keys` manages virtual keys,
// `/ai/usage` asks the ledger, `/ai/providers` shows and resets what is known
// of providers' health, `/ai/cache` shows and forgets kept answers. The metrics
// are at Caddy's own `/metrics`.
func (adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: keys.AdminPath, Handler: caddy.AdminHandlerFunc(serveKeys)},
		{Pattern: keys.AdminPath + "/", Handler: caddy.AdminHandlerFunc(serveKeys)},
		{Pattern: usagePath, Handler: caddy.AdminHandlerFunc(serveUsage)},
		{Pattern: cache.AdminPath, Handler: caddy.AdminHandlerFunc(serveCache)},
		{Pattern: cache.AdminPath + "/", Handler: caddy.AdminHandlerFunc(serveCache)},
		{Pattern: health.AdminPath, Handler: caddy.AdminHandlerFunc(serveProviders)},
		{Pattern: health.AdminPath + "/", Handler: caddy.AdminHandlerFunc(serveProviders)},
	}
}

// serveKeys hands a request to the configuration that runs now: Caddy provisions
// the admin endpoint before the apps of a new one.
func serveKeys(w http.ResponseWriter, r *http.Request) error {
	app, err := running()
	if err != nil {
		return err
	}
	acc := app.access
	store := keys.Manage(acc.set, nil, "", nil)
	if acc.file != nil {
		store = keys.Manage(acc.set, checked{acc.file, app}, acc.file.Name(), acc.watcher.Sync)
	}
	keys.AdminHandler(store).ServeHTTP(w, r)
	return nil
}

func serveProviders(w http.ResponseWriter, r *http.Request) error {
	app, err := running()
	if err != nil {
		return err
	}
	health.AdminHandler(app.shared.tracker, app.descriptions()).ServeHTTP(w, r)
	return nil
}

// usagePath is where the ledger answers.
const usagePath = "/ai/usage"

func serveUsage(w http.ResponseWriter, r *http.Request) error {
	app, err := running()
	if err != nil {
		return err
	}
	var j *journal.Journal
	if app.book != nil {
		j = app.book.diary.journal()
	}
	if j == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no records are configured"), Message: "no records are configured"}
	}
	// What has been settled is to be found: the journal goes first.
	ctx, cancel := context.WithTimeout(r.Context(), settleTime)
	defer cancel()
	_ = j.Flush(ctx) // a store that is away answers for itself
	ledger.UsageHandler(app.book.store, time.Now).ServeHTTP(w, r)
	return nil
}

// checked refuses keys with limits that could not be kept.
type checked struct {
	keys.Store
	app *App
}

func (c checked) limits(lines [][]string) error {
	rules, err := limits.ParseAll(lines)
	if err == nil {
		err = c.app.gateway.CheckDowngrades(rules)
	}
	if err != nil {
		return &keys.Invalid{Err: err}
	}
	return nil
}

func (c checked) Create(ctx context.Context, draft keys.Draft) (keys.Key, string, error) {
	if err := c.limits(draft.Limits); err != nil {
		return keys.Key{}, "", err
	}
	return c.Store.Create(ctx, draft)
}

func (c checked) Update(ctx context.Context, ref string, change keys.Change) (keys.Key, error) {
	if err := c.limits(change.Limits.Value); err != nil {
		return keys.Key{}, err
	}
	return c.Store.Update(ctx, ref, change)
}

// running is the `ai` app of the configuration that runs now.
func running() (*App, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("ai")
	if err != nil {
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err, Message: "no ai app is configured"}
	}
	return app.(*App), nil
}
