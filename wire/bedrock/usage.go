package bedrock

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// readUsage notes a usage object.
func readUsage(data []byte, v jsonscan.Value, seen *wire.Seen) {
	if report := readReport(data, v); report.Reported {
		seen.Take(report.Usage, report.Details)
	}
}

// readReport reads a usage object, whose totals may be absurd. The vendor's
// inputTokens leaves out what was read from and written to the cache.
func readReport(data []byte, v jsonscan.Value) (r wire.Report) {
	for key, val := range jsonscan.Members(data, v) {
		n, isCount := wire.Count(data, val)
		switch string(data[key.Start:key.End]) {
		case `"inputTokens"`:
			r.Input = n
			r.Reported = r.Reported || isCount
		case `"outputTokens"`:
			r.Output = n
			r.Reported = r.Reported || isCount
		case `"cacheReadInputTokens"`:
			r.CacheRead = n
		case `"cacheWriteInputTokens"`:
			r.CacheWrite = n
		case `"cacheDetails"`:
			for detail := range jsonscan.Elements(data, val) {
				n := wire.Detail(data, jsonscan.Lookup(data, detail, "inputTokens"))
				if jsonscan.Lookup(data, detail, "ttl").Is(data, "1h") {
					r.CacheWrite1h += n
				} else {
					r.CacheWrite5m += n
				}
			}
		}
	}
	r.Input = wire.Total(r.Input, r.CacheRead, r.CacheWrite)
	return r
}
