package handlers

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/overload"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/internal/tokens"
)

// Host is the `ai` app as the handlers see it.
type Host interface {
	Gateway() *gateway.Gateway
	Metrics() *telemetry.Metrics
	Tokens() *tokens.Counter

	// VirtualKeys are the keys that Weir issues, and KeyRules the limits of one.
	VirtualKeys() *keys.Set
	KeyRules(key *keys.Key) (*limits.Ruled, error)

	// Generation is the configuration's number in inflight.Process: calls with
	// keys are watched, each with its keys.Grant.
	Generation() uint64

	// Rules are the configuration's own limits, LimitStore where all are counted.
	Rules() *gateway.Rules
	LimitStore() limits.Store

	// Margins know who holds more under limits than is needed.
	Margins() *limits.Margins

	// Queues are where requests wait for room under limits.
	Queues() *queue.Set

	// Guard refuses what is too much for the process.
	Guard() *overload.Guard

	// Price is what a target costs, nil if that is not known; UnpricedPolicy
	// says what then becomes of callers under a limit in usd.
	Price(target gateway.Target, at time.Time) *prices.Price
	UnpricedPolicy() string

	// Began and Went tell the ledger of a call that is about to be sent, and of
	// how far it has come, for the case that the process dies. LedgerFails says
	// that the ledger cannot be written.
	Began(x *gateway.Exchange)
	Went(x *gateway.Exchange)
	LedgerFails() bool

	// Kept is what the process keeps of answers, and Remote where a fleet does, nil
	// for nowhere. WantMemory and WantRows say how many bytes the configuration wants
	// for them, and how many to find by meaning.
	Kept() *Kept
	Remote() (cache.Remote, error)
	WantMemory(size int64)
	WantRows(n int)

	// LimitDrain tells the app how long Caddy will go on accepting requests
	// when the process exits, and how long it will then wait for open ones;
	// 0 for ever.
	LimitDrain(delay, grace time.Duration)
}

// hostOf returns the `ai` app of the configuration that ctx belongs to.
func hostOf(ctx caddy.Context) (Host, error) {
	app, err := ctx.App("ai")
	if err != nil {
		return nil, fmt.Errorf("loading the ai app: %w", err)
	}
	return app.(Host), nil
}
