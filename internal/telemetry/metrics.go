package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/overload"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/wire"
)

// Other stands for every name that no configuration has: labels made from
// what clients send would be series without end.
const Other = "_other"

// Metrics are Weir's collectors. There is one set for the life of the
// process, registered into the registry of each configuration: a stream that
// outlives a reload still counts, and so does everything after a reload that
// was rejected.
type Metrics struct {
	requests   *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	firstToken *prometheus.HistogramVec
	interToken *prometheus.HistogramVec
	overhead   *prometheus.HistogramVec
	tokens     *prometheus.CounterVec
	inFlight   prometheus.Gauge
	queued     prometheus.Gauge
	attempts   *prometheus.CounterVec
	fallbacks  *prometheus.CounterVec
	cost       prometheus.Counter
	unpriced   prometheus.Counter
	shed       *prometheus.CounterVec
	limits     *prometheus.CounterVec
	lookups    *prometheus.CounterVec
	saved      prometheus.Counter
	memo       prometheus.Collector
	more       []prometheus.Collector

	kinds    table[seriesKey, *series]
	outcomes table[attemptKey, prometheus.Counter]

	// decided and counted are the children of limits and tokens that were asked for.
	decided [limits.Concurrency + 1][len(decisionNames)]atomic.Pointer[prometheus.Counter]
	counted [len(directions)][len(sources)]atomic.Pointer[prometheus.Counter]
}

var (
	latencyBuckets  = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}
	overheadBuckets = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .1}
	tokenBuckets    = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}
)

// NewMetrics returns a set of collectors that are not registered yet, with
// more that are collected elsewhere.
func NewMetrics(more ...prometheus.Collector) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "caddy", Subsystem: "ai", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "caddy", Subsystem: "ai", Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		requests:   counter("requests_total", "Requests that ended.", "dialect", "model", "provider", "status", "stream"),
		duration:   histogram("request_duration_seconds", "Time from a request's start to its last byte.", latencyBuckets, "dialect", "model", "provider"),
		firstToken: histogram("time_to_first_token_seconds", "Time from a request's start to the first content of its stream.", latencyBuckets, "dialect", "model", "provider"),
		interToken: histogram("inter_token_seconds", "Mean time between two tokens of a stream.", tokenBuckets, "dialect", "model", "provider"),
		overhead:   histogram("overhead_seconds", "Time that a request spent in the gateway itself.", overheadBuckets, "dialect"),
		tokens:     counter("tokens_total", "Tokens, by direction and by who counted them.", "direction", "source"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "caddy", Subsystem: "ai", Name: "in_flight", Help: "Requests being served.",
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "caddy", Subsystem: "ai", Name: "queue_depth", Help: "Requests that wait for room under a limit or for a place at a provider.",
		}),
		cost: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "ai", Name: "cost_usd_total", Help: "What requests cost, in US dollars.",
		}),
		unpriced: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "ai", Name: "unpriced_total", Help: "Requests that used tokens whose price is not known, or only estimated.",
		}),
		limits:  counter("limit_decisions_total", "Decisions of limits, by what they count and what was decided.", "unit", "decision"),
		lookups: counter("cache_lookups_total", "Look-ups in the cache, by kind and by what came of them.", "kind", "result"),
		saved: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "ai", Name: "cache_saved_usd_total", Help: "What answers would have cost that were kept or shared, in US dollars.",
		}),
		shed:      counter("shed_total", "Requests that were refused because the gateway was overloaded, by priority and by what there was too much of.", "class", "reason"),
		memo:      memo{},
		fallbacks: counter("fallbacks_total", "Attempts after the first, by why they were made: the class of the failure before, or slow for hedges.", "reason"),
		more:      more,
		attempts:  counter("upstream_attempts_total", "Calls to upstreams, by what came of them.", "provider", "outcome"),
	}
	for _, class := range append([]string{hedged}, gateway.ClassNames()...) {
		m.fallbacks.WithLabelValues(class)
	}
	for _, result := range [...]string{gateway.CacheHit, gateway.CacheMiss, gateway.CacheBypass, gateway.CacheStale, gateway.CacheCoalesced} {
		m.lookups.WithLabelValues(LookupExact, result)
	}
	for _, class := range queue.Classes {
		for _, reason := range []overload.Reason{overload.InFlight, overload.Memory, overload.Latency} {
			m.shed.WithLabelValues(class, string(reason))
		}
	}
	// Alerts on refusals need the series before the first one.
	for unit := limits.Requests; unit <= limits.Concurrency; unit++ {
		m.decision(unit, Allowed)
		m.decision(unit, Refused)
	}
	return m
}

