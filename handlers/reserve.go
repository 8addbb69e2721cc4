package handlers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// reservations holds *limits.Reservation, with their claims' memory.
var reservations = sync.Pool{New: func() any { return new(limits.Reservation) }}

// quota is what a call holds of the limits that it falls under.
type quota struct {
	store limits.Store

	// mu guards held: leases are renewed on a timer's goroutine.
	mu     sync.Mutex
	held   *limits.Reservation
	renew  *time.Timer
	scopes []string // parallel to held.Claims: whose limit it is, for messages
}

// need is how much a call may use at most.
type need struct {
	input, output int64
}

// reserve takes room under all limits at once, or under none, before any
// provider is paid: the prompt's tokens and the cap on the answer's, which is
// written into the call if the client named none.
func (c *call) reserve() error {
	start := c.proxy.gateway.Now()
	r := reservations.Get().(*limits.Reservation)
	r.Reset()
	q := &c.quota
	q.scopes = q.scopes[:0]
	if err := c.claim(r); err != nil || len(r.Claims) == 0 {
		reservations.Put(r)
		return err
	}
	ok, err := c.queueFor(r, start)
	if err != nil {
		reservations.Put(r)
		if cause := c.cause(); cause != nil {
			return cause
		}
		return &gateway.Error{Kind: wire.KindOverloaded, Phase: "limit", Message: "limits cannot be checked at the moment", Cause: err}
	}
	c.x.Update(func() { c.x.Timings.Limit = c.proxy.gateway.Now().Sub(start) })
	c.countDecisions(r)
	c.setLimits(r)
	if !ok {
		refusal := c.refusal(r)
		reservations.Put(r)
		return refusal
	}
	q.held = r
	for i := range r.Claims {
		if r.Claims[i].Rule.Unit == limits.Concurrency {
			q.renew = time.AfterFunc(renewEvery, c.renewLeases)
			break
		}
	}
	return nil
}

// queueFor reserves, and where the limit in the way has a queue, waits for room
// as long as that allows. Waiting calls keep no order among each other.
func (c *call) queueFor(r *limits.Reservation, start time.Time) (bool, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		ok, err := c.quota.store.Reserve(c.ctx, r)
		if ok || err != nil || r.Refused < 0 {
			return ok, err
		}
		rest := r.Claims[r.Refused].Rule.Queue - c.proxy.gateway.Now().Sub(start)
		wait := r.Wait()
		if wait == limits.Never || rest <= 0 {
			return false, nil
		}
		if r.Claims[r.Refused].Rule.Unit == limits.Concurrency {
			wait = min(wait, queuePoll) // a place may come free at any moment
		}
		if wait > rest {
			return false, nil
		}
		timer.Reset(max(wait, time.Millisecond))
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return false, limits.ErrUnavailable
		}
	}
}

// queuePoll is how often a waiting call looks for a place under a limit on
// concurrency.
const queuePoll = 25 * time.Millisecond

// renewEvery is a third of a lease.
const renewEvery = limits.LeaseTime * time.Microsecond / 3

// renewLeases keeps the places under limits on concurrency for a call that
// lasts. A lease that was lost is not the client's fault: it goes on.
func (c *call) renewLeases() {
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), renewEvery)
	defer cancel()
	_ = q.store.Renew(ctx, q.held)
	q.renew.Reset(renewEvery)
}

// claim adds what is asked of every rule that the call falls under.
func (c *call) claim(r *limits.Reservation) error {
	var n *need
	add := func(scope, name string, rules []limits.Rule) error {
		for i := range rules {
			rule := &rules[i]
			if n == nil && rule.Unit != limits.Requests && rule.Unit != limits.Concurrency {
				var err error
				if n, err = c.need(); err != nil {
					return err
				}
			}
			amount, err := c.amount(rule, n)
			if err != nil {
				return err
			}
			r.Claim(limits.Key(scope, name, rule), rule, amount)
			c.quota.scopes = append(c.quota.scopes, scopeName(scope, name))
		}
		return nil
	}
	for _, b := range c.bearers() {
		own, each := c.proxy.rules.Of(b.scope, b.name)
		if b.scope == gateway.ScopeKey && c.caller.key != nil {
			rules, err := c.proxy.host.KeyRules(c.caller.key)
			if err != nil {
				return &gateway.Error{Kind: wire.KindInternal, Message: "internal error", Cause: err}
			}
			own = append(own[:len(own):len(own)], rules...)
		}
		if err := add(b.scope, b.name, own); err != nil {
			return err
		}
		if err := add(b.scope, b.name, without(each, own)); err != nil {
			return err
		}
	}
	for _, z := range zonesOf(c.r) {
		if err := add(gateway.ScopeSite, z.name, z.rules); err != nil {
			return err
		}
	}
	return nil
}

type bearer struct{ scope, name string }

// bearers are those whose limits the call falls under.
func (c *call) bearers() [6]bearer {
	model := c.target.Alias
	if model == "" {
		model = c.target.Target.String()
	}
	p := c.caller.principal
	return [...]bearer{
		{gateway.ScopeGlobal, ""},
		{gateway.ScopeProvider, c.target.Target.Provider},
		{gateway.ScopeModel, model},
		{gateway.ScopeTeam, p.Team},
		{gateway.ScopeUser, p.User},
		{gateway.ScopeKey, p.Key},
	}
}

