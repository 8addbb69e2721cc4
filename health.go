package weir

import (
	"encoding/json"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/gateway/overload"
)

// Health is what is known of targets and accounts, for all configurations.
func (a *App) Health() *health.Tracker { return a.shared.tracker }

// track tells what is shared what this configuration has. That belongs to when it
// runs, not to when it starts: one that is rejected because another app cannot
// start must not make anything forgotten.
func (a *App) track() {
	names := a.gateway.ProviderNames()
	providers := make([]health.Provider, 0, len(names))
	for _, name := range names {
		p := a.gateway.Provider(name)
		known := health.Provider{Name: name, Endpoint: a.modules[name]}
		if l, ok := p.(gateway.Located); ok {
			known.Endpoint = l.Endpoint()
		}
		if pooled, ok := p.(gateway.Pooled); ok {
			known.Accounts = pooled.Accounts()
		}
		providers = append(providers, known)
	}
	var targets []health.Target
	for _, t := range a.gateway.Targets() {
		targets = append(targets, health.Target(t))
	}
	a.shared.tracker.Configure(providers, targets)
	a.shared.capacity.Configure(a.gateway.Bounds())
	a.shared.overload.Configure(a.Overload.settings(overload.MemoryLimit()))
}

// descriptions are the providers as administrators are shown them.
func (a *App) descriptions() []health.Description {
	names := a.gateway.ProviderNames()
	list := make([]health.Description, 0, len(names))
	for _, name := range names {
		d := health.Description{Name: name, Module: a.modules[name]}
		if l, ok := a.gateway.Provider(name).(gateway.Located); ok && !a.secret[name] {
			if u, err := url.Parse(l.Endpoint()); err == nil {
				d.Host = u.Host
			}
		}
		list = append(list, d)
	}
	return list
}

// secretBase reports whether a provider's address was given by a placeholder,
// which may hold what is not for everybody.
func secretBase(raw json.RawMessage) bool {
	var inline struct {
		BaseURL string `json:"base_url"`
	}
	_ = json.Unmarshal(raw, &inline) // an error shows when the module is loaded
	return strings.Contains(inline.BaseURL, "{")
}

// breakers tells metrics the state of the targets.
func breakers(do func(provider, model string, configured, open bool)) {
	if app, err := running(); err == nil {
		app.shared.tracker.Each(func(key health.Target, configured, open bool) { do(key.Provider, key.Model, configured, open) })
	}
}

// places tells metrics how many calls each provider is sent, and how many wait.
func places(do func(provider string, inFlight, waiting int64)) {
	if app, err := running(); err == nil {
		app.shared.capacity.Each(do)
	}
}

// announce logs a change of health once and emits it as an event, from the
// configuration that runs when it comes about.
func announce(c health.Change) {
	app, err := running()
	if err != nil {
		return // there is no one to tell
	}
	data := map[string]any{"provider": c.Target.Provider}
	fields := []zap.Field{zap.String("provider", c.Target.Provider)}
	add := func(name, value string) {
		if value != "" {
			data[name] = value
			fields = append(fields, zap.String(name, value))
		}
	}
	add("model", c.Target.Model)
	add("account", c.Account)
	add("reason", c.Reason)
	if !c.Until.IsZero() {
		data["until"] = c.Until.UTC()
		fields = append(fields, zap.Time("until", c.Until))
	}
	log := app.logger.Info
	if c.Kind == health.TargetUnhealthy || c.Kind == health.AccountDisabled {
		log = app.logger.Warn
	}
	log(strings.ReplaceAll(string(c.Kind), "_", " "), fields...)
	app.emit("ai."+string(c.Kind), data)
}
