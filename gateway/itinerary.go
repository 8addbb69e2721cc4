package gateway

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/wire"
)

// Ask is what the targets of a request are chosen by.
type Ask struct {
	Operation *wire.Operation
	Model     string

	// Internal says that the gateway itself has chosen Model, which may then
	// be one that clients cannot name.
	Internal bool

	Facts Facts
	By    balance.Request

	// Costs compares routes by what the request would cost there; nil when
	// nothing does.
	Costs Costs
}

// Costs knows what a request would cost.
type Costs interface {
	// CostAt is what it would cost at a route, in nano-dollars; -1 when that is
	// not known.
	CostAt(*Route) int64
}

// Itinerary is where the attempts of one request go, one after the other:
//
//   - The first goes to the model's own targets: of those that are fit, to the
//     one that its policy picks. If none is, to a fallback that has one; if
//     there is none either, to the target that may recover soonest.
//   - After a failure that another target might not have, the next goes to a
//     target or an account that has not failed this request: that is load
//     which the failed one did not bear, and free.
//   - Then, if the model says lb_retries, to one that has failed already, never
//     the same twice in a row while another is fit, after a pause; such calls
//     are extra load, and the target's budget bounds them.
//   - Then to the fallbacks, each a leg of its own.
//
// Where the provider of a pick has no place free, Detour finds one that has,
// in the same order, before the request waits.
//
// It belongs to one goroutine.
type Itinerary struct {
	gateway *Gateway
	ask     Ask
	retry   Retry
	began   time.Time
	ends    time.Time // when nobody waits any more; zero: never

	own   *leg // that of the model asked for
	leg   *leg
	queue []spare // fallbacks that have not been tried

	calls   int
	err     error // the last failure, which class is of
	class   Class
	retries int // calls that may still follow within a leg
	pauses  int
	last    *Pick
	failed  []place
	refused []Target // of those that have failed, what breaks a rule of the gateway's
	skipped []string

	// before is where the itinerary stood when it looked for something extra.
	before struct {
		leg   *leg
		queue []spare
	}

	// roomy leaves out providers that have no place free.
	roomy bool

	// The memory of what most requests need no more of.
	firstLeg  legRoom
	firstPick Pick
}

// maxCalls bounds the attempts of a request, whatever is configured, and
// maxFailovers those within a leg where the model does not say.
const (
	maxCalls     = 10
	maxFailovers = 2
)

// itineraries holds empty ones.
var itineraries = sync.Pool{New: func() any { return new(Itinerary) }}

// Recycle gives the memory of the itinerary, of its picks and routes to another
// request. Nobody may have any of them.
func (i *Itinerary) Recycle() {
	*i = Itinerary{}
	itineraries.Put(i)
}

// Itinerary plans a request.
func (g *Gateway) Itinerary(ask *Ask) (*Itinerary, error) {
	i := itineraries.Get().(*Itinerary)
	i.gateway, i.ask, i.began, i.retries = g, *ask, g.Now(), maxFailovers
	l, err := g.legOf(&i.firstLeg, ask.Operation, ask.Model, ask.Internal, &i.ask.Facts)
	if err != nil {
		return nil, err
	}
	i.own, i.leg = l, l
	if l.model != nil {
		i.retry = l.model.Retry
	}
	if i.retry.Retries != nil {
		i.retries = *i.retry.Retries
	}
	return i, nil
}

// Model is the name that was asked for.
func (i *Itinerary) Model() string { return i.ask.Model }

// EndBy says when the request is over, whatever comes of it: no pause is begun
// that lasts until then.
func (i *Itinerary) EndBy(t time.Time) { i.ends = t }

// Retry returns the rules of attempts of the model asked for.
func (i *Itinerary) Retry() *Retry { return &i.retry }

// First picks the first attempt's target.
func (i *Itinerary) First() (*Pick, error) {
	if c, ok := i.choose(i.leg, nowhere); ok {
		return i.picked(c, ReasonFirst, true), nil
	}
	i.enqueue(ClassOverloaded)
	return i.standIn()
}

// standIn picks a fallback in place of the model's own targets, of which none is
// fit; where there is none either, the one of them that may recover soonest.
func (i *Itinerary) standIn() (*Pick, error) {
	if c, ok := i.fallback(); ok {
		return i.picked(c, ReasonUnhealthy, true), nil
	}
	i.leg, i.queue = i.own, nil
	if i.own.strict() {
		return nil, &Error{
			Kind: wire.KindOverloaded, Phase: "route", RetryAfter: i.recovery(i.own),
			Message: fmt.Sprintf("no target of the model '%s' is healthy", i.ask.Model),
		}
	}
	return i.picked(i.force(i.own), ReasonPanic, true), nil
}

// Next picks where to go after the last attempt has failed with err; nil when
// there is nothing left to try.
func (i *Itinerary) Next(err error) *Pick {
	class, ok := Classify(err)
	if !ok || i.calls >= maxCalls || i.late(0) {
		return nil
	}
	i.Failed(i.last)
	i.err, i.class = err, class
	if i.retryOn().Has(class) && i.retries > 0 {
		if c, ok := i.choose(i.leg, i.hasFailed); ok {
			i.retries--
			return i.picked(c, ReasonFailover, true)
		}
		if p := i.again(); p != nil {
			return p
		}
	}
	if rules := i.leg.rules; rules != nil && !DefaultClasses.Has(class) {
		i.enqueueBy(rules, class) // a fallback's prompt may be too long, too
	} else {
		i.enqueue(class)
	}
	if c, ok := i.fallback(); ok {
		return i.picked(c, ReasonFallback, true)
	}
	return nil
}

// Leads reports whether the rules of the present leg lead a failure of class
// somewhere.
func (i *Itinerary) Leads(class Class) bool {
	rules := i.leg.plan
	if i.leg.rules != nil {
		rules = i.leg.rules
	}
	return i.retryOn().Has(class) || len(rules.FallbackFor(class)) > 0
}

// Failed notes that an attempt has failed, such as one beside which another is
// under way.
func (i *Itinerary) Failed(p *Pick) { i.failed = append(i.failed, p.place()) }

// picked notes a choice. whole says that it counts as a call that the target
// would have got in any case.
func (i *Itinerary) picked(c choice, reason string, whole bool) *Pick {
	if whole {
		i.gateway.Health.Retries(health.Target(c.route.Target)).First()
	}
	i.calls++
	p := &i.firstPick
	if i.last != nil {
		p = new(Pick)
	}
	*p = Pick{Route: c.route, Account: c.account, Health: i.gateway.visit(c.route.Target.Provider, c.call), Reason: reason, Skipped: i.skipped}
	if len(c.route.pool.names) > 1 {
		p.Name = c.name
	}
	i.skipped, i.last = nil, p
	return p
}

// note keeps for explanations why a route was not fit.
func (i *Itinerary) note(route *Route, why any) {
	i.skipped = append(i.skipped, fmt.Sprintf("%s: %v", route.Target, why))
}

func nowhere(*Route, string) bool { return false }

func (i *Itinerary) hasFailed(route *Route, account string) bool {
	return slices.Contains(i.failed, placeOf(route, account))
}
