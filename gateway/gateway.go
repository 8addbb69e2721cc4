// Package gateway is Weir's domain: exchanges, models, providers, policies,
// usage and errors. It knows neither Caddy nor any vendor.
package gateway

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/gateway/capacity"
	"github.com/weirproxy/weir/gateway/health"
)

// Clock tells the time; tests replace it.
type Clock interface {
	Now() time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now returns the current time.
func (SystemClock) Now() time.Time { return time.Now() }

// Config is what a Gateway is made of.
type Config struct {
	Providers map[string]Provider

	// Versions says of providers, by their names, what in their settings may
	// change their answers.
	Versions map[string]string

	Models   []*Model
	Sinks    []UsageSink
	Tokens   Tokens
	Health   *health.Tracker
	Hedges   *health.Budget
	Capacity *capacity.Set // nil where no provider has a bound
	Clock    Clock
	Random   balance.Rand
	NewID    func() string
}

// Gateway resolves names and settles exchanges for one configuration. It is
// immutable but for its counters, and stays usable after the configuration
// is gone, for as long as exchanges hold it.
type Gateway struct {
	// Health and Hedges, the budget of all hedges together, are shared with
	// earlier and later configurations.
	Health *health.Tracker
	Hedges *health.Budget

	providers map[string]Provider
	models    *models
	sinks     []UsageSink
	tokens    Tokens
	clock     Clock
	random    balance.Rand
	newID     func() string
	pools     map[string]*pool
	doors     map[string]*door
	inFlight  atomic.Int64

	identities identities
}

// New checks cfg, completes its models and returns a Gateway of it, to which
// they belong from then on.
func New(cfg Config) (*Gateway, error) {
	models := newModels(cfg.Models)
	plans := planner{models: models, providers: cfg.Providers, identities: cfg.Versions}
	for _, model := range cfg.Models {
		if err := plans.prepare(model); err != nil {
			return nil, err
		}
	}
	if err := plans.checkCircles(cfg.Models); err != nil {
		return nil, err
	}
	pools := make(map[string]*pool, len(cfg.Providers))
	for name, provider := range cfg.Providers {
		pools[name] = newPool(provider, cfg.Random)
	}
	return &Gateway{
		Health:    cfg.Health,
		Hedges:    cfg.Hedges,
		pools:     pools,
		doors:     newDoors(cfg.Capacity, cfg.Providers),
		random:    cfg.Random,
		providers: cfg.Providers,
		models:    models,
		sinks:     cfg.Sinks,
		tokens:    cfg.Tokens,
		clock:     cfg.Clock,
		newID:     cfg.NewID,

		identities: cfg.Versions,
	}, nil
}

func sortedNames(providers map[string]Provider) []string {
	names := make([]string, 0, len(providers))
	for name := range providers {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Provider returns the provider of that name, nil when there is none.
func (g *Gateway) Provider(name string) Provider { return g.providers[name] }

// ProviderNames returns the names of the providers, sorted.
func (g *Gateway) ProviderNames() []string { return sortedNames(g.providers) }

// Models returns the configured models that clients may name, sorted by name.
func (g *Gateway) Models() []*Model {
	all := g.AllModels()
	list := make([]*Model, 0, len(all))
	for _, m := range all {
		if !m.Internal {
			list = append(list, m)
		}
	}
	return list
}

// AllModels returns the configured models, internal ones too, sorted by name.
func (g *Gateway) AllModels() []*Model {
	list := make([]*Model, 0, len(g.models.exact)+len(g.models.prefixes))
	for _, m := range g.models.exact {
		list = append(list, m)
	}
	list = append(list, g.models.prefixes...)
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Now is the gateway's time.
func (g *Gateway) Now() time.Time { return g.clock.Now() }

// NewID mints a request id.
func (g *Gateway) NewID() string { return g.newID() }

// NewExchange starts an exchange. Whoever starts one must settle it. id is
// the request id to use; empty mints one.
func (g *Gateway) NewExchange(id string) *Exchange {
	if id == "" {
		id = g.newID()
	}
	g.inFlight.Add(1)
	return &Exchange{ID: id, Start: g.clock.Now(), gateway: g}
}

// InFlight is the number of exchanges that are not settled.
func (g *Gateway) InFlight() int64 { return g.inFlight.Load() }

func (g *Gateway) deliver(record *Record) {
	g.inFlight.Add(-1)
	for _, sink := range g.sinks {
		sink.Record(record)
	}
}
