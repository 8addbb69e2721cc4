// Package batch makes one upstream call of several for embeddings, and several
// of one that has too many inputs. It stands around a provider's Do: each call
// gets an answer in the upstream's dialect that has its own vectors and its own
// share of the usage, so that nothing behind it need know.
package batch

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/embedding"
)

// Clock is what a Batcher needs of time.
type Clock interface {
	// AfterFunc runs f after d unless stop is called before.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Batcher gathers calls. Nothing outlives its calls, so that it needs no end: a
// batch that is under way when its configuration goes is finished.
type Batcher struct {
	wait  time.Duration
	max   int
	clock Clock

	mu   sync.Mutex
	open map[key]*group // gathering

	// entered is told when a call has begun to wait; tests alone have it.
	entered func()
}

// maxBytes bounds the inputs of a batch. No text has more tokens than bytes, so
// that a batch stays below the tokens that vendors take in one call.
const maxBytes = 256 << 10

// New returns a Batcher whose batches have at most max inputs and begin at the
// latest when the first of their calls has waited for so long.
func New(wait time.Duration, most int, clock Clock) *Batcher {
	return &Batcher{wait: wait, max: most, clock: clock, open: make(map[key]*group)}
}

// Call is a call for embeddings to be made.
type Call struct {
	Provider gateway.Provider
	Outgoing *gateway.Call

	// Body is what Outgoing sends. It is not kept.
	Body []byte

	// Target is the provider's name; calls to equal ones may be made as one if
	// Scope is equal too.
	Target, Scope string

	// Tokens counts the inputs; usage is shared out by it.
	Tokens func() int64

	// Unpack returns an answer's body as it is meant.
	Unpack func(*http.Response) (io.Reader, error)

	// Serial says that the parts of a call with too many inputs must not be
	// sent at once.
	Serial bool
}

// Result is what has come of a call.
type Result struct {
	// Response is the upstream's, or one that is made of it.
	Response *http.Response

	// Shared says that other calls were made together with this one, and
	// Follows that one of them stands for the upstream's call: what the call
	// says of the upstream is to be counted once.
	Shared, Follows bool

	// Unsent says that the call ended before anything was sent.
	Unsent bool

	// Taken says that the upstream has answered parts of a call that failed,
	// and Paid is the tokens that it reported for them, -1 when it did not.
	Taken bool
	Paid  int64
}

// Send makes a call, by itself where there is nothing to join or to cut; b is
// nil when nothing is to be joined. The error is as a provider's.
func (b *Batcher) Send(ctx context.Context, c *Call) (Result, error) {
	limit := c.Provider.Traits().MaxInputs
	// An input has two bytes at least, and a comma.
	if b == nil && c.Outgoing.Operation != wire.InvokeEmbed && (limit <= 0 || len(c.Body) < 3*limit) {
		return alone(ctx, c)
	}
	r, ok := embedding.Parse(c.Outgoing.Operation, c.Outgoing.Model, c.Body)
	if !ok {
		return alone(ctx, c)
	}
	if r.Max > 0 && (limit <= 0 || r.Max < limit) {
		limit = r.Max
	}
	if limit > 0 && r.Inputs > limit {
		return cut(ctx, c, r, limit)
	}
	if b == nil {
		return alone(ctx, c)
	}
	most := b.max
	if limit > 0 {
		most = min(most, limit)
	}
	// What fills a batch has nobody to wait for.
	forwarder, ok := c.Provider.(gateway.Forwarder)
	if !ok || r.Inputs >= most || len(r.List()) > maxBytes/2 || !speaks(c.Provider, r.Operation, c.Outgoing.Model) {
		return alone(ctx, c)
	}
	return b.join(ctx, c, r, forwarder.Forwarded(c.Outgoing.Header), most)
}

// Handles reports whether op asks for embeddings.
func Handles(op *wire.Operation) bool {
	switch op {
	case wire.Embeddings, wire.GeminiEmbed, wire.GeminiBatchEmbed, wire.CohereEmbed, wire.InvokeEmbed:
		return true
	default:
		return false
	}
}

// speaks reports whether several inputs can be asked for in op.
func speaks(p gateway.Provider, op *wire.Operation, model string) bool {
	if s, ok := p.(gateway.Selective); ok {
		return s.SpeaksFor(op, model)
	}
	return p.Speaks(op)
}

func alone(ctx context.Context, c *Call) (Result, error) {
	res, err := c.Provider.Do(ctx, c.Outgoing)
	return Result{Response: res}, err
}

// key tells calls apart that cannot be made as one.
type key struct {
	target, scope, model string
	operation            *wire.Operation
	account              int
	params, header       string
}

func newKey(c *Call, r *embedding.Request, header http.Header) key {
	return key{
		target: c.Target, scope: c.Scope, model: c.Outgoing.Model,
		operation: r.Operation, account: c.Outgoing.Account,
		params: r.Params(), header: spell(header),
	}
}

// spell writes a header so that equal ones are equal.
func spell(h http.Header) string {
	if len(h) == 0 {
		return ""
	}
	lines := make([]string, 0, len(h))
	for name, values := range h {
		lines = append(lines, name+"\x00"+strings.Join(values, "\x00"))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
