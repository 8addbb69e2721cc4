// Package simulator is an LLM provider that needs no key and no network: an
// http.RoundTripper that answers OpenAI and Anthropic requests as the vendors
// do, with deterministic text, exact usage and faults on demand.
//
// The name of the model in the request selects the behaviour; see
// docs/simulator.md for the table.
package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxBody bounds a request body in bytes; the vendors refuse earlier.
const maxBody = 64 << 20

// Config describes how the simulator answers when the model's name does not
// say otherwise. The zero value answers at once, without faults.
type Config struct {
	// Seed makes another text of the same prompt.
	Seed uint64

	// TTFT is the time from the request to the first content token; answers
	// that are not streamed come later by it too.
	TTFT time.Duration

	// TokensPerSecond is the pace of tokens after the first; 0: no waiting.
	TokensPerSecond float64

	// OutputTokens is the length of a text. Default: `64`. A smaller cap in
	// the request wins and ends the answer with the finish reason "length".
	OutputTokens int

	// ErrorRate is the share of inference requests, 0 to 1, that fail.
	ErrorRate float64

	// ErrorStatus is the HTTP status of those failures. Default: `500`.
	ErrorStatus int

	// CutAfter is the number of tokens after which the body fails with
	// io.ErrUnexpectedEOF, as when the connection is lost; 0: never.
	CutAfter int

	// StallAfter is the number of tokens after which nothing more comes until
	// the request's context ends; 0: never.
	StallAfter int

	// ToolCalls is the script for requests that offer tools. When it is set,
	// every such request is answered by calls, otherwise only where the model
	// is `tool` or the request's tool choice demands one.
	ToolCalls []ToolCall

	// Count counts the tokens of a text. Default: a quarter of its bytes.
	Count func(model string, text []byte) int

	// Clock tells and waits for time. Default: the real one.
	Clock Clock

	// Rand gives numbers in [0,1) that ErrorRate is compared with; it is
	// called by many goroutines. Default: a generator seeded with Seed.
	Rand func() float64
}

// ToolCall is one call in a script.
type ToolCall struct {
	// Name of the tool; empty: the first that the request offers. A tool that
	// the request does not offer is not called.
	Name string

	// Arguments is a JSON object; empty: one that satisfies the tool's schema.
	Arguments json.RawMessage
}

// Clock is what the simulator knows of time.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Simulator answers requests; it is safe for concurrent use.
type Simulator struct {
	cfg    Config
	idSeed uint64
	ids    atomic.Uint64
}

// New returns a simulator; see Config for the defaults.
func New(cfg Config) *Simulator {
	if cfg.OutputTokens <= 0 {
		cfg.OutputTokens = 64
	}
	if cfg.ErrorStatus == 0 {
		cfg.ErrorStatus = http.StatusInternalServerError
	}
	if cfg.Count == nil {
		cfg.Count = func(_ string, text []byte) int { return (len(text) + 3) / 4 }
	}
	if cfg.Clock == nil {
		cfg.Clock = realClock{}
	}
	if cfg.Rand == nil {
		cfg.Rand = lockedRand(cfg.Seed)
	}
	// The start time keeps the ids of a reloaded simulator apart from those
	// that its predecessor gave out.
	return &Simulator{cfg: cfg, idSeed: mix(cfg.Seed ^ uint64(cfg.Clock.Now().UnixNano()))}
}

func lockedRand(seed uint64) func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, mix(seed)))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}

// RoundTrip answers req. It never dials, keeps no goroutine, and returns the
// cause of the request's context as soon as that ends.
func (s *Simulator) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := context.Cause(req.Context()); err != nil {
		return nil, err
	}
	path := strings.TrimRight(req.URL.EscapedPath(), "/")
	x := &exchange{
		sim: s, req: req, id: s.ids.Add(1), start: s.cfg.Clock.Now(),
		dialect: dialectOf(path, req.Header),
	}
	if req.Method == http.MethodGet {
		return x.models(path)
	}
	handle := route(req.Method, path)
	if handle == nil {
		return x.fail(invalidURL(req))
	}
	return x.infer(handle)
}

// operation is one endpoint: it decodes the body, which is a JSON object.
type operation struct {
	serve func(*exchange, []byte) (*http.Response, error)

	// free marks the endpoints that count and therefore never fail by chance.
	free bool

	// model is used when the request names none; empty: it must.
	model string
}

// routes are matched by suffix in this order, since a base URL may have any
// prefix: the longer of two that end alike comes first.
var routes = [...]struct {
	suffix string
	operation
}{
	{"/chat/completions", operation{serve: (*exchange).chat}},
	{"/completions", operation{serve: (*exchange).completions}},
	{"/responses/input_tokens", operation{serve: (*exchange).responseTokens, free: true}},
	{"/responses", operation{serve: (*exchange).responses}},
	{"/embeddings", operation{serve: (*exchange).embeddings}},
	{"/moderations", operation{serve: (*exchange).moderations, model: "omni-moderation-latest"}},
	{"/messages/count_tokens", operation{serve: (*exchange).countTokens, free: true}},
	{"/messages", operation{serve: (*exchange).messages}},
}

func route(method, path string) *operation {
	if method != http.MethodPost {
		return nil
	}
	for i := range routes {
		if strings.HasSuffix(path, routes[i].suffix) {
			return &routes[i].operation
		}
	}
	return nil
}

func dialectOf(path string, h http.Header) dialect {
	if h.Get("Anthropic-Version") != "" || strings.HasSuffix(path, "/messages") ||
		strings.HasSuffix(path, "/messages/count_tokens") {
		return anthropic
	}
	return openAI
}

// exchange is one request in work.
type exchange struct {
	sim     *Simulator
	req     *http.Request
	dialect dialect
	id      uint64
	start   time.Time
	model   string // as the client wrote it
	name    string // the same without the sim/ prefix
	do      behaviour
}

// infer reads the body, finds the behaviour and lets op answer.
func (x *exchange) infer(op *operation) (*http.Response, error) {
	body, err := readBody(x.req)
	if err != nil {
		var f *failure
		if errors.As(err, &f) {
			return x.fail(f)
		}
		return nil, err
	}
	var head struct {
		Model string `json:"model"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return x.fail(badJSON(x.dialect, err))
	}
	if head.Model == "" {
		head.Model = op.model
	}
	if head.Model == "" {
		return x.fail(missing(x.dialect, "model"))
	}
	x.setModel(head.Model)
	if f := x.do.refusal(x); f != nil {
		return x.fail(f)
	}
	if x.do.hang {
		return nil, x.untilGone()
	}
	if !op.free && x.sim.cfg.ErrorRate > 0 && x.sim.cfg.Rand() < x.sim.cfg.ErrorRate {
		return x.fail(statusFailure(x, x.sim.cfg.ErrorStatus))
	}
	if x.do.html {
		return x.html()
	}
	return op.serve(x, body)
}

func (x *exchange) setModel(model string) {
	x.model = model
	x.name = stripPrefix(model)
	x.do = x.sim.behaviour(x.name)
}

func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	if err != nil {
		if cause := context.Cause(req.Context()); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	if len(body) > maxBody {
		return nil, &failure{status: http.StatusRequestEntityTooLarge, message: "Request body is too large."}
	}
	return body, nil
}

// modelID is the last segment of …/models/{id}, which may be percent-encoded
// because ids contain slashes and colons.
func modelID(path string) (string, bool) {
	_, id, ok := cutLast(path, "/models/")
	if !ok || id == "" {
		return "", false
	}
	name, err := url.PathUnescape(id)
	return name, err == nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
