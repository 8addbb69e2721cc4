package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Leased collects, when metrics are scraped, how much of a limit this instance
// may hold of a store that lends room, as a share of the limit; false where
// none lends.
type Leased func() (ratio float64, lends bool)

var leasedDesc = prometheus.NewDesc("caddy_ai_limit_leased_ratio",
	"How much of a limit this instance may borrow ahead, as a share of it: what its crash may let the limit be overrun by.", nil, nil)

// Describe implements prometheus.Collector.
func (Leased) Describe(ch chan<- *prometheus.Desc) { ch <- leasedDesc }

// Collect implements prometheus.Collector.
func (l Leased) Collect(ch chan<- prometheus.Metric) {
	if ratio, lends := l(); lends {
		ch <- prometheus.MustNewConstMetric(leasedDesc, prometheus.GaugeValue, ratio)
	}
}

// Interface guard.
var _ prometheus.Collector = Leased(nil)
