package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproxy/weir/tokenizer"
)

// memo collects how often the tokenizer remembered a message; it is read when
// metrics are scraped and costs nothing in between.
type memo struct{}

var memoDesc = prometheus.NewDesc("caddy_ai_token_memo_total",
	"Messages and tools of prompts whose tokens were looked up, by whether they were remembered.", []string{"result"}, nil)

// Describe implements prometheus.Collector.
func (memo) Describe(ch chan<- *prometheus.Desc) { ch <- memoDesc }

// Collect implements prometheus.Collector.
func (memo) Collect(ch chan<- prometheus.Metric) {
	hits, misses := tokenizer.MemoStats()
	ch <- prometheus.MustNewConstMetric(memoDesc, prometheus.CounterValue, float64(hits), "hit")
	ch <- prometheus.MustNewConstMetric(memoDesc, prometheus.CounterValue, float64(misses), "miss")
}
