package bedrock

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// additional reads the members that Bedrock hands to the model behind as they
// are: thinking and sampling of Claude, Nova and gpt-oss. Others are kept.
func (r *reader) additional(v jsonscan.Value) {
	if !r.object("additionalModelRequestFields", v) {
		return
	}
	req := r.req
	for name, val := range r.Members(v) {
		switch name {
		case "thinking":
			req.Spelling["reasoning_effort"] = additional + "thinking"
			switch r.StrAt(val, "type") {
			case "disabled":
				req.Reasoning.Mode = "off"
			case "adaptive":
				req.Reasoning.Mode = "adaptive"
			default:
				req.Reasoning.Mode = "on"
			}
			req.Reasoning.Budget = r.IntAt(val, "budget_tokens")
			switch r.StrAt(val, "display") {
			case "omitted":
				req.Reasoning.Show = "none"
			case "summarized":
				req.Reasoning.Show = "auto"
			}
		case "output_config":
			for member, x := range r.Members(val) {
				if member == "effort" {
					req.Reasoning.Effort = r.Str(x)
				} else {
					r.extra(additional+"output_config."+member, x)
				}
			}
		case "reasoning_effort":
			req.Reasoning.Effort = r.Str(val)
		case "reasoningConfig":
			req.Reasoning.Effort = r.StrAt(val, "maxReasoningEffort")
			if r.StrAt(val, "type") == "disabled" {
				req.Reasoning.Mode = "off"
			}
		case "top_k":
			req.TopK = r.Num(val)
			req.Spelling["top_k"] = additional + "top_k"
		case "inferenceConfig":
			for member, x := range r.Members(val) {
				if member == "topK" {
					req.TopK = r.Num(x)
				} else {
					r.extra(additional+"inferenceConfig."+member, x)
				}
			}
		case "tool_choice":
			if off, ok := r.Get(val, "disable_parallel_tool_use").Bool(r.Data); ok {
				req.ParallelTools = wire.TriOf(!off)
			}
			r.claudeChoice(val)
		default:
			r.extra(additional+name, val)
		}
	}
}

// claudeChoice reads Claude's own tool_choice.
func (r *reader) claudeChoice(v jsonscan.Value) {
	choice := &r.req.ToolChoice
	switch r.StrAt(v, "type") {
	case "auto":
		choice.Mode = "auto"
	case "any":
		choice.Mode = "required"
	case "none":
		choice.Mode = "none"
	case "tool":
		choice.Mode, choice.Name = "named", r.StrAt(v, "name")
	}
}
