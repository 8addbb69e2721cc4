package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Breakers collects which targets are down, when metrics are scraped: what is
// read from the state itself cannot fall out of step with it. It calls do with
// each target that is known; configured says whether its model may be a label.
type Breakers func(do func(provider, model string, configured, open bool))

var breakerDesc = prometheus.NewDesc("caddy_ai_breaker_open",
	"Targets that are down: 1 while one is, and a number for all whose models no configuration names.", []string{"provider", "model"}, nil)

// Describe implements prometheus.Collector.
func (Breakers) Describe(ch chan<- *prometheus.Desc) { ch <- breakerDesc }

// Collect implements prometheus.Collector.
func (b Breakers) Collect(ch chan<- prometheus.Metric) {
	type labels struct{ provider, model string }
	down := make(map[labels]float64)
	b(func(provider, model string, configured, open bool) {
		if !configured {
			if !open {
				return
			}
			model = Other
		}
		l := labels{provider, model}
		if open {
			down[l]++
		} else {
			down[l] += 0
		}
	})
	for l, n := range down {
		ch <- prometheus.MustNewConstMetric(breakerDesc, prometheus.GaugeValue, n, l.provider, l.model)
	}
}

// Interface guard.
var _ prometheus.Collector = Breakers(nil)
