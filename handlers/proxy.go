// Package handlers is the HTTP boundary: the only code that knows both HTTP
// and Caddy. Read it from [Proxy.ServeHTTP] downwards.
package handlers

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/batch"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/overload"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/internal/tokens"
	"github.com/weirproxy/weir/wire"
)

func init() {
	caddy.RegisterModule(Proxy{})
}

// Proxy answers AI requests: it finds the provider of the model asked for,
// passes the request on with as few changes as can be, and relays the answer.
// It is terminal: a path that is no AI endpoint is answered 404 in the shape
// that the path's SDK expects.
//
// Placeholders, filled as far as the request has come:
//
// Placeholder | Description
// ------------|-------------
// `{http.ai.request_id}` | the request id that the client sees
// `{http.ai.model}` | the model name that the client sent
// `{http.ai.target.provider}` | the provider that the request goes to
// `{http.ai.target.model}` | the model at that provider
// `{http.ai.stream}` | `true` when a stream was asked for
// `{http.ai.attempts}` | calls made to upstreams
// `{http.ai.cache.status}` | what the cache did: `hit`, `stale`, `semantic-hit`, `miss`, `refresh`, `coalesced`, `bypass`
// `{http.ai.usage.input_tokens}` | tokens of the prompt, once known
// `{http.ai.usage.output_tokens}` | tokens of the answer, once known
// `{http.ai.time_to_first_token_ms}` | time to the first content of a stream
type Proxy struct {
	// The most bytes that a JSON body may have. Default: `33554432` (32 MiB).
	MaxBody int64 `json:"max_body,omitempty"`

	// The most bytes that a form with a file may have; beyond the first MiB it
	// is kept in a temporary file. Default: `209715200` (200 MiB).
	MaxUpload int64 `json:"max_upload,omitempty"`

	// How long a stream may be silent before a heartbeat is sent to the
	// client; negative: never. Default: `15s`.
	Heartbeat caddy.Duration `json:"heartbeat,omitempty"`

	// How long a write to the client may take before the client counts as
	// gone. Default: `30s`.
	WriteTimeout caddy.Duration `json:"write_timeout,omitempty"`

	// How long the upstream may take to answer with headers.
	// Default: `10m`, since answers that are no streams come when complete.
	ResponseHeaderTimeout caddy.Duration `json:"response_header_timeout,omitempty"`

	// How long a stream may take to its first content. Default: `1m`.
	FirstTokenTimeout caddy.Duration `json:"first_token_timeout,omitempty"`

	// How long a stream may be without content; the upstream's pings do not
	// count. Default: `2m`.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// How long the whole request may take. Default: `1h`.
	TotalTimeout caddy.Duration `json:"total_timeout,omitempty"`

	// The most tokens that a request may ask for. A request that names no cap
	// gets this one. Default: none.
	MaxOutputTokens int64 `json:"max_output_tokens,omitempty"`

	// What becomes of a stream that goes on beyond its cap on generated tokens,
	// whoever set it: `finish` lets it run to its own end, `cut` ends it there
	// as the vendor ends one that has met its cap. A model's own setting goes
	// before this one. Default: `finish`.
	OnExceed string `json:"on_exceed,omitempty"`

	// The most tokens that a prompt may have. Default: none.
	MaxInputTokens int64 `json:"max_input_tokens,omitempty"`

	// The lowest temperature that a request may ask for. Default: none.
	MinTemperature *float64 `json:"min_temperature,omitempty"`

	// The highest temperature that a request may ask for. Default: none.
	MaxTemperature *float64 `json:"max_temperature,omitempty"`

	// The only parameters that a body may have, besides `model`, `messages`
	// and the like. Default: all.
	AllowParams []string `json:"allow_params,omitempty"`

	// Parameters that a body must not have. Default: none.
	DenyParams []string `json:"deny_params,omitempty"`

	// What becomes of members of a request that its upstream's dialect has no
	// place for: `drop` leaves them out and names them in `X-AI-Dropped` and in
	// the log, `reject` answers 400. Default: `drop`.
	Unmapped string `json:"unmapped,omitempty"`

	// Whether every stream ends with a metadata event; clients can ask for it
	// with `X-AI-Metadata: on`. Default: `false`.
	StreamMetadata bool `json:"stream_metadata,omitempty"`

	// Who renders refusals that no client has seen a byte of: `dialect`
	// answers in the caller's dialect, `caddy` hands them to Caddy's error
	// routes (`handle_errors`). Default: `dialect`.
	Errors string `json:"errors,omitempty"`

	// How long a client that has left may come back to its stream, if it asked for
	// that with `X-AI-Resume: on`; the upstream is read on meanwhile. Default: never.
	Resume caddy.Duration `json:"resume,omitempty"`

	// The most bytes of a stream that are kept for a client that comes back; an event
	// that is longer is kept alone. Default: `4194304` (4 MiB).
	ResumeBuffer int64 `json:"resume_buffer,omitempty"`

	// Concurrent calls for embeddings that ask the same model for the same thing
	// are made as one. Default: each is made by itself.
	BatchEmbeddings *BatchEmbeddings `json:"batch_embeddings,omitempty"`

	host     Host
	kept     *Kept
	auth     Auth
	rules    *gateway.Rules
	limits   limits.Store
	queues   *queue.Set
	margins  *limits.Margins
	overload *overload.Guard
	gateway  *gateway.Gateway
	metrics  *telemetry.Metrics
	tokens   *tokens.Counter
	logger   *zap.Logger
	policy   gateway.Policy
	timeouts gateway.Timeouts
	batcher  *batch.Batcher

	// far says that limits are asked over a network.
	far bool
}

// CaddyModule returns the Caddy module information.
func (Proxy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ai_proxy",
		New: func() caddy.Module { return new(Proxy) },
	}
}

// ServeHTTP serves one request. Everything that happens to it happens below,
// in this order.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	c := p.newCall(w, r)
	switch {
	case r.Method == http.MethodHead && c.path == "/":
		// Agents probe their base URL with it.
		w.WriteHeader(http.StatusOK)
		return nil
	case c.route.Operation == nil:
		return c.refuse(notFound(r))
	case c.resumes():
		return c.resume()
	case c.route.Allow != "":
		w.Header().Set("Allow", c.route.Allow)
		return c.refuse(methodNotAllowed(r, c.route.Allow))
	case c.route.Operation == wire.ListModels:
		return c.serveModels()
	case c.wantsResumption():
		return c.exchangeApart()
	}
	return c.exchange()
}

// exchange runs a request that costs something from its start to its record.
func (c *call) exchange() (err error) {
	c.begin()
	defer c.settle()

	if err := c.land(c.guarded()); err != nil {
		return c.fail(err)
	}
	return nil
}

// guarded makes a panic an error like any other: its client is told in its
// own dialect. net/http would write the value into the log, whatever it holds.
func (c *call) guarded() (err error) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case http.ErrAbortHandler:
			panic(r)
		default:
			err = crashed(r)
		}
	}()
	return c.serve()
}

// serve takes the steps of a request; the first error ends it.
func (c *call) serve() error {
	if err := c.admit(); err != nil {
		return err
	}
	if err := c.read(); err != nil {
		return err
	}
	if c.countsHere() {
		return c.count()
	}
	c.record()
	if err := c.resolve(); err != nil {
		return c.lastResort(err)
	}
	if err := c.remember(); err != nil {
		return err
	}
	return c.supply()
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Proxy)(nil)
	_ caddy.Validator             = (*Proxy)(nil)
	_ caddyhttp.MiddlewareHandler = (*Proxy)(nil)
)
