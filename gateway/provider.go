package gateway

import (
	"context"
	"io"
	"net/http"

	"github.com/weirproxy/weir/wire"
)

// Provider is one upstream account: the interface of the guest modules
// `ai.providers.*`. It is used by many goroutines at once, also after the
// configuration that made it is gone, for as long as its streams last.
//
// EXPERIMENTAL: it may change until version 1.
type Provider interface {
	// Speaks reports whether the upstream has op in op's own dialect.
	Speaks(op *wire.Operation) bool

	// Traits says what is particular about the upstream.
	Traits() Traits

	// Do sends call and returns the upstream's answer as it came, whatever
	// its status. The error says why there was none: an *Error, or a
	// transport's own. Do never sends a call twice.
	Do(ctx context.Context, call *Call) (*http.Response, error)
}

// Traits are the known particularities of an upstream.
type Traits struct {
	// CapParam is the member in which chat takes its cap on generated tokens:
	// "max_completion_tokens" where "max_tokens" is refused by some models.
	CapParam string

	// OneCap: chat takes its cap in CapParam alone, and refuses the other member
	// or passes over it.
	OneCap bool

	// NoStreamOptions: the upstream refuses `stream_options`, or reports
	// usage without being asked.
	NoStreamOptions bool

	// SeedParam is the member in which chat takes its seed; empty: "seed".
	SeedParam string

	// ShortCallIDs: the upstream refuses ids of calls that are not nine letters
	// and digits.
	ShortCallIDs bool

	// LooseEnd: a chat stream that ends cleanly after its finish reason is
	// complete even without `[DONE]`.
	LooseEnd bool

	// WantsReasoning: the upstream refuses a history of calls without the
	// reasoning that led to them, as text.
	WantsReasoning bool

	// ReasoningDetails: the upstream takes earlier thinking with signatures in
	// `reasoning_details`, as OpenRouter does.
	ReasoningDetails bool

	// Prefill is how the upstream's chat is told to go on with an answer that
	// has been begun.
	Prefill wire.Prefill

	// Labels: the upstream, Vertex, takes metadata as labels.
	Labels bool

	// MaxInputs is how many inputs the upstream takes in one call for
	// embeddings; 0 when it is not known to have a bound.
	MaxInputs int

	// CountsAs is the model whose tokenizer counts for all models of this
	// upstream; empty: each model's own name decides.
	CountsAs string
}

// Call is one request to an upstream.
type Call struct {
	Operation *wire.Operation

	// Path is appended to the upstream's base URL.
	Path string

	// Model is the upstream's name for the model, for vendors that want it in
	// the path.
	Model string

	// Method is POST but for model lists.
	Method string

	// Header is the client's; a provider takes from it what its vendor's
	// allow-list names and nothing else.
	Header http.Header

	// Body has Length bytes, -1 when that is not known; nil for none. GetBody,
	// if not nil, returns it anew, for connections that turn out to be dead
	// before a byte of it was sent.
	Body        io.Reader
	GetBody     func() (io.ReadCloser, error)
	Length      int64
	ContentType string

	Stream    bool
	RequestID string

	// Account is the index of the account to call with, for providers that
	// are Pooled; most have only 0.
	Account int
}

// Selective is implemented by providers whose models do not all speak the same
// dialects, such as a cloud that hosts several vendors' models.
type Selective interface {
	SpeaksFor(op *wire.Operation, model string) bool
}

// Forwarder is implemented by providers that say what of a client's header
// they send on. Calls for which that is the same may be made as one.
type Forwarder interface {
	Forwarded(http.Header) http.Header

	// Matters reports whether the upstream is sent a client's header, by its name in
	// canonical form, that is not what it would be sent without.
	Matters(name string, values []string) bool
}

// Owner is implemented by providers that know which model names are their
// vendor's own, so that `gpt-4.1` needs no `openai/`.
type Owner interface {
	Owns(model string) bool
}

// Prober is implemented by providers that can say whether they could be
// called, without calling them: the host's name resolves.
type Prober interface {
	Probe(ctx context.Context) error
}

// Pooled is implemented by providers that may have several accounts, each with
// limits and a health of its own.
type Pooled interface {
	// Accounts returns the accounts' names by index, one at least. A name
	// tells nothing of use about its key and is the same in every
	// configuration that has the key.
	Accounts() []string
}

// AccountChooser is implemented by providers that can be told how to choose
// among their accounts.
type AccountChooser interface {
	// AccountPolicy returns the guest module of `ai.policies` that was
	// configured; nil for none.
	AccountPolicy() any
}

// Warmer is implemented by providers that can open connections before they are
// needed.
type Warmer interface {
	// Warm begins to and returns at once. It has no error: a provider that
	// cannot be reached is found out by the first call.
	Warm()
}

// The phases in which a call to an upstream can fail before it is answered.
const (
	PhaseDNS       = "dns"
	PhaseConnect   = "connect"
	PhaseTLS       = "tls"
	PhaseRoundTrip = "round_trip"
)

// The phases of a call in the gateway itself.
const (
	PhaseCapacity    = "capacity"     // no place at the provider
	PhaseOverload    = "overload"     // no room in the gateway
	PhaseClientWrite = "client_write" // the client does not read
)

// Unsent reports whether a call that failed in phase is certain not to have
// reached the upstream, so that nothing can have been billed and sending it
// again is safe.
func Unsent(phase string) bool {
	return phase == PhaseDNS || phase == PhaseConnect || phase == PhaseTLS
}

// UsageSink receives one record per exchange, after its last byte: the
// interface of the guest modules `ai.usage.*`. It must not block.
type UsageSink interface {
	Record(*Record)
}
