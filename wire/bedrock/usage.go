package bedrock

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// readUsage notes a usage object.
func readUsage(data []byte, v jsonscan.Value, seen *wire.Seen) {
	if report, ok := readReport(data, v); ok {
		seen.Usage, seen.Reported, seen.Details = report.Usage, true, report.Details
	}
}

// readReport reads a usage object. The vendor's inputTokens leaves out what was
// read from and written to the cache.
func readReport(data []byte, v jsonscan.Value) (r wire.Report, ok bool) {
	for key, val := range jsonscan.Members(data, v) {
		n, isInt := val.Int(data)
		switch string(data[key.Start:key.End]) {
		case `"inputTokens"`:
			r.Input += n
			r.Reported = r.Reported || isInt
		case `"outputTokens"`:
			r.Output = n
			r.Reported = r.Reported || isInt
		case `"cacheReadInputTokens"`:
			r.CacheRead = n
		case `"cacheWriteInputTokens"`:
			r.CacheWrite = n
		case `"cacheDetails"`:
			for detail := range jsonscan.Elements(data, val) {
				n, _ := jsonscan.Lookup(data, detail, "inputTokens").Int(data)
				if jsonscan.Lookup(data, detail, "ttl").Is(data, "1h") {
					r.CacheWrite1h += n
				} else {
					r.CacheWrite5m += n
				}
			}
		}
	}
	r.Input += r.CacheRead + r.CacheWrite
	return r, r.Reported
}
