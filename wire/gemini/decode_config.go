package gemini

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// config reads generationConfig.
func (r *reader) config(v jsonscan.Value, at *path) {
	req := r.req
	var mime, schema string
	var mimeAt, schemaAt *path
	var mimeRaw, schemaRaw jsonscan.Value
	number := func(dst *wire.Number, canonical string, v jsonscan.Value, at *path) {
		r.spelled(canonical, at)
		*dst = r.number(v, at)
	}
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "temperature":
			number(&req.Temperature, "temperature", v, at)
		case "topP":
			number(&req.TopP, "top_p", v, at)
		case "topK":
			number(&req.TopK, "top_k", v, at)
		case "seed":
			number(&req.Seed, "seed", v, at)
		case "presencePenalty":
			number(&req.PresencePenalty, "presence_penalty", v, at)
		case "frequencyPenalty":
			number(&req.FrequencyPenalty, "frequency_penalty", v, at)
		case "logprobs":
			number(&req.TopLogProbs, "top_logprobs", v, at)
		case "responseLogprobs":
			r.spelled("logprobs", at)
			req.LogProbs = r.flag(v, at)
		case "candidateCount":
			r.spelled("n", at)
			req.Choices = r.integer(v, at)
		case "maxOutputTokens":
			r.spelled("max_tokens", at)
			if req.MaxTokens = r.integer(v, at); req.MaxTokens < 0 {
				r.fail(at, "must not be negative")
			}
		case "stopSequences":
			r.spelled("stop", at)
			req.Stop = r.strings(v, at)
		case "responseModalities":
			r.spelled("modalities", at)
			req.Modalities = modalitiesIn(r.strings(v, at))
		case "thinkingConfig":
			r.thinking(v, at)
		case "responseMimeType":
			mime, mimeAt, mimeRaw = r.text(v, at), at, v
		case "responseSchema", "responseJsonSchema":
			if schemaAt != nil {
				r.fail(at, "stands beside '"+schemaAt.name+"'; write one of them")
				return
			}
			if v.Kind != jsonscan.ObjectKind {
				r.fail(at, "must be an object")
				return
			}
			if schemaAt, schemaRaw = at, v; name == "responseSchema" {
				schema = jsonSchema(r.Doc, v)
			} else {
				schema = r.Raw(v)
			}
		default:
			r.extra(at, v)
		}
	})
	if r.failure != nil {
		return
	}
	switch {
	case mime == "application/json" && schema != "":
		r.spelled("response_format", schemaAt)
		req.Format = wire.Format{Kind: "json_schema", Schema: schema}
	case mime == "application/json":
		r.spelled("response_format", mimeAt)
		req.Format.Kind = "json_object"
	default: // such as text/x.enum, one word out of a list
		if mime != "" && (mime != "text/plain" || schema != "") {
			r.extra(mimeAt, mimeRaw)
		}
		if schema != "" {
			r.extra(schemaAt, schemaRaw)
		}
	}
}

func (r *reader) thinking(v jsonscan.Value, at *path) {
	reasoning := &r.req.Reasoning
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "includeThoughts":
			if reasoning.Show = "none"; r.flag(v, at) {
				reasoning.Show = "auto"
			}
		case "thinkingBudget":
			r.spelled("reasoning_effort", at)
			switch reasoning.Budget = r.integer(v, at); {
			case reasoning.Budget == 0:
				reasoning.Mode = "off"
			case reasoning.Budget < 0:
				reasoning.Mode, reasoning.Budget = "adaptive", -1
			default:
				reasoning.Mode = "on"
			}
		case "thinkingLevel":
			r.spelled("reasoning_effort", at)
			switch level := strings.ToLower(r.text(v, at)); level {
			case "minimal", "low", "medium", "high":
				reasoning.Effort = level
			case "", "thinking_level_unspecified":
			default:
				r.extra(at, v)
			}
		default:
			r.extra(at, v)
		}
	})
}

// modalitiesIn are the kinds of output in lower case, nil when that is text,
// which is what every model does unasked.
func modalitiesIn(list []string) []string {
	if len(list) == 1 && strings.EqualFold(list[0], "TEXT") {
		return nil
	}
	for i, m := range list {
		list[i] = strings.ToLower(m)
	}
	return list
}

// tierIn is a service tier in OpenAI's words.
func tierIn(tier string) string {
	switch tier = strings.TrimPrefix(strings.ToLower(tier), "service_tier_"); tier {
	case "standard":
		return "default"
	case "unspecified":
		return ""
	default:
		return tier
	}
}

// tierOut is a service tier in Gemini's words; empty when it has none for it.
func tierOut(tier string) string {
	switch tier {
	case "default", "standard_only":
		return "standard"
	case "flex", "priority":
		return tier
	default:
		return ""
	}
}
