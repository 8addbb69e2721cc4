package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Places collects how many calls each provider is being sent, and how many wait
// for that, when metrics are scraped. It calls do with each provider.
type Places func(do func(provider string, inFlight, waiting int64))

var (
	placesDesc  = prometheus.NewDesc("caddy_ai_provider_in_flight", "Calls to a provider that are under way.", []string{"provider"}, nil)
	waitingDesc = prometheus.NewDesc("caddy_ai_provider_queue_depth", "Requests that wait for a place at a provider.", []string{"provider"}, nil)
)

// Describe implements prometheus.Collector.
func (Places) Describe(ch chan<- *prometheus.Desc) { ch <- placesDesc; ch <- waitingDesc }

// Collect implements prometheus.Collector.
func (p Places) Collect(ch chan<- prometheus.Metric) {
	p(func(provider string, inFlight, waiting int64) {
		ch <- prometheus.MustNewConstMetric(placesDesc, prometheus.GaugeValue, float64(inFlight), provider)
		ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(waiting), provider)
	})
}

// Interface guard.
var _ prometheus.Collector = Places(nil)
