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
	class   Class // of the last failure, if failed is not empty
	retries int   // calls that may still follow within a leg
	pauses  int
	last    *Pick
	failed  []place
	skipped []string

	// roomy leaves out providers that have no place free.
	roomy bool

	// The memory of what most requests need no more of.
	firstLeg  legRoom
	firstPick Pick
}

// spare is a fallback, and the leg whose it is: a target that a model names
// goes by that model's rules, whichever models were tried in between.
type spare struct {
	Target
	of *leg
}

// place is one account for one target; account is empty where there is only
// one.
type place struct {
	target  Target
	account string
}

func placeOf(route *Route, account string) place {
	if len(route.pool.names) == 1 {
		account = ""
	}
	return place{route.Target, account}
}

// Pick is where an attempt goes.
type Pick struct {
	Route *Route

	// Account is the provider's account to call with, and Name its name;
	// empty where it has only one.
	Account int
	Name    string

	// Health is the call as it has been entered. It must be ended.
	Health Visit

	// Reason is why, Pause how long to wait before.
	Reason string
	Pause  time.Duration

	// Skipped are targets that were not fit, and why, for explanations.
	Skipped []string
}

func (p *Pick) place() place { return place{p.Route.Target, p.Name} }

// The reasons of picks.
const (
	ReasonFirst     = "first"
	ReasonFailover  = "failover"
	ReasonRetry     = "retry"
	ReasonFallback  = "fallback"
	ReasonUnhealthy = "unhealthy" // the first, elsewhere because nothing of the model's own is fit
	ReasonPanic     = "panic"     // nothing is fit
	ReasonBusy      = "busy"      // the provider that was picked has no place free
	ReasonHedge     = "hedge"
	ReasonContinue  = "continue"
)

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
	own, queue := i.leg, i.queue
	i.enqueue(ClassOverloaded)
	if c, ok := i.fallback(); ok {
		return i.picked(c, ReasonUnhealthy, true), nil
	}
	i.leg, i.queue = own, queue
	if own.strict() {
		return nil, &Error{
			Kind: wire.KindOverloaded, Phase: "route", RetryAfter: i.recovery(own),
			Message: fmt.Sprintf("no target of the model '%s' is healthy", i.ask.Model),
		}
	}
	return i.picked(i.force(own), ReasonPanic, true), nil
}

// Next picks where to go after the last attempt has failed with err; nil when
// there is nothing left to try.
func (i *Itinerary) Next(err error) *Pick {
	class, ok := Classify(err)
	if !ok || i.calls >= maxCalls || i.late(0) {
		return nil
	}
	i.Failed(i.last)
	i.class = class
	if i.retryOn().Has(class) && i.retries > 0 {
		if c, ok := i.choose(i.leg, i.hasFailed); ok {
			i.retries--
			return i.picked(c, ReasonFailover, true)
		}
		if p := i.again(err); p != nil {
			return p
		}
	}
	i.enqueue(class)
	if c, ok := i.fallback(); ok {
		return i.picked(c, ReasonFallback, true)
	}
	return nil
}

// Elsewhere picks a target that the request has not been sent to, for a second
// attempt beside the first, or for the rest of an answer; nil when none is fit.
func (i *Itinerary) Elsewhere(reason string) *Pick {
	if i.calls >= maxCalls {
		return nil
	}
	i.roomy = true // nobody waits for what is extra
	defer func() { i.roomy = false }()
	last := i.last.Route.Target
	away := func(route *Route, account string) bool { return route.Target == last || i.hasFailed(route, account) }
	if c, ok := i.choose(i.leg, away); ok {
		return i.picked(c, reason, false)
	}
	own, queue := i.leg, i.queue
	i.enqueue(ClassTimeout)
	if c, ok := i.fallback(); ok {
		return i.picked(c, reason, false)
	}
	i.leg, i.queue = own, queue
	return nil
}

// Return takes the last pick back, to which nothing was sent; to is the one
// before.
func (i *Itinerary) Return(to *Pick) {
	i.last.Health.Abandon()
	i.last = to
	i.calls--
}

// Failed notes that an attempt has failed, such as one beside which another is
// under way.
func (i *Itinerary) Failed(p *Pick) { i.failed = append(i.failed, p.place()) }

// Continue picks a target for the rest of an answer that the last one has
// broken off: another that is fit, else one that has been called already, if
// its breaker and its retry budget allow it; nil when there is none.
func (i *Itinerary) Continue() *Pick {
	i.Failed(i.last)
	if p := i.Elsewhere(ReasonContinue); p != nil {
		return p
	}
	if i.calls >= maxCalls {
		return nil
	}
	c, ok := i.choose(i.leg, nowhere)
	if !ok || !i.allowed(c) {
		return nil
	}
	return i.picked(c, ReasonContinue, false)
}

// allowed reports whether the budget of a target bears one call more than
// clients have made, and gives the choice up otherwise.
func (i *Itinerary) allowed(c choice) bool {
	if i.gateway.Health.Retries(health.Target(c.route.Target)).Allow() {
		return true
	}
	c.call.Abandon()
	i.note(c.route, "its retry budget is spent")
	return false
}

