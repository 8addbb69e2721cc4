package canon

import "github.com/weirproxy/weir/internal/jsonscan"

var messagesShape = &shape{members: rules{
	"model": anyRule, "stream": anyRule, "metadata": anyRule, "service_tier": anyRule, "cache_control": anyRule,

	"max_tokens": countRule,
	"system":     messagesContent(nil),
	"messages": {turns: true, elements: objectOf(rules{
		"role": textRule, "content": messagesContent(messagesResult()),
	})},
	"tools": {elements: variants("type", map[string]*shape{"": messagesTool, "custom": messagesTool})},
	"tool_choice": objectOf(rules{
		"type": textRule, "name": textRule, "disable_parallel_tool_use": boolRule,
	}),
	"temperature":    numberRule,
	"top_p":          numberRule,
	"top_k":          numberRule,
	"stop_sequences": textsRule,
	"thinking": variants("type", map[string]*shape{
		"enabled":  {members: rules{"type": textRule, "budget_tokens": countRule, "display": words("omitted", "summarized")}},
		"adaptive": {members: rules{"type": textRule, "display": words("omitted", "summarized")}},
		"disabled": {members: rules{"type": textRule}},
	}),
	"output_config": objectOf(rules{
		"effort": textRule,
		"format": objectOf(rules{"type": textRule, "schema": objectRule}),
	}),
	"thread":    anyRule,
	"container": anyRule,
}}

var messagesTool = &shape{members: rules{
	"type": textRule, "name": textRule, "description": textRule, "input_schema": objectRule, "strict": boolRule, "cache_control": anyRule,
}}

func messagesResult() *shape {
	return &shape{members: rules{
		"type": textRule, "tool_use_id": textRule, "content": messagesContent(nil), "is_error": boolRule, "cache_control": anyRule,
	}}
}

// messagesContent is the content of a message, or of a tool's answer when
// result is nil. Sources made of blocks lose where one ends, so they are not
// named.
func messagesContent(result *shape) *rule {
	data := &shape{members: rules{"type": textRule, "media_type": textRule, "data": textRule}}
	source := variants("type", map[string]*shape{
		"base64": data,
		"text":   data,
		"url":    {members: rules{"type": textRule, "url": textRule}},
		"file":   {members: rules{"type": textRule, "file_id": textRule}},
	})
	blocks := map[string]*shape{
		"text":  {members: rules{"type": textRule, "text": textRule, "citations": emptyRule, "cache_control": anyRule}},
		"image": {members: rules{"type": textRule, "source": source, "cache_control": anyRule}},
		"document": {members: rules{
			"type": textRule, "source": source, "title": textRule, "citations": objectOf(rules{"enabled": boolRule}), "cache_control": anyRule,
		}},
	}
	if result != nil {
		blocks["tool_use"] = &shape{members: rules{
			"type": textRule, "id": textRule, "name": textRule, "input": objectRule, "cache_control": anyRule,
		}}
		blocks["tool_result"] = result
		blocks["thinking"] = &shape{members: rules{"type": textRule, "thinking": textRule, "signature": textRule}}
		blocks["redacted_thinking"] = &shape{members: rules{"type": textRule, "data": textRule}}
	}
	return &rule{whole: kind(jsonscan.String), elements: variants("type", blocks)}
}
