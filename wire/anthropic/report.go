package anthropic

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// report reads usage with all its details; later reports override what they
// name.
type report struct {
	usage usage
	wire.Report
}

// read reports whether v said anything.
func (r *report) read(d *wire.Doc, v jsonscan.Value) bool {
	if v.Kind != jsonscan.ObjectKind {
		return false
	}
	var seen wire.Seen
	r.usage.read(d.Data, v, &seen)
	r.Usage = seen.Usage
	r.Reported = seen.Reported
	for key, m := range jsonscan.Members(d.Data, v) {
		switch string(d.Data[key.Start:key.End]) {
		case `"cache_creation"`:
			setInt(d, m, "ephemeral_5m_input_tokens", &r.CacheWrite5m)
			setInt(d, m, "ephemeral_1h_input_tokens", &r.CacheWrite1h)
		case `"server_tool_use"`:
			setInt(d, m, "web_search_requests", &r.WebSearches)
			setInt(d, m, "web_fetch_requests", &r.WebFetches)
		case `"service_tier"`:
			if m.Kind == jsonscan.String {
				r.ServiceTier = d.Str(m)
			}
		}
	}
	return seen.Reported
}

func setInt(d *wire.Doc, v jsonscan.Value, name string, field *int64) {
	if n, ok := wire.Count(d.Data, d.Get(v, name)); ok {
		*field = max(n, 0)
	}
}

// failureOf reads an error in the dialect's form or, from servers that only
// look like it, in any other.
func failureOf(d *wire.Doc) *wire.Failure {
	e := d.Get(d.Root, "error")
	if e.Kind != jsonscan.ObjectKind || !d.Get(e, "message").Exists() {
		return wire.ReadFailure(502, "", d.Data)
	}
	return readError(d.Data, e)
}

// writeCounters writes the members that message_start, message_delta and whole
// answers share. The vendor's input_tokens leave the cache out.
func writeCounters(w *jsonw.Writer, r *wire.Report) {
	// Azure's Grok reports more cached tokens than prompt.
	read := min(r.CacheRead, r.Input)
	w.Num("input_tokens", max(0, r.Input-read-r.CacheWrite))
	w.Num("cache_creation_input_tokens", r.CacheWrite)
	w.Num("cache_read_input_tokens", read)
	w.Num("output_tokens", r.Output)
	if r.Reasoning > 0 {
		w.Key("output_tokens_details")
		w.Object()
		w.Num("thinking_tokens", r.Reasoning)
		w.End()
	}
	if r.WebSearches > 0 || r.WebFetches > 0 {
		w.Key("server_tool_use")
		w.Object()
		w.Num("web_search_requests", r.WebSearches)
		w.Num("web_fetch_requests", r.WebFetches)
		w.End()
	}
}

// writeUsage writes the usage of a message.
func writeUsage(w *jsonw.Writer, r *wire.Report, tier string) {
	w.Key("usage")
	w.Object()
	writeCounters(w, r)
	w.Key("cache_creation")
	w.Object()
	w.Num("ephemeral_5m_input_tokens", max(r.CacheWrite5m, r.CacheWrite-r.CacheWrite1h))
	w.Num("ephemeral_1h_input_tokens", r.CacheWrite1h)
	w.End()
	if tier == "" {
		tier = r.ServiceTier
	}
	switch tier {
	case "priority", "batch":
	default: // the vendor has no other words
		tier = "standard"
	}
	w.Str("service_tier", tier)
	w.End()
}
