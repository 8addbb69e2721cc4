package openai

import (
	"math"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// readUsage reads a usage object of chat, completions, embeddings, images or
// audio. The report replaces an earlier one: reports are cumulative.
func readUsage(data []byte, usage jsonscan.Value, seen *wire.Seen) {
	var u wire.Usage
	var total int64
	d := wire.Details{ServiceTier: seen.Details.ServiceTier} // which stands beside the usage
	found := false
	for key, v := range jsonscan.Members(data, usage) {
		switch string(quoted(data, key)) {
		case `"prompt_tokens"`, `"input_tokens"`:
			if n, ok := wire.Count(data, v); ok {
				u.Input, found = n, true
			}
		case `"completion_tokens"`, `"output_tokens"`:
			if n, ok := wire.Count(data, v); ok {
				u.Output, found = n, true
			}
		case `"total_tokens"`:
			total = wire.Detail(data, v)
		case `"prompt_tokens_details"`, `"input_tokens_details"`:
			u.CacheRead = max(u.CacheRead, count(data, v, "cached_tokens"))
			u.CacheWrite = max(u.CacheWrite, count(data, v, "cache_write_tokens"))
			d.InputAudio, d.InputImage = count(data, v, "audio_tokens"), count(data, v, "image_tokens")
		case `"completion_tokens_details"`, `"output_tokens_details"`:
			u.Reasoning = count(data, v, "reasoning_tokens")
			d.OutputAudio, d.OutputImage = count(data, v, "audio_tokens"), count(data, v, "image_tokens")
		case `"server_tool_use"`, `"server_tool_use_details"`: // OpenRouter
			d.WebSearches = max(d.WebSearches, count(data, v, "web_search_requests"))
		case `"service_tier"`: // Groq
			d.ServiceTier = wire.TierOf(v.Raw(data))
		case `"seconds"`: // of audio, in place of tokens
			d.Milliseconds = milliseconds(data, v)
		case `"prompt_cache_hit_tokens"`, `"cached_tokens"`, `"num_cached_tokens"`:
			// DeepSeek; Moonshot and Together; Mistral.
			u.CacheRead = max(u.CacheRead, wire.Detail(data, v))
		}
	}
	switch {
	case !found && total > 0: // Jina and Voyage report nothing else
		u.Input, found = total, true
	case u.Reasoning > 0 && total == u.Input+u.Output+u.Reasoning: // xAI leaves reasoning out of completion_tokens
		u.Output += u.Reasoning
	}
	switch {
	case found:
		seen.Take(u, d)
	case d.Milliseconds > 0:
		seen.Details = d
	}
}

// milliseconds reads a number of seconds.
func milliseconds(data []byte, v jsonscan.Value) int64 {
	if v.Kind != jsonscan.Number {
		return 0
	}
	seconds, err := strconv.ParseFloat(string(v.Raw(data)), 64)
	if err != nil || seconds < 0 || seconds > 1e9 {
		return 0
	}
	return int64(math.Ceil(seconds * 1000))
}

func count(data []byte, v jsonscan.Value, name string) int64 {
	return wire.Detail(data, jsonscan.Lookup(data, v, name))
}

// readError reads an error in any of the shapes that compatible servers use:
// an object with a message, or just text.
func readError(data []byte, v jsonscan.Value) *wire.Failure {
	f := &wire.Failure{Kind: wire.KindUpstream}
	if v.Kind == jsonscan.String {
		text, _ := v.Text(data, nil)
		f.Message = string(text)
	} else if m := jsonscan.Lookup(data, v, "message"); m.Kind == jsonscan.String {
		text, _ := m.Text(data, nil)
		f.Message = string(text)
	}
	var words string
	f.Kind, words = kindOf(data, v)
	f.Kind = wire.Classify(f.Kind, words, f.Message)
	return f
}

// kindOf files an error by the first of its members that says what it is, and
// returns the words of all.
func kindOf(data []byte, v jsonscan.Value) (kind wire.Kind, words string) {
	kind = wire.KindUpstream
	known := false
	for _, member := range [...]string{"code", "type", "status_code"} {
		c := jsonscan.Lookup(data, v, member)
		if n, ok := c.Int(data); ok && n >= 400 && n < 600 && !known {
			kind, known = wire.KindOfStatus(int(n)), true
		}
		if c.Kind != jsonscan.String {
			continue
		}
		word := string(c.Raw(data))
		words += " " + word
		if k, ok := kinds[word]; ok && !known {
			kind, known = k, true
		}
	}
	return kind, words
}

// kinds are the words for errors that change how Weir files them.
var kinds = map[string]wire.Kind{
	`"context_length_exceeded"`: wire.KindContextLength,
	`"rate_limit_exceeded"`:     wire.KindRateLimit,
	`"rate_limit_error"`:        wire.KindRateLimit,
	`"insufficient_quota"`:      wire.KindBudget,
	`"invalid_request_error"`:   wire.KindInvalid,
	`"overloaded_error"`:        wire.KindOverloaded,
	`"content_filter"`:          wire.KindPolicy,
	`"server_error"`:            wire.KindUpstream,
}
