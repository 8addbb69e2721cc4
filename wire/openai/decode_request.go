package openai

import (
	"slices"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// DecodeRequest reads a Chat Completions request, with the members of
// OpenRouter, DeepSeek and older OpenAI clients that have a canonical place.
func (Codec) DecodeRequest(body []byte) (*wire.Request, error) {
	r, err := newReader(body)
	if err != nil {
		return nil, err
	}
	r.req.Spelling[ownName] = ownName
	switch r.StrAt(r.Root, "prompt_cache_options", "ttl") {
	case "30m":
		r.cacheTTL = "5m"
	case "12h":
		r.cacheTTL = "1h"
	}
	var messages, choice jsonscan.Value
	for name, v := range r.Members(r.Root) {
		switch name {
		case "messages":
			messages = v
		case "tool_choice", "function_call":
			choice = v // tools decide what it means
		default:
			if !r.common(name, v) && !r.chat(name, v) {
				r.extra(name, v)
			}
		}
	}
	r.toolChoice(choice)
	if r.is("messages", messages, jsonscan.Array) {
		r.messages(messages)
	} else if r.failure == nil {
		r.fail("messages", "'messages' is required")
	}
	if r.failure != nil {
		return nil, r.failure
	}
	r.req.Normalize()
	for i := range r.req.Messages {
		orderAssistant(&r.req.Messages[i])
	}
	return r.req, nil
}

// chat reads the members that only chat has.
func (r *requestReader) chat(name string, v jsonscan.Value) bool {
	req := r.req
	switch name {
	case "max_completion_tokens":
		if n := r.whole(name, v, 0); n > 0 {
			req.MaxTokens = n
			req.Spelling["max_tokens"] = name
		}
	case "tools", "functions":
		r.tools(name, v)
	case "parallel_tool_calls":
		req.ParallelTools = r.tri(name, v)
	case "response_format":
		r.format(v)
	case "logprobs":
		req.LogProbs = r.tri(name, v) == wire.Yes
	case "top_logprobs":
		req.TopLogProbs = r.num(name, v)
	case "reasoning_effort":
		if effort := r.str(name, v); effort != "" {
			req.Reasoning.Effort = effort
		}
	case "reasoning":
		return r.reasoning(v)
	case "thinking":
		return r.thinking(v)
	case "verbosity":
		req.Verbosity = r.str(name, v)
	case "modalities":
		if list := r.strings(name, v); !slices.Equal(list, []string{"text"}) {
			req.Modalities = list
		}
	case "safety_identifier":
		r.user(name, v)
	case "metadata":
		req.Metadata = r.object(name, v)
	case "service_tier":
		req.ServiceTier = r.str(name, v)
	case "prompt_cache_key":
		req.CacheKey = r.str(name, v)
	case "prompt_cache_options":
		req.CacheOptions = r.object(name, v)
	case "cache_control":
		req.CacheAuto = r.mark(v)
	case "store":
		req.Store = r.tri(name, v)
	default:
		return false
	}
	return true
}

// reasoning reads OpenRouter's object. One with members that are not known
// here is kept as it is.
func (r *requestReader) reasoning(v jsonscan.Value) bool {
	if v.Kind != jsonscan.ObjectKind {
		return false
	}
	got := r.req.Reasoning
	for name, val := range r.Members(v) {
		switch name {
		case "effort":
			got.Effort = r.str("reasoning.effort", val)
		case "max_tokens":
			got.Budget = r.whole("reasoning.max_tokens", val, 0)
		case "enabled":
			switch r.tri("reasoning.enabled", val) {
			case wire.Yes:
				got.Mode = "on"
			case wire.No:
				got.Mode = "off"
			}
		case "exclude":
			if r.Bool(val) {
				got.Show = "none"
			}
		default:
			return false
		}
	}
	r.req.Reasoning = got
	return true
}

// thinking reads the object of DeepSeek, Z.ai and Claude's compatible servers.
func (r *requestReader) thinking(v jsonscan.Value) bool {
	if v.Kind != jsonscan.ObjectKind {
		return false
	}
	got := r.req.Reasoning
	for name, val := range r.Members(v) {
		switch name {
		case "type":
			switch string(r.Bytes(val)) {
			case "enabled":
				got.Mode = "on"
			case "disabled":
				got.Mode = "off"
			case "adaptive":
				got.Mode = "adaptive"
			default:
				return false
			}
		case "budget_tokens":
			got.Budget = r.whole("thinking.budget_tokens", val, 0)
		default:
			return false
		}
	}
	r.req.Reasoning = got
	r.req.Spelling["reasoning_effort"] = "thinking"
	return true
}

// mark reads cache_control.
func (r *requestReader) mark(v jsonscan.Value) *wire.CacheMark {
	if v.Kind != jsonscan.ObjectKind {
		return nil
	}
	return &wire.CacheMark{TTL: r.StrAt(v, "ttl")}
}

// marked is the cache mark of a part, a message, a call or a tool in either
// spelling.
func (r *requestReader) marked(v jsonscan.Value) *wire.CacheMark {
	if m := r.mark(r.Get(v, "cache_control")); m != nil {
		return m
	}
	m := r.mark(r.Get(v, "prompt_cache_breakpoint"))
	if m != nil && m.TTL == "" {
		m.TTL = r.cacheTTL
	}
	return m
}

// orderAssistant puts thinking before text and text before calls: the order
// in which a message of this dialect has them. Only neighbouring assistant
// messages that became one have another.
func orderAssistant(m *wire.Message) {
	if m.Role != wire.RoleAssistant {
		return
	}
	rank := func(b wire.Block) int {
		switch b.Type {
		case wire.ThinkingBlock, wire.RedactedBlock:
			return 0
		case wire.CallBlock:
			return 2
		}
		return 1
	}
	byRank := func(a, b wire.Block) int { return rank(a) - rank(b) }
	if !slices.IsSortedFunc(m.Blocks, byRank) {
		slices.SortStableFunc(m.Blocks, byRank)
	}
}
