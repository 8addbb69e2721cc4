package canon

import "github.com/weirproxy/weir/internal/jsonscan"

var chatShape = &shape{
	members: rules{
		"model": anyRule, "stream": anyRule, "stream_options": anyRule, "user": anyRule, "safety_identifier": anyRule,
		"metadata": anyRule, "service_tier": anyRule, "store": anyRule, "prompt_cache_key": anyRule,
		"prompt_cache_options": anyRule, "prompt_cache_retention": anyRule, "cache_control": anyRule,

		"messages":              {elements: chatMessage, turns: true},
		"max_tokens":            countRule,
		"max_completion_tokens": countRule,
		"temperature":           numberRule,
		"top_p":                 numberRule,
		"top_k":                 numberRule,
		"frequency_penalty":     numberRule,
		"presence_penalty":      numberRule,
		"seed":                  numberRule,
		"n":                     numberRule,
		"stop":                  textsRule,
		"logit_bias":            objectRule,
		"logprobs":              boolRule,
		"top_logprobs":          numberRule,
		"tools":                 {elements: chatTool},
		"tool_choice": {whole: kind(jsonscan.String), object: &shape{by: "type", variants: map[string]*shape{
			"function": {members: rules{"type": textRule, "function": objectOf(rules{"name": textRule})}},
			"custom":   {members: rules{"type": textRule, "custom": objectOf(rules{"name": textRule})}},
		}}},
		"parallel_tool_calls": boolRule,
		"response_format": variants("type", map[string]*shape{
			"text":        {members: rules{"type": textRule}},
			"json_object": {members: rules{"type": textRule}},
			"json_schema": {members: rules{"type": textRule, "json_schema": objectOf(rules{
				"name": textRule, "description": textRule, "schema": objectRule, "strict": boolRule,
			})}},
		}),
		"reasoning_effort": textRule,
		"reasoning":        objectOf(rules{"effort": textRule, "max_tokens": countRule, "enabled": boolRule, "exclude": boolRule}),
		"thinking":         objectOf(rules{"type": textRule, "budget_tokens": countRule}),
		"verbosity":        textRule,
		"modalities":       textsRule,
	},
	rivals: [][]string{{"reasoning_effort", "reasoning", "thinking"}, {"max_tokens", "max_completion_tokens"}},
}

// chatMarks are the members of messages, parts, calls and tools by which
// prompts are marked to be cached.
var chatMarks = rules{"cache_control": anyRule, "prompt_cache_breakpoint": anyRule}

// chatMessage lacks the carriers of thoughts: they are read by rank, not all.
var chatMessage = variants("role", map[string]*shape{
	"system":    with(chatMarks, rules{"role": textRule, "content": chatContent}),
	"developer": with(chatMarks, rules{"role": textRule, "content": chatContent}),
	"user":      with(chatMarks, rules{"role": textRule, "content": chatContent}),
	"tool":      with(chatMarks, rules{"role": textRule, "content": chatContent, "tool_call_id": textRule}),
	"assistant": with(chatMarks, rules{
		"role": textRule, "content": chatContent, "refusal": textRule,
		"tool_calls": {elements: chatCall},
		// Echoes of answers; vendors pass over them.
		"id": anyRule, "index": anyRule, "annotations": emptyRule,
	}),
})

var chatContent = &rule{whole: kind(jsonscan.String), elements: &rule{whole: kind(jsonscan.String), object: &shape{by: "type", variants: map[string]*shape{
	"text":        chatText,
	"input_text":  chatText,
	"output_text": chatText,
	"image_url": with(chatMarks, rules{"type": textRule, "image_url": {
		whole: kind(jsonscan.String), object: &shape{members: rules{"url": textRule, "detail": textRule}},
	}}),
	"video_url":   with(chatMarks, rules{"type": textRule, "video_url": objectOf(rules{"url": textRule})}),
	"input_audio": with(chatMarks, rules{"type": textRule, "input_audio": objectOf(rules{"data": textRule, "format": textRule})}),
	"file": with(chatMarks, rules{"type": textRule, "file": {object: &shape{
		members: rules{"file_id": textRule, "filename": textRule, "file_data": textRule},
		rivals:  [][]string{{"file_id", "file_data"}},
	}}}),
	"refusal": with(chatMarks, rules{"type": textRule, "refusal": textRule}),
}}}}

var chatText = with(chatMarks, rules{"type": textRule, "text": textRule})

var chatCall = &rule{object: &shape{
	members: with(chatMarks, rules{
		"id": textRule, "type": words("function", "custom"), "index": anyRule,
		"function": objectOf(rules{"name": textRule, "arguments": {whole: kind(jsonscan.String, jsonscan.ObjectKind)}}),
		"custom":   objectOf(rules{"name": textRule, "input": textRule}),
	}).members,
	rivals: [][]string{{"function", "custom"}},
}}

var chatTool = variants("type", map[string]*shape{
	"function": with(chatMarks, rules{"type": textRule, "function": objectOf(with(chatMarks, rules{
		"name": textRule, "description": textRule, "parameters": objectRule, "strict": boolRule,
	}).members)}),
	"custom": with(chatMarks, rules{"type": textRule, "custom": objectOf(rules{
		"name": textRule, "description": textRule, "format": variants("type", map[string]*shape{
			"text":    {members: rules{"type": textRule}},
			"grammar": {members: rules{"type": textRule, "grammar": anyRule}},
		}),
	})}),
})
