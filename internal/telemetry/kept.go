package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Kept collects what there is of answers when metrics are scraped: kept ones, those
// under way that others may follow, and requests that are compared by what they
// mean; ok is false while there is no cache.
type Kept func() (stats KeptStats, ok bool)

// KeptStats are the process's own. Failures are look-ups in a store of the fleet that
// failed, were too slow or were not made because it was away.
type KeptStats struct {
	Entries, Bytes, Evictions, FlightBytes, SemanticRows, Failures int64
}

var (
	keptBytesDesc     = prometheus.NewDesc("caddy_ai_cache_bytes", "Memory of the process that kept answers take.", nil, nil)
	keptEntriesDesc   = prometheus.NewDesc("caddy_ai_cache_entries", "Answers, and further forms of them, that the process keeps.", nil, nil)
	keptEvictionsDesc = prometheus.NewDesc("caddy_ai_cache_evictions_total", "Kept answers that had to go for others.", nil, nil)
	keptFlightsDesc   = prometheus.NewDesc("caddy_ai_cache_flights_bytes", "Memory of the process that answers under way take, which others may follow.", nil, nil)
	keptRowsDesc      = prometheus.NewDesc("caddy_ai_cache_semantic_rows", "Requests that the process compares others with by what they mean.", nil, nil)
	keptFailuresDesc  = prometheus.NewDesc("caddy_ai_cache_remote_failures_total", "Look-ups in the store of a fleet that failed, were too slow or not made because it was away; each was a miss.", nil, nil)
)

// Describe implements prometheus.Collector.
func (Kept) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{keptBytesDesc, keptEntriesDesc, keptEvictionsDesc, keptFlightsDesc, keptRowsDesc, keptFailuresDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (k Kept) Collect(ch chan<- prometheus.Metric) {
	s, ok := k()
	if !ok {
		return
	}
	for _, m := range []struct {
		desc  *prometheus.Desc
		kind  prometheus.ValueType
		value int64
	}{
		{keptBytesDesc, prometheus.GaugeValue, s.Bytes},
		{keptEntriesDesc, prometheus.GaugeValue, s.Entries},
		{keptEvictionsDesc, prometheus.CounterValue, s.Evictions},
		{keptFlightsDesc, prometheus.GaugeValue, s.FlightBytes},
		{keptRowsDesc, prometheus.GaugeValue, s.SemanticRows},
		{keptFailuresDesc, prometheus.CounterValue, s.Failures},
	} {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.value))
	}
}

// Interface guard.
var _ prometheus.Collector = Kept(nil)
