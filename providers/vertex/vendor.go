package vertex

import (
	"net/http"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

// vendor is what is known of Vertex AI at a location. Without a project the
// paths are those of express mode, in which the key decides.
func vendor(project, location string) upstream.Vendor {
	prefix := ""
	if project != "" {
		prefix = "/projects/" + upstream.Escape(project) + "/locations/" + location
	}
	return upstream.Vendor{
		BaseURL:    endpoint(location),
		Suffix:     "/v1",
		Operations: []*wire.Operation{wire.GeminiGenerate, wire.GeminiEmbed, wire.Messages, wire.CountTokens},
		Prefixes:   []string{"gemini-"},
		Selects:    selects,
		Traits:     gateway.Traits{Labels: true},
		Path:       func(call *gateway.Call) string { return prefix + path(call) },
		Edit:       edit,
		// Claude's beta features are asked for in a header here too; the
		// version stands in the body.
		Forward: []string{"Anthropic-Beta"},
	}
}

// endpoint is the address of a location: a region, one of the two
// multi-regions, or the world.
func endpoint(location string) string {
	switch location {
	case "global":
		return "https://aiplatform.googleapis.com/v1"
	case "us", "eu":
		return "https://aiplatform." + location + ".rep.googleapis.com/v1"
	default:
		return "https://" + location + "-aiplatform.googleapis.com/v1"
	}
}

// authorizeKey sends an API key as what it is: Google's keys for APIs have
// known beginnings; anything else is an access token, such as
// `gcloud auth print-access-token` prints.
func authorizeKey(h http.Header, key secret.Secret) {
	if value := key.Reveal(); strings.HasPrefix(value, "AIza") || strings.HasPrefix(value, "AQ.") {
		h["X-Goog-Api-Key"] = []string{value}
		return
	}
	upstream.Bearer(h, key)
}

// dropRefused makes the next call fetch a new token when this one's has been
// refused, as happens when a key is revoked.
func dropRefused(tokens *upstream.Tokens) func(*gateway.Call, *http.Response) {
	return func(_ *gateway.Call, res *http.Response) {
		if res.StatusCode == http.StatusUnauthorized {
			tokens.Drop()
		}
	}
}

// selects says which of the operations a model has: Claude answers in
// Anthropic's dialect, all others in Gemini's.
func selects(op *wire.Operation, model string) bool {
	return (op.Dialect == wire.Anthropic) == isClaude(model)
}

func isClaude(model string) bool {
	return strings.HasPrefix(model, "claude-") || strings.HasPrefix(model, "publishers/anthropic/") || strings.HasPrefix(model, "anthropic/")
}

// path is a call's path below the project's location.
func path(call *gateway.Call) string {
	resource, verb := resource(call.Model), call.Operation.Path
	switch call.Operation {
	case wire.Messages:
		verb = ":rawPredict"
		if call.Stream {
			verb = ":streamRawPredict"
		}
	case wire.CountTokens:
		return "/publishers/anthropic/models/count-tokens:rawPredict"
	case wire.GeminiGenerate:
		if call.Stream {
			// Without alt=sse a stream is one JSON array.
			verb = wire.GeminiStreamPath + "?alt=sse"
		}
	}
	return resource + verb
}

// resource names a model or an endpoint as the API does.
func resource(model string) string {
	publisher := "google"
	if isClaude(model) {
		publisher = "anthropic"
	}
	parts := strings.Split(model, "/")
	switch {
	case len(parts) == 4 && parts[0] == "publishers" && parts[2] == "models":
		return "/publishers/" + upstream.Escape(parts[1]) + "/models/" + name(parts[3])
	case len(parts) == 2 && parts[0] == "endpoints":
		return "/endpoints/" + upstream.Escape(parts[1])
	case len(parts) == 2 && parts[0] == "models":
		model = parts[1]
	case len(parts) == 2:
		publisher, model = parts[0], parts[1]
	}
	return "/publishers/" + upstream.Escape(publisher) + "/models/" + name(model)
}

// name leaves the sign before a model's date as Google's documentation has it.
func name(model string) string {
	return strings.ReplaceAll(upstream.Escape(model), "%40", "@")
}

// The members of a Claude request that differ from Anthropic's own API.
const (
	memberModel = iota
	memberVersion
)

var members = jsonscan.NewKeys("model", "anthropic_version")

// version is the only one that Vertex AI knows.
var version = []byte(`"vertex-2023-10-16"`)

// edit moves a Claude request's model, which the path names, out of the body
// and the version of the API, elsewhere a header, into it.
func edit(call *gateway.Call, body []byte) ([]byte, error) {
	if call.Operation.Dialect != wire.Anthropic {
		return nil, nil
	}
	var object jsonscan.Object
	if err := jsonscan.Scan(body, members, jsonscan.Limits{}, &object); err != nil {
		return nil, gateway.Invalid("", "reading body: %v", err)
	}
	changes := []jsonscan.Change{{Key: memberVersion, Raw: version}}
	if call.Operation == wire.Messages {
		changes = append(changes, jsonscan.Change{Key: memberModel})
	}
	return jsonscan.Splice(nil, body, object.Edits(body, nil, changes...)), nil
}
