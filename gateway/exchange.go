package gateway

import (
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
)

// Exchange is all that a request learns about itself, in the order in which
// it learns it. It belongs to the handler's goroutine; what the end of an
// exchange is made of is guarded by its mutex, because a process that must
// exit settles exchanges whose handlers are stuck.
type Exchange struct {
	// ID is the request id that the client sees.
	ID    string
	Start time.Time

	// Principal is who asks.
	Principal Principal

	// Operation, Model and Stream are what is asked for; Model is the name
	// that the client wrote.
	Operation *wire.Operation
	Dialect   wire.Dialect
	Model     string
	Stream    bool
	Envelope  wire.Envelope

	// Dropped are members of the request that its translation left out.
	Dropped []string

	// Limits are what limits have decided about the exchange.
	Limits []Limited

	// Target is the upstream that the exchange goes to, and Attempts the
	// number of calls made.
	Target   Target
	Attempts int

	// Alias is the configured model whose target that is; empty where a client has
	// named the target itself.
	Alias string

	// Downgraded is the model that a limit turned the exchange to; empty where
	// it goes to the one asked for.
	Downgraded string

	// Cache is what the cache had to do with the exchange, one of the constants;
	// empty where there is none. Stored says that its answer is kept. Saved is what
	// an answer that was not paid for would have cost, in nano-dollars, Similarity
	// how near to the request the one was that it was kept for.
	Cache      string
	Stored     bool
	Saved      int64
	Similarity float64

	// Overhead is what the gateway's own calls for the exchange cost, in
	// nano-dollars.
	Overhead int64

	// Price is the target's at Start, or an estimate of it; nil when none is
	// known.
	Price *prices.Price

	// Timings are measured as the exchange goes.
	Timings Timings

	gateway *Gateway

	mu      sync.Mutex
	outcome Outcome
	settled bool

	// attempt is the one that the exchange is charged for, first the memory of
	// the one that most exchanges make, tried are all in their order.
	attempt *Attempt
	first   Attempt
	tried   []*Attempt
	one     [1]*Attempt // the memory of tried, until there are more
}

// Principal is who a request is made for.
type Principal struct {
	Key  string
	User string
	Team string
}

// Name is the principal's name in records: the key's, else the user's.
func (p Principal) Name() string {
	if p.Key != "" {
		return p.Key
	}
	return p.User
}

// Target is one model of one provider.
type Target struct {
	Provider string
	Model    string
}

// String is the target as configurations write it; one without a provider is
// the name of a model.
func (t Target) String() string {
	if t.Provider == "" {
		return t.Model
	}
	return t.Provider + "/" + t.Model
}

// The values of Exchange.Cache.
const (
	CacheHit       = "hit"
	CacheStale     = "stale" // a hit that was no longer fresh
	CacheSemantic  = "semantic-hit"
	CacheMiss      = "miss"
	CacheBypass    = "bypass"
	CacheCoalesced = "coalesced" // the answer to another request, as it was made
	CacheRefresh   = "refresh"   // a miss that a client asked for, or a stale hit
)

// Free reports whether an exchange of which the cache says this was answered
// without being paid for.
func Free(cache string) bool {
	switch cache {
	case CacheHit, CacheStale, CacheSemantic, CacheCoalesced:
		return true
	default:
		return false
	}
}

// Timings are the durations of an exchange's phases; 0 when it had none.
type Timings struct {
	Auth, Queue, Limit, Cache, Route time.Duration

	// Upstream is the time from the call to the last byte of its answer,
	// FirstToken that from the start of the exchange to its first content.
	Upstream, FirstToken, Total time.Duration
}

// Outcome is how an exchange ended for the client.
type Outcome struct {
	// Status is the HTTP status sent, 499 when the client left before one.
	Status int

	// Err is why the exchange failed; nil when it did not.
	Err *Error

	// ClientGone says that the client left before the end.
	ClientGone bool

	// HandedOver says that the answer was brought to its end without that client,
	// for others.
	HandedOver bool

	// Stalled says that it was there and did not read, until write_timeout.
	Stalled bool

	// BytesOut counts the body's bytes sent to the client.
	BytesOut int64
}

// Update changes what the exchange knows of itself; after its start, every
// write to its fields goes through here.
func (x *Exchange) Update(change func()) {
	x.mu.Lock()
	change()
	x.mu.Unlock()
}

// Seen returns a copy of what the current attempt's answer has told so far.
func (x *Exchange) Seen() wire.Seen {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.attempt == nil {
		return wire.Seen{Sequence: -1}
	}
	return x.attempt.seen
}

// End sets how the exchange ended. The first call that names an error wins:
// later ones are its consequences.
func (x *Exchange) End(set func(*Outcome)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	was := x.outcome.Err
	set(&x.outcome)
	if was != nil {
		x.outcome.Err = was
	}
}

// Outcome returns how the exchange has ended so far.
func (x *Exchange) Outcome() Outcome {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.outcome
}

// countedModel is the name that decides how tokens are counted.
func (x *Exchange) countedModel() string { return x.counted(x.Target) }

func (x *Exchange) counted(target Target) string {
	if p := x.gateway.Provider(target.Provider); p != nil {
		if as := p.Traits().CountsAs; as != "" {
			return as
		}
	}
	if target.Model != "" {
		return target.Model
	}
	return x.Model
}
