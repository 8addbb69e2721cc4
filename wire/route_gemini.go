package wire

import (
	"net/http"
	"strings"
)

// geminiVerbs are what a Gemini path can end in.
var geminiVerbs = []struct {
	suffix string
	op     *Operation
	stream bool
}{
	{GeminiStreamPath, GeminiGenerate, true},
	{GeminiGenerate.Path, GeminiGenerate, false},
	{GeminiBatchEmbed.Path, GeminiBatchEmbed, false},
	{GeminiEmbed.Path, GeminiEmbed, false},
	{GeminiCount.Path, GeminiCount, false},
}

// matchGemini reads …/models/{model}:{verb}. AI Studio and Vertex agree on
// that end; what stands before differs and does not matter. A model's name may
// contain slashes and colons.
func matchGemini(method, path string) (Route, bool) {
	for _, verb := range geminiVerbs {
		rest, ok := strings.CutSuffix(path, verb.suffix)
		if !ok {
			continue
		}
		_, model, ok := strings.Cut(rest, "/models/")
		if !ok || model == "" {
			continue
		}
		route := Route{Operation: verb.op, Dialect: Gemini, Model: model, Stream: verb.stream}
		if method != http.MethodPost {
			route.Allow = http.MethodPost
		}
		return route, true
	}
	return Route{}, false
}
