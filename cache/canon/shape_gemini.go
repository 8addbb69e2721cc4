package canon

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// Names are in camelCase here: see [reader.object].
var geminiShape = &shape{members: rules{
	"model": anyRule, "labels": anyRule, "serviceTier": anyRule, "store": anyRule,

	"systemInstruction": objectOf(rules{"role": anyRule, "parts": {object: geminiText.object, elements: geminiText}}),
	"contents": geminiTurns(&shape{members: rules{
		"role": words("", "user", "model"), "parts": many(geminiPart),
	}}),
	"tools": many(&shape{members: rules{"functionDeclarations": many(&shape{members: rules{
		"name": textRule, "description": textRule, "parameters": {special: geminiSchema}, "parametersJsonSchema": objectRule,
	}})}}),
	"toolConfig": objectOf(rules{"functionCallingConfig": objectOf(rules{"mode": textRule, "allowedFunctionNames": textsRule})}),
	"generationConfig": objectOf(rules{
		"temperature": quotedRule, "topP": quotedRule, "topK": quotedRule, "seed": quotedRule,
		"presencePenalty": quotedRule, "frequencyPenalty": quotedRule, "logprobs": quotedRule,
		"responseLogprobs": boolRule, "candidateCount": geminiCount, "maxOutputTokens": geminiCount,
		"stopSequences": textsRule, "responseModalities": textsRule,
		"thinkingConfig":   objectOf(rules{"includeThoughts": boolRule, "thinkingBudget": quotedRule, "thinkingLevel": textRule}),
		"responseMimeType": textRule, "responseSchema": {special: geminiSchema}, "responseJsonSchema": objectRule,
	}),
	"cachedContent":     anyRule,
	"continuationToken": anyRule,
}}

var geminiText = objectOf(rules{"text": textRule})

// quotedRule is for numbers, which Google's parsers also take in quotes.
var quotedRule = &rule{whole: kind(jsonscan.Number, jsonscan.String)}

// geminiCount is for numbers of which 0 is read as absent, in quotes or not.
var geminiCount = &rule{special: func(r *reader, v jsonscan.Value) {
	if v.Kind != jsonscan.Number {
		r.note(v, asWritten)
		return
	}
	r.value(v, countRule)
}}

// many is for arrays, of which Google's parsers take one element as it is.
func many(s *shape) *rule { return &rule{object: s, elements: &rule{object: s}} }

func geminiTurns(s *shape) *rule {
	u := many(s)
	u.turns = true
	return u
}

var geminiPart = &shape{members: rules{
	"text": textRule, "thought": boolRule, "thoughtSignature": textRule,
	"functionCall": objectOf(rules{"id": textRule, "name": textRule, "args": objectRule}),
	"functionResponse": objectOf(rules{
		"id": textRule, "name": textRule, "response": {special: geminiAnswer},
	}),
	"inlineData": objectOf(rules{"mimeType": textRule, "displayName": textRule, "data": textRule}),
	"fileData":   objectOf(rules{"mimeType": textRule, "displayName": textRule, "fileUri": textRule}),
}}

// geminiAnswer is for what a tool answered. Only one text in one of the
// wrappers that everybody uses is the text that another dialect has; JSON in
// it would be respelled.
func geminiAnswer(r *reader, v jsonscan.Value) {
	n, plain := 0, false
	for name, val := range r.doc.Members(v) {
		n++
		switch name {
		case "result", "output", "error":
			plain = val.Kind == jsonscan.String
			if _, err := wire.ParseAnswer([]byte(r.doc.Str(val))); err == nil {
				plain = false
			}
		}
	}
	if n != 1 || !plain {
		r.note(v, sorted)
	}
}

// geminiSchema is for schemas in Google's own dialect, of which JSON Schema
// has no place for the order of properties.
func geminiSchema(r *reader, v jsonscan.Value) {
	ordered := anywhere(r.doc.Data, v, func(name string, _ jsonscan.Value) bool {
		return name == "propertyOrdering" || name == "property_ordering"
	})
	if v.Kind != jsonscan.ObjectKind || ordered {
		r.note(v, asWritten)
	}
}

// geminiContent is the content of an embedding. Several parts become one text.
var geminiContent = objectOf(rules{
	"role":  words("user"),
	"parts": {special: geminiParts},
})

func geminiParts(r *reader, v jsonscan.Value) {
	n := 0
	for e := range r.doc.Elements(v) {
		n++
		r.value(e, geminiText)
	}
	if n != 1 {
		r.note(v, asWritten)
	}
}

var geminiEmbedShape = &shape{members: rules{
	"model": anyRule, "content": geminiContent, "taskType": textRule, "title": textRule, "outputDimensionality": geminiCount,
}}

var geminiBatchShape = &shape{members: rules{"model": anyRule, "requests": many(geminiEmbedShape)}}
