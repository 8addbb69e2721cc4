package canon

import "github.com/weirproxy/weir/internal/jsonscan"

var responsesShape = &shape{
	members: rules{
		"model": anyRule, "stream": anyRule, "stream_options": anyRule, "user": anyRule, "safety_identifier": anyRule,
		"metadata": anyRule, "service_tier": anyRule, "store": anyRule, "prompt_cache_key": anyRule,
		"prompt_cache_options": anyRule, "prompt_cache_retention": anyRule,

		"input":                {whole: kind(jsonscan.String), elements: responsesItem, turns: true},
		"instructions":         textRule,
		"max_output_tokens":    numberRule,
		"temperature":          numberRule,
		"top_p":                numberRule,
		"top_logprobs":         numberRule,
		"parallel_tool_calls":  boolRule,
		"tools":                {elements: responsesTool},
		"tool_choice":          {whole: kind(jsonscan.String), object: responsesChoice},
		"text":                 objectOf(rules{"format": responsesFormat, "verbosity": textRule}),
		"reasoning":            objectOf(rules{"effort": textRule, "summary": textRule}),
		"include":              anyRule,
		"background":           boolRule,
		"previous_response_id": anyRule,
		"conversation":         anyRule,
		"prompt":               anyRule,
	},
}

var responsesChoice = &shape{by: "type", variants: map[string]*shape{
	"function": {members: rules{"type": textRule, "name": textRule}},
	"custom":   {members: rules{"type": textRule, "name": textRule}},
}}

var responsesFormat = variants("type", map[string]*shape{
	"text":        {members: rules{"type": textRule}},
	"json_object": {members: rules{"type": textRule}},
	"json_schema": {members: rules{"type": textRule, "name": textRule, "description": textRule, "schema": objectRule, "strict": boolRule}},
})

// responsesItem lacks items of reasoning: they hold more than is read. The ids
// and states of other items are echoes of answers.
var responsesItem = variants("type", map[string]*shape{
	"":        responsesMessage,
	"message": responsesMessage,
	"function_call": {members: rules{
		"type": textRule, "id": textRule, "status": words("completed"), "call_id": textRule, "name": textRule, "arguments": textRule,
	}},
	"custom_tool_call": {members: rules{
		"type": textRule, "id": textRule, "status": words("completed"), "call_id": textRule, "name": textRule, "input": textRule,
	}},
	"function_call_output":    responsesOutput,
	"custom_tool_call_output": responsesOutput,
})

var responsesMessage = &shape{members: rules{
	"type": textRule, "id": textRule, "status": words("completed"), "role": textRule, "content": responsesContent,
}}

var responsesOutput = &shape{members: rules{
	"type": textRule, "id": textRule, "status": words("completed"), "call_id": textRule, "output": responsesContent,
}}

var responsesContent = &rule{whole: kind(jsonscan.String), elements: variants("type", map[string]*shape{
	"input_text":  responsesText,
	"output_text": responsesText,
	"text":        responsesText,
	"refusal":     {members: rules{"type": textRule, "refusal": textRule, "prompt_cache_breakpoint": anyRule}},
	"input_image": {members: rules{
		"type": textRule, "image_url": textRule, "detail": textRule, "file_id": textRule, "prompt_cache_breakpoint": anyRule,
	}},
	"input_file": {
		members: rules{
			"type": textRule, "filename": textRule, "file_id": textRule, "file_data": textRule, "file_url": textRule, "detail": textRule,
			"prompt_cache_breakpoint": anyRule,
		},
		rivals: [][]string{{"file_id", "file_data", "file_url"}},
	},
	"input_audio": {members: rules{
		"type": textRule, "input_audio": objectOf(rules{"data": textRule, "format": textRule}), "prompt_cache_breakpoint": anyRule,
	}},
})}

var responsesText = &shape{members: rules{
	"type": textRule, "text": textRule, "annotations": emptyRule, "logprobs": emptyRule, "prompt_cache_breakpoint": anyRule,
}}

var responsesTool = variants("type", map[string]*shape{
	"function": {members: rules{
		"type": textRule, "name": textRule, "description": textRule, "parameters": objectRule, "strict": boolRule,
	}},
	"custom": {members: rules{"type": textRule, "name": textRule, "description": textRule, "format": variants("type", map[string]*shape{
		"text":    {members: rules{"type": textRule}},
		"grammar": {members: rules{"type": textRule, "syntax": anyRule, "definition": anyRule}},
	})}},
})