// Register enters the collectors into a configuration's registry.
func (m *Metrics) Register(registry prometheus.Registerer) error {
	for _, c := range append([]prometheus.Collector{
		m.requests, m.duration, m.firstToken, m.interToken, m.overhead, m.tokens, m.inFlight, m.queued, m.attempts, m.fallbacks, m.cost, m.unpriced, m.shed, m.limits, m.lookups, m.saved, m.memo,
	}, m.more...) {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// Begin counts a request in.
func (m *Metrics) Begin() { m.inFlight.Inc() }

// End counts a request out, from its record. model is the name by which it is
// counted.
func (m *Metrics) End(r *gateway.Record, model string) {
	m.inFlight.Dec()
	provider := r.Provider
	if provider == "" {
		provider = Other
	}
	s := m.series(seriesKey{string(r.Dialect), model, provider, r.Status, r.Stream})
	s.requests.Inc()
	s.duration.Observe(r.Timings.Total.Seconds())
	if r.Timings.FirstToken > 0 {
		s.firstToken.Observe(r.Timings.FirstToken.Seconds())
		if n := r.Usage.Output; n > 1 {
			s.interToken.Observe((r.Timings.Total - r.Timings.FirstToken).Seconds() / float64(n-1))
		}
	}
	if own := r.Timings.Total - r.Timings.Upstream; r.Attempts > 0 && own >= 0 {
		s.overhead.Observe(own.Seconds())
	}
	m.cost.Add(USD(r.Cost.Total))
	m.saved.Add(USD(r.Saved))
	if !r.Priced {
		m.unpriced.Inc()
	}
	for direction, n := range [...]int64{r.Usage.Input, r.Usage.Output, r.Usage.CacheRead, r.Usage.Reasoning} {
		if n > 0 {
			m.direction(direction, r.UsageSource).Add(float64(n))
		}
	}
}

// Cut counts a stream that was ended, by the unit of the limit or by what else it
// met.
func (m *Metrics) Cut(by string) { m.limits.WithLabelValues(by, "cut").Inc() }

// The kinds of look-ups in the cache.
const (
	LookupExact    = "exact"
	LookupSemantic = "semantic"
)

// Lookup counts a look-up in the cache.
func (m *Metrics) Lookup(kind, result string) { m.lookups.WithLabelValues(kind, result).Inc() }

// hedged is the reason for an attempt that followed no failure.
const hedged = "slow"

// Fallback counts an attempt after the first: reason is the class of the
// failure before it.
func (m *Metrics) Fallback(reason string) { m.fallbacks.WithLabelValues(reason).Inc() }

// Hedge counts an attempt beside a slow first one.
func (m *Metrics) Hedge() { m.fallbacks.WithLabelValues(hedged).Inc() }

// Shed counts a request that was refused because the gateway was overloaded.
func (m *Metrics) Shed(class, reason string) { m.shed.WithLabelValues(class, reason).Inc() }

// Queued counts requests into a queue, or out of it.
func (m *Metrics) Queued(delta float64) { m.queued.Add(delta) }

// Attempt counts one call to an upstream.
func (m *Metrics) Attempt(provider string, res *http.Response, err error) {
	outcome := "ok"
	switch {
	case err != nil:
		outcome = "error"
		var e *gateway.Error
		if errors.As(err, &e) && e.Kind == wire.KindTimeout {
			outcome = "timeout"
		}
	case res.StatusCode == http.StatusTooManyRequests:
		outcome = "rate_limited"
	case res.StatusCode >= http.StatusInternalServerError:
		outcome = "server_error"
	case res.StatusCode >= http.StatusBadRequest:
		outcome = "client_error"
	}
	m.outcome(attemptKey{provider, outcome}).Inc()
}

// SavedUSD is what answers would have cost that were kept or shared, in US dollars,
// since the process began.
func (m *Metrics) SavedUSD() float64 {
	var sample dto.Metric
	if err := m.saved.Write(&sample); err != nil {
		return 0 // which a counter without exemplars never says
	}
	return sample.GetCounter().GetValue()
}
