package wire

import (
	"bytes"
	"strconv"
	"strings"

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
	if err := e.checkModels(); err != nil {
		return err
	}
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

// elementKeys is what decides in a request of a batch.
var elementKeys = jsonscan.NewKeys("model")

// checkModels refuses a batch whose requests name their models twice.
func (e *Envelope) checkModels() error {
	var element jsonscan.Object
	for v := range jsonscan.Elements(e.body, e.fields.Get(fieldRequests)) {
		if v.Kind != jsonscan.ObjectKind {
			continue
		}
		if err := jsonscan.ScanObject(e.body, v, elementKeys, &element); err != nil {
			return scanFailure(err)
		}
	}
	return nil
}

// applyGemini writes the model that the path names wherever the body names one,
// and a cap on generated tokens where the client set none.
func (e *Envelope) applyGemini(dst [][]byte, rw Rewrite) [][]byte {
	var room [2]jsonscan.Edit
	edits := room[:0]
	if rw.Model != "" {
		edits = e.nameModel(edits, e.fields.Get(fieldModel), rw.Model)
		if e.Operation == GeminiBatchEmbed {
			var element jsonscan.Object
			for v := range jsonscan.Elements(e.body, e.fields.Get(fieldRequests)) {
				if jsonscan.ScanObject(e.body, v, elementKeys, &element) == nil {
					edits = e.nameModel(edits, element.Get(0), rw.Model)
				}
			}
		}
	}
	if rw.CapParam == GeminiCap && e.CapParam == "" {
		edits = append(edits, e.capEdit(rw.Cap))
	}
	sortEdits(edits)
	return jsonscan.Pieces(dst, e.body, edits)
}

// nameModel adds what makes the member v name model, if it is there and does not.
func (e *Envelope) nameModel(edits []jsonscan.Edit, v jsonscan.Value, model string) []jsonscan.Edit {
	if !v.Exists() {
		return edits
	}
	const collection = "models/"
	name, ok := v.Text(e.body, nil)
	if ok && string(bytes.TrimPrefix(name, []byte(collection))) == strings.TrimPrefix(model, collection) {
		return edits
	}
	edit := jsonscan.Edit{Start: v.Start, End: v.End}
	switch {
	case len(edits) > 0:
		edit.Text = edits[0].Text
	case strings.HasPrefix(model, collection), strings.HasPrefix(model, "tunedModels/"), strings.HasPrefix(model, "publishers/"):
		edit.Text = jsonscan.AppendString(nil, model)
	default:
		edit.Text = jsonscan.AppendString(nil, collection+model)
	}
	return append(edits, edit)
}

// capEdit writes a cap into a body that has none.
func (e *Envelope) capEdit(limit int64) jsonscan.Edit {
	raw := strconv.AppendInt(nil, limit, 10)
	config, _ := one(&e.fields, fieldConfig, "", "")
	switch {
	case config.Kind == jsonscan.ObjectKind && e.config.Get(configCap+1).Exists(): // null
		return e.config.SetEdit(e.body, configCap+1, "max_output_tokens", raw)
	case config.Kind == jsonscan.ObjectKind:
		return e.config.SetEdit(e.body, configCap, "maxOutputTokens", raw)
	case config.Exists(): // null
		return jsonscan.Edit{Start: config.Start, End: config.End, Text: append(append([]byte(`{"maxOutputTokens":`), raw...), '}')}
	default:
		return e.fields.SetEdit(e.body, fieldConfig, "generationConfig", append(append([]byte(`{"maxOutputTokens":`), raw...), '}'))
	}
}
