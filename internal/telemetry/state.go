package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Ledger collects how many usage rows are not in the records yet when metrics are
// scraped; ok is false while there is no configuration.
type Ledger func() (pending int64, ok bool)

// StoreErrors collects how often each store was asked in vain. It calls do with each.
type StoreErrors func(do func(store string, errors int64))

var (
	pendingDesc     = prometheus.NewDesc("caddy_ai_ledger_pending", "Usage rows that the journal has and the records do not have yet.", nil, nil)
	storeErrorsDesc = prometheus.NewDesc("caddy_ai_store_errors_total", "Times that a store failed, was too slow or was not asked because it was away.", []string{"store"}, nil)
)

// Describe implements prometheus.Collector.
func (Ledger) Describe(ch chan<- *prometheus.Desc) { ch <- pendingDesc }

// Collect implements prometheus.Collector.
func (l Ledger) Collect(ch chan<- prometheus.Metric) {
	if pending, ok := l(); ok {
		ch <- prometheus.MustNewConstMetric(pendingDesc, prometheus.GaugeValue, float64(pending))
	}
}

// Describe implements prometheus.Collector.
func (StoreErrors) Describe(ch chan<- *prometheus.Desc) { ch <- storeErrorsDesc }

// Collect implements prometheus.Collector.
func (s StoreErrors) Collect(ch chan<- prometheus.Metric) {
	s(func(store string, errors int64) {
		ch <- prometheus.MustNewConstMetric(storeErrorsDesc, prometheus.CounterValue, float64(errors), store)
	})
}

// Interface guards.
var (
	_ prometheus.Collector = Ledger(nil)
	_ prometheus.Collector = StoreErrors(nil)
)
