package wire

import (
	"net/http"
	"strings"
)

// Route is what a request line asks for.
type Route struct {
	// Operation is nil when the path is unknown.
	Operation *Operation

	// Dialect is the dialect of the answer, also when the path is unknown.
	Dialect Dialect

	// Model is the id in GET /models/{id}, or in the path of a Gemini call;
	// empty for the list.
	Model string

	// Stream says that the path itself asks for a stream.
	Stream bool

	// Allow is the method that the path takes when another was used.
	Allow string
}

// Match reads method and path. Paths are matched by their end, so that any
// prefix works; path must be decoded already. versioned says that the request
// carries an anthropic-version header, which every Anthropic SDK sends and
// which alone tells the two vendors' /v1/models apart.
func Match(method, path string, versioned bool) Route {
	path = strings.TrimRight(path, "/")
	if gemini, ok := matchGemini(method, path); ok {
		return gemini
	}

	var route Route
	if at := strings.LastIndex(path, "/models"); at >= 0 {
		rest := path[at+len("/models"):]
		// Google's APIs have verbs behind their models; those that are served have
		// been found above, and others are no paths.
		verb := method == http.MethodPost && strings.Contains(rest, ":")
		if rest == "" || rest[0] == '/' && !verb {
			route.Operation = ListModels
			route.Dialect = dialectOf(path, versioned)
			route.Model = strings.TrimPrefix(rest, "/")
			if method != http.MethodGet && method != http.MethodHead {
				route.Allow = http.MethodGet
			}
			return route
		}
	}
	// A model id may contain slashes: /v1/models/openai/gpt-4.1.
	for _, op := range posts {
		if strings.HasSuffix(path, op.Path) {
			route.Operation = op
			route.Dialect = op.Dialect
			if method != http.MethodPost {
				route.Allow = http.MethodPost
			}
			return route
		}
	}
	route.Dialect = dialectOf(path, versioned)
	return route
}

// dialectOf guesses the dialect of an unknown path, so that its 404 has a
// shape that the caller's SDK can read.
func dialectOf(path string, versioned bool) Dialect {
	switch {
	case versioned, strings.Contains(path, "/v1/messages"), strings.HasSuffix(path, "/v1/complete"):
		return Anthropic
	case strings.Contains(path, "/v1beta/"), strings.HasSuffix(path, "/v1beta"):
		return Gemini
	default:
		return OpenAI
	}
}
