package anthropic

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// usage keeps the vendor's own counters, since message_delta overrides only
// those that it names. Anthropic's input_tokens leaves out what was read from
// and written to the cache; Weir's Input has everything.
type usage struct {
	input, output, cacheRead, cacheWrite, thinking int64

	cacheWrite1h, searches int64
	tier                   string
	told                   bool
}

func (u *usage) read(data []byte, v jsonscan.Value, seen *wire.Seen) {
	if v.Kind != jsonscan.ObjectKind {
		return
	}
	for key, n := range jsonscan.Members(data, v) {
		var field *int64
		switch string(data[key.Start:key.End]) {
		case `"input_tokens"`:
			field = &u.input
		case `"output_tokens"`:
			field = &u.output
		case `"cache_read_input_tokens"`:
			field = &u.cacheRead
		case `"cache_creation_input_tokens"`:
			field = &u.cacheWrite
		case `"output_tokens_details"`:
			n = jsonscan.Lookup(data, n, "thinking_tokens")
			field = &u.thinking
		case `"cache_creation"`:
			n = jsonscan.Lookup(data, n, "ephemeral_1h_input_tokens")
			field = &u.cacheWrite1h
		case `"server_tool_use"`:
			n = jsonscan.Lookup(data, n, "web_search_requests")
			field = &u.searches
		case `"service_tier"`:
			u.tier = wire.TierOf(n.Raw(data))
			continue
		default:
			continue
		}
		if count, ok := wire.Count(data, n); ok {
			*field = count
			u.told = true
		}
	}
	d := wire.Details{CacheWrite1h: max(u.cacheWrite1h, 0), WebSearches: max(u.searches, 0), ServiceTier: u.tier}
	if !u.told {
		seen.Details = d
		return
	}
	seen.Take(wire.Usage{
		Input:      wire.Total(u.input, u.cacheRead, u.cacheWrite),
		Output:     u.output,
		CacheRead:  u.cacheRead,
		CacheWrite: u.cacheWrite,
		Reasoning:  max(u.thinking, 0),
	}, d)
}

func readError(data []byte, v jsonscan.Value) *wire.Failure {
	f := &wire.Failure{Kind: wire.KindUpstream}
	if m := jsonscan.Lookup(data, v, "message"); m.Kind == jsonscan.String {
		text, _ := m.Text(data, nil)
		f.Message = string(text)
	}
	kind := string(jsonscan.Lookup(data, v, "type").Raw(data))
	switch kind {
	case `"overloaded_error"`:
		f.Kind = wire.KindOverloaded
	case `"rate_limit_error"`:
		f.Kind = wire.KindRateLimit
	case `"invalid_request_error"`:
		f.Kind = wire.KindInvalid
	case `"timeout_error"`:
		f.Kind = wire.KindTimeout
	case `"authentication_error"`:
		f.Kind = wire.KindAuthentication
	case `"permission_error"`:
		f.Kind = wire.KindPermission
	case `"not_found_error"`:
		f.Kind = wire.KindModelNotFound
	case `"request_too_large"`:
		f.Kind = wire.KindTooLarge
	case `"billing_error"`:
		f.Kind = wire.KindBudget
	}
	code := jsonscan.Lookup(data, jsonscan.Lookup(data, v, "details"), "error_code").Raw(data)
	f.Kind = wire.Classify(f.Kind, kind+" "+string(code), f.Message)
	return f
}
