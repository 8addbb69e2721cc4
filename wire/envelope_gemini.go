package wire

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Gemini takes its members in two spellings, so the names of generationConfig
// come in pairs: camelCase at 2i, snake_case at 2i+1.
var configKeys = jsonscan.NewKeys(
	"maxOutputTokens", "max_output_tokens",
	"candidateCount", "candidate_count",
	"temperature",
)

const (
	configCap        = 0
	configCandidates = 2
	configTemp       = 4
)

// GeminiCap is the name under which a Rewrite caps a Gemini answer.
const GeminiCap = "generationConfig.maxOutputTokens"

// readConfig reads what stands in generationConfig. The model and the wish
// for a stream stand in the path.
func (e *Envelope) readConfig() error {
	config, err := one(&e.fields, fieldConfig, "generationConfig", "generation_config")
	if err != nil || config.Kind == jsonscan.Null || !config.Exists() {
		return err
	}
	if config.Kind != jsonscan.ObjectKind {
		return invalid("generationConfig", "'generationConfig' must be an object")
	}
	if err := jsonscan.ScanObject(e.body, config, configKeys, &e.config); err != nil {
		return scanFailure(err)
	}
	limit, err := one(&e.config, configCap, "maxOutputTokens", "max_output_tokens")
	if err != nil {
		return err
	}
	if limit.Exists() && limit.Kind != jsonscan.Null {
		e.CapParam = GeminiCap
		if e.OutputCap, _ = limit.Int(e.body); e.OutputCap <= 0 {
			e.OutputCap, e.CapInvalid = 0, true
		}
	}
	count, err := one(&e.config, configCandidates, "candidateCount", "candidate_count")
	if err != nil {
		return err
	}
	if count.Exists() && count.Kind != jsonscan.Null {
		n, ok := count.Int(e.body)
		if !ok {
			e.ChoicesInvalid = "generationConfig.candidateCount"
		}
		e.Choices = max(e.Choices, n)
	}
	e.readTemperature(e.config.Get(configTemp))
	return nil
}

// one is the value of a member that has two spellings and may stand once.
func one(o *jsonscan.Object, at int, camel, snake string) (jsonscan.Value, error) {
	a, b := o.Get(at), o.Get(at+1)
	if a.Exists() && b.Exists() {
		return jsonscan.Value{}, invalid(camel, "the body names '"+camel+"' and '"+snake+"', which are the same; write it once")
	}
	if b.Exists() {
		return b, nil
	}
	return a, nil
}

// applyConfig writes a cap on generated tokens where the client set none.
func (e *Envelope) applyConfig(dst [][]byte, rw Rewrite) [][]byte {
	if rw.CapParam != GeminiCap || e.CapParam != "" {
		return append(dst, e.body)
	}
	raw := strconv.AppendInt(nil, rw.Cap, 10)
	config, _ := one(&e.fields, fieldConfig, "", "")
	var edit jsonscan.Edit
	switch {
	case config.Kind == jsonscan.ObjectKind && e.config.Get(configCap+1).Exists(): // null
		edit = e.config.SetEdit(e.body, configCap+1, "max_output_tokens", raw)
	case config.Kind == jsonscan.ObjectKind:
		edit = e.config.SetEdit(e.body, configCap, "maxOutputTokens", raw)
	case config.Exists(): // null
		edit = jsonscan.Edit{Start: config.Start, End: config.End, Text: append(append([]byte(`{"maxOutputTokens":`), raw...), '}')}
	default:
		edit = e.fields.SetEdit(e.body, fieldConfig, "generationConfig", append(append([]byte(`{"maxOutputTokens":`), raw...), '}'))
	}
	return jsonscan.Pieces(dst, e.body, []jsonscan.Edit{edit})
}