// again picks a target that has failed before, if the rules and its budget
// allow it and the pause is worth it.
func (i *Itinerary) again(err error) *Pick {
	e := AsError(err)
	if i.retry.Retries == nil || i.class == ClassAuth || e.Kind == wire.KindBudget || e.NoRetry {
		return nil // the same again would fail again
	}
	pause := i.pause(e.RetryAfter)
	if pause < 0 || i.late(pause) {
		return nil
	}
	last := i.last.place()
	c, ok := i.choose(i.leg, func(route *Route, account string) bool { return placeOf(route, account) == last })
	if !ok {
		c, ok = i.choose(i.leg, nowhere)
	}
	if l := i.up(i.leg); !ok && len(l.routes) > 0 {
		c, ok = i.force(l), true
	}
	if !ok {
		return nil
	}
	if !i.allowed(c) {
		return nil
	}
	i.retries--
	p := i.picked(c, ReasonRetry, false)
	p.Pause = pause
	return p
}

// enqueue puts what is tried after a failure of class before the fallbacks
// that wait already. A leg's fallbacks are entered once.
func (i *Itinerary) enqueue(class Class) {
	of := &leg{name: i.leg.name, model: i.leg.model, plan: &noPlan}
	if more := i.leg.plan.FallbackFor(class); len(more) > 0 {
		queue := make([]spare, 0, len(more)+len(i.queue))
		for _, target := range more {
			queue = append(queue, spare{target, of})
		}
		i.queue = append(queue, i.queue...)
	}
	i.leg = of
}

// fallback goes on to the first leg in the queue that has a fit target.
func (i *Itinerary) fallback() (choice, bool) {
	for len(i.queue) > 0 {
		next := i.queue[0]
		i.queue = i.queue[1:]
		if next.Provider == "" {
			model, rest := i.gateway.Alias(next.Model)
			i.leg = i.gateway.modelLeg(new(legRoom), i.ask.Operation, model, next.Model, rest, &i.ask.Facts)
		} else {
			i.leg = &leg{name: next.of.name, model: next.of.model, plan: &noPlan}
			if route := i.gateway.route(new(Route), i.ask.Operation, next.of.model, next.of.name, expand(next.Target, i.ask.Model, "")); route != nil {
				// A window that the model states is that of its own targets.
				route.ContextWindow = contextWindow(route.Target.Model)
				i.leg.routes = []*Route{route}
			}
		}
		if len(i.leg.routes) == 0 {
			i.skipped = append(i.skipped, next.String()+": cannot do what is asked")
			continue
		}
		if c, ok := i.choose(i.leg, i.hasFailed); ok {
			return c, true
		}
		i.enqueue(ClassOverloaded)
	}
	return choice{}, false
}

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

// Unfit takes back the last pick, which followed a failure and breaks a rule of
// the gateway's, and picks another; nil when there is none.
func (i *Itinerary) Unfit(why error) *Pick {
	i.calls--
	i.turnedDown(i.last, why)
	if c, ok := i.choose(i.leg, i.hasFailed); ok {
		return i.picked(c, i.last.Reason, true)
	}
	i.enqueue(i.class)
	if c, ok := i.fallback(); ok {
		reason := ReasonFallback
		if i.last.Reason == ReasonContinue {
			reason = ReasonContinue
		}
		return i.picked(c, reason, true)
	}
	return nil
}

// Detour looks for a target whose provider has a place free, since that of the
// last pick has none. Each is offered to try, which says why the request cannot
// go there, if so. The last pick is taken back for one that can; if there is
// none, it stands as if nothing had been tried, and its provider is waited for.
func (i *Itinerary) Detour(try func(*Pick) error) bool {
	home, leg, queue, calls := i.last, i.leg, i.queue, i.calls
	i.roomy = true
	defer func() { i.roomy, i.calls = false, calls }()
	for {
		c, ok := i.choose(i.leg, i.hasFailed)
		if !ok {
			i.enqueue(ClassOverloaded)
			c, ok = i.fallback()
		}
		if !ok {
			i.last, i.leg, i.queue = home, leg, queue
			return false
		}
		p := i.picked(c, ReasonBusy, true)
		why := try(p)
		if why == nil {
			home.Health.Abandon()
			return true
		}
		i.turnedDown(p, why)
	}
}

// turnedDown gives up a pick that breaks a rule of the gateway's.
func (i *Itinerary) turnedDown(p *Pick, why error) {
	p.Health.Abandon()
	i.skipped = append(p.Skipped, p.Route.Target.String()+": "+AsError(why).Message)
	i.Failed(p)
}

func (i *Itinerary) retryOn() Classes {
	if i.retry.On == 0 {
		return DefaultClasses
	}
	return i.retry.On
}

// late reports whether it will be too late for another call after pause.
func (i *Itinerary) late(pause time.Duration) bool {
	at := i.gateway.Now().Add(pause)
	return i.retry.TryDuration > 0 && at.Sub(i.began) >= i.retry.TryDuration || !i.ends.IsZero() && !at.Before(i.ends)
}

// note keeps for explanations why a route was not fit.
func (i *Itinerary) note(route *Route, why any) {
	i.skipped = append(i.skipped, fmt.Sprintf("%s: %v", route.Target, why))
}

func nowhere(*Route, string) bool { return false }

func (i *Itinerary) hasFailed(route *Route, account string) bool {
	return slices.Contains(i.failed, placeOf(route, account))
}
