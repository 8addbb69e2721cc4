package wire

import "strings"

// DropAsked notes those of the named members that req asks something by. A
// value that asks for what happens anyway is no loss: libraries send the
// defaults of parameters too.
func (l *Loss) DropAsked(req *Request, names ...string) {
	for _, name := range names {
		if asked(req, name) {
			l.Drop(name)
		}
	}
}

func asked(req *Request, name string) bool {
	switch name {
	case "n":
		return req.Choices > 1
	case "seed":
		return req.Seed != ""
	case "top_k":
		return req.TopK != ""
	case "frequency_penalty":
		return !isZero(req.FrequencyPenalty)
	case "presence_penalty":
		return !isZero(req.PresencePenalty)
	case "logprobs":
		return req.LogProbs
	case "top_logprobs":
		return !isZero(req.TopLogProbs)
	case "logit_bias":
		return !isEmpty(req.LogitBias)
	case "stop":
		return len(req.Stop) > 0
	case "modalities":
		return len(req.Modalities) > 0
	case "verbosity":
		return req.Verbosity != "" && req.Verbosity != "medium"
	case "parallel_tool_calls":
		return req.ParallelTools == No
	case "user":
		return req.User != ""
	case "metadata":
		return !isEmpty(req.Metadata)
	case "store":
		return req.Store == Yes
	case "prompt_cache_key":
		return req.CacheKey != ""
	case "prompt_cache_options":
		return req.CacheOptions != ""
	}
	return true
}

func isZero(n Number) bool {
	f, ok := n.Float()
	return !ok || f == 0
}

// isEmpty reports whether raw is nothing, or an object without members.
func isEmpty(raw string) bool { return strings.Trim(raw, "{} \t\r\n") == "" }
