// Package upstream is what the HTTP providers have in common: their
// configuration, the transport and one careful way to make a call.
package upstream

import (
	"net/http"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

// Vendor is what a guest module knows of the service that it stands for.
type Vendor struct {
	// BaseURL is used when the configuration names none; empty: it must.
	BaseURL string

	// Suffix is added to a base URL that lacks it, where the vendor's SDKs
	// take base URLs without their version.
	Suffix string

	// KeyPlaceholder is the placeholder of the vendor's usual variable; empty
	// when calls need no key.
	KeyPlaceholder string

	// Operations are those that the vendor serves.
	Operations []*wire.Operation

	// Prefixes are the beginnings of the vendor's own model names.
	Prefixes []string

	// Authorize writes the credential into a call's header.
	Authorize func(http.Header, secret.Secret)

	// Forward names the client headers, beginnings of names in canonical
	// form, that belong to this vendor's protocol.
	Forward []string

	// Defaults are sent when the client did not send its own.
	Defaults map[string]string

	Traits gateway.Traits
}

// Bearer is the usual form of authorization.
func Bearer(h http.Header, key secret.Secret) {
	h["Authorization"] = []string{"Bearer " + key.Reveal()}
}

// OpenAIOperations are what a server that is compatible with OpenAI may have.
var OpenAIOperations = []*wire.Operation{
	wire.Chat, wire.Completions, wire.Responses, wire.ResponsesTokens, wire.ResponsesFold, wire.Embeddings,
	wire.Moderations, wire.Rerank, wire.ImageGeneration, wire.ImageEdit, wire.ImageVariation,
	wire.Speech, wire.Transcription, wire.Translation, wire.ListModels,
}

// AnthropicOperations are what a server that is compatible with Anthropic has.
var AnthropicOperations = []*wire.Operation{wire.Messages, wire.CountTokens}

func (v *Vendor) owns(model string) bool {
	for _, prefix := range v.Prefixes {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}

func (v *Vendor) speaks(op *wire.Operation) bool {
	for _, o := range v.Operations {
		if o == op {
			return true
		}
	}
	return false
}
