// Package upstream is what the HTTP providers have in common: their
// configuration, the transport and one careful way to make a call.
package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/wire"
)

// Vendor is what a guest module knows of the service that it stands for.
type Vendor struct {
	// BaseURL is used when the configuration names none; empty: it must.
	BaseURL string

	// Suffix is added to a base URL that ends in no version, where the
	// vendor's SDKs take base URLs without theirs.
	Suffix string

	// Trim are ends that a base URL may be written with and that Path adds
	// itself; the longest comes first.
	Trim []string

	// KeyPlaceholder is the placeholder of the vendor's usual variable; empty
	// when calls need no key.
	KeyPlaceholder string

	// KeyOption is the option that KeyPlaceholder stands for; empty: api_key.
	KeyOption string

	// Operations are those that the vendor serves.
	Operations []*wire.Operation

	// Prefixes are the beginnings of the vendor's own model names.
	Prefixes []string

	// Selects reports whether model, one of several vendors' at this service,
	// is served in op; nil: all models are served in all Operations.
	Selects func(op *wire.Operation, model string) bool

	// Path returns what is appended to the base URL for a call: escaped, with
	// a query if there is one. Nil: the call's own Path.
	Path func(call *gateway.Call) string

	// Edit returns the body that is sent instead of a call's; nil: the call's
	// own. It must not keep or change body.
	Edit func(call *gateway.Call, body []byte) ([]byte, error)

	// Authorize writes the credential into a call's header.
	Authorize func(http.Header, secret.Secret)

	// StreamType is the Accept header of calls for a stream; empty: an event
	// stream's.
	StreamType string

	// Sign authorizes a request whose credential is made for it or has to be
	// fetched; nil: Authorize is all.
	Sign func(req *http.Request) error

	// Receive sees an answer before its caller and may wrap its body.
	Receive func(call *gateway.Call, res *http.Response)

	// Secrets are the credentials in use besides the key, to be hidden in what
	// an upstream says of an error.
	Secrets func() []secret.Secret

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

// Only returns the vendor with no other operations than those named, and the
// list of models.
func (v Vendor) Only(names []string) (Vendor, error) {
	if len(names) == 0 {
		return v, nil
	}
	var kept []*wire.Operation
	for _, name := range names {
		before := len(kept)
		for _, op := range v.Operations {
			if op.Name == name {
				kept = append(kept, op)
			}
		}
		if len(kept) == before {
			known := make([]string, len(v.Operations))
			for i, op := range v.Operations {
				known[i] = op.Name
			}
			return v, fmt.Errorf("serves: this provider has no operation '%s'%s", name, typo.Suggest(name, known...))
		}
	}
	if slices.Contains(v.Operations, wire.ListModels) && !slices.Contains(kept, wire.ListModels) {
		kept = append(kept, wire.ListModels)
	}
	v.Operations = kept
	return v, nil
}

func (v *Vendor) owns(model string) bool {
	for _, prefix := range v.Prefixes {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}

func (v *Vendor) speaksFor(op *wire.Operation, model string) bool {
	return v.speaks(op) && (v.Selects == nil || v.Selects(op, model))
}

func (v *Vendor) speaks(op *wire.Operation) bool {
	for _, o := range v.Operations {
		if o == op {
			return true
		}
	}
	return false
}
