package azureopenai

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

// operations are what Azure has of OpenAI's. Its list of models is one of what
// could be deployed, so it is not asked for it.
var operations = []*wire.Operation{
	wire.Chat, wire.Completions, wire.Responses, wire.ResponsesTokens, wire.ResponsesFold, wire.Embeddings,
	wire.ImageGeneration, wire.ImageEdit, wire.Speech, wire.Transcription, wire.Translation,
}

// vendor is what is known of Azure's API at a version, empty for `v1`.
func vendor(version string) upstream.Vendor {
	v := upstream.Vendor{
		Trim:           []string{"/openai/v1", "/openai"},
		KeyPlaceholder: "{env.AZURE_OPENAI_API_KEY}",
		Operations:     operations,
		Path:           pathV1,
		Authorize: func(h http.Header, key secret.Secret) {
			h["Api-Key"] = []string{key.Reveal()}
		},
		Traits: gateway.Traits{CapParam: "max_completion_tokens", MaxInputs: 2048},
	}
	if version != "" {
		v.Path = func(call *gateway.Call) string { return pathDeployment(call, version) }
	}
	if version != "" && version < newMembers {
		v.Traits.CapParam, v.Traits.OneCap, v.Traits.NoStreamOptions = "max_tokens", true, true
	}
	return v
}

// newMembers is the first version, a date, that knows `max_completion_tokens`
// and `stream_options`.
const newMembers = "2024-09-01"

// pathV1 leaves the model, which is the deployment, in the body.
func pathV1(call *gateway.Call) string {
	return "/openai/v1" + upstream.EscapePath(call.Path)
}

// pathDeployment names the deployment in the path, but for the Responses API,
// which never had it there.
func pathDeployment(call *gateway.Call, version string) string {
	prefix := "/openai"
	switch call.Operation {
	case wire.Responses, wire.ResponsesTokens, wire.ResponsesFold:
	default:
		prefix += "/deployments/" + upstream.Escape(call.Model)
	}
	return prefix + upstream.EscapePath(call.Path) + "?api-version=" + url.QueryEscape(version)
}

// tokenLife is how long a token that was read is used before it is read again.
const tokenLife = time.Minute

// reread is a source of tokens that something else keeps fresh.
func reread(placeholder string, now func() time.Time) upstream.TokenSource {
	return func(context.Context) (secret.Secret, time.Time, error) {
		token, err := secret.Resolve(placeholder)
		return token, now().Add(2 * tokenLife), err
	}
}