// without leaves out of rules those that count what one of own counts: both
// would share a counter, and the one that names the bearer is meant.
func without(rules, own []limits.Rule) []limits.Rule {
	if len(rules) == 0 || len(own) == 0 {
		return rules
	}
	var kept []limits.Rule
	for i := range rules {
		shared := false
		for j := range own {
			shared = shared || own[j].ID() == rules[i].ID()
		}
		if !shared {
			kept = append(kept, rules[i])
		}
	}
	return kept
}

func (c *call) amount(rule *limits.Rule, n *need) (int64, error) {
	switch rule.Unit {
	case limits.Tokens:
		return limits.Add(n.input, n.output), nil
	case limits.InputTokens:
		return n.input, nil
	case limits.OutputTokens:
		return n.output, nil
	case limits.USD:
		return c.mostUSD(n)
	default:
		return 1, nil
	}
}

// need counts the prompt and caps the answer.
func (c *call) need() (*need, error) {
	n := &need{}
	if c.form == nil {
		model := c.target.Provider.Traits().CountsAs
		if model == "" {
			model = c.target.Target.Model
		}
		tokens, estimated := c.proxy.tokens.Count(model, c.route.Operation, c.x.Envelope.Body())
		if n.input = int64(tokens); estimated {
			n.input += n.input / 20 // the spread of estimates; see docs/token-counting.md
		}
	}
	if capParam(c.target.Operation, c.target.Provider.Traits()) == "" {
		return n, nil // nothing is generated, or nothing that can be capped
	}
	env := &c.x.Envelope
	limit := env.OutputCap
	if env.CapInvalid {
		return nil, gateway.Invalid(env.CapParam, "'%s' must be a whole number", env.CapParam)
	}
	if env.CapParam == "" || limit == 0 {
		limit = lowest(c.outputLimit(), 0)
		if limit == 0 {
			limit = wire.AbilityOf(c.target.Target.Model).MaxOutputOr()
		}
		c.cap = limit
	}
	n.output = limits.Multiply(limit, env.Choices)
	return n, nil
}

// mostUSD is the most that the call can cost.
func (c *call) mostUSD(n *need) (int64, error) {
	if c.proxy.host.LedgerFails() {
		return 0, &gateway.Error{Kind: wire.KindOverloaded, Phase: "limit", Message: "spending cannot be recorded at the moment, so budgets cannot be kept"}
	}
	if price := c.x.Price; price != nil {
		choices := c.x.Envelope.Choices
		return price.UpperBound(n.input, n.output/max(choices, 1), choices), nil
	}
	switch c.proxy.host.UnpricedPolicy() {
	case gateway.UnpricedFree:
		return 0, nil
	case gateway.UnpricedEstimate:
		return estimatedPrice.UpperBound(n.input, n.output, 1), nil
	default:
		return 0, &gateway.Error{Kind: wire.KindPermission, Param: "model", Message: fmt.Sprintf("the price of '%s' is not known, and you have a limit in usd; name its price in the configuration", c.x.Target)}
	}
}

// refusal tells a client which limit it has met, and when to come back.
func (c *call) refusal(r *limits.Reservation) error {
	i := r.Refused
	claim, d := &r.Claims[i], &r.Decisions[i]
	e := &gateway.Error{Kind: wire.KindRateLimit, Phase: "limit"}
	if claim.Rule.Unit == limits.USD {
		e.Kind = wire.KindBudget
	}
	e.Message = fmt.Sprintf("the limit of %s is reached: %s; used %s, left %s, asked for %s",
		c.quota.scopes[i], claim.Rule, quantity(claim.Rule, d.Used), quantity(claim.Rule, d.Remaining), quantity(claim.Rule, claim.Amount))
	switch wait := r.Wait(); {
	case wait == limits.Never:
		e.NoRetry = true
		e.Message += "; this request alone is more than the limit allows"
	default:
		e.RetryAfter = wait
	}
	return e
}

func quantity(rule *limits.Rule, n int64) string {
	if rule.Unit == limits.USD {
		return limits.FormatUSD(n) + " usd"
	}
	return fmt.Sprint(n)
}

func scopeName(scope, name string) string {
	switch {
	case scope == gateway.ScopeGlobal:
		return "the gateway"
	case scope == gateway.ScopeSite:
		return "the site"
	default:
		return scope + " '" + name + "'"
	}
}

// settleLimits gives back what was not used, or notes the debt.
func (c *call) settleLimits(record *gateway.Record) {
	q := &c.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.held
	if r == nil {
		return
	}
	q.held = nil
	if q.renew != nil {
		q.renew.Stop()
	}
	actual := make([]int64, len(r.Claims))
	if record.UsageSource != gateway.SourceNone {
		for i := range r.Claims {
			actual[i] = used(r.Claims[i].Rule, record, r.Claims[i].Amount)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), settleTime)
	defer cancel()
	if err := q.store.Settle(ctx, r, actual); err != nil && !errors.Is(err, limits.ErrUnavailable) {
		c.proxy.logger.Warn("settling limits: " + err.Error())
	}
	reservations.Put(r)
}

// settleTime bounds the wait for a store at a request's end. The store goes on
// by itself.
const settleTime = time.Second

// used is what an exchange used of a rule. What has no price keeps what was
// reserved for it.
func used(rule *limits.Rule, record *gateway.Record, reserved int64) int64 {
	switch rule.Unit {
	case limits.Requests:
		return 1
	case limits.Tokens:
		return limits.Add(record.Usage.Input, record.Usage.Output)
	case limits.InputTokens:
		return record.Usage.Input
	case limits.OutputTokens:
		return record.Usage.Output
	case limits.USD:
		if !record.Priced {
			return reserved
		}
		return record.Cost.Total
	default:
		return 0
	}
}
