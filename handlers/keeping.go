package handlers

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/canon"
	"github.com/weirproxy/weir/cache/flight"
	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
)

// Kept is what the process has of answers, kept and under way. It outlives
// configurations.
type Kept struct {
	Memory *cache.Memory
	Marks  *cache.Marks

	// Flights are the calls that others may follow, Refreshes those that renew
	// what is stale.
	Flights   *flight.Set
	Refreshes *cache.Once

	// Index finds requests that mean the same.
	Index *semantic.Index

	// Spellings remembers what requests ask for.
	Spellings *canon.Memo
}

// keeping is what the cache has to do with a call.
type keeping struct {
	exact    *CacheExact
	semantic *CacheSemantic
	asked    directives

	// key is that of the answer, scope whose it is, model all that says who gives it,
	// want its form for the client.
	key   cache.Key
	scope string
	model string
	want  flight.Want
	facts canon.Facts

	// meaning is what the request is compared with others by; nil where it is not.
	meaning *meaning

	// began is when the cache began to look, zero when what it took has been noted.
	began time.Time

	// since is when the request was looked up: a purge since then is meant for its
	// answer too.
	since cache.Stamp

	// stale is a kept answer that serves if no new one can be had, from the one that
	// is shown. room is the memory of the first that is considered.
	stale, from *recalled
	room        recalled

	// free is what the answer counts for while it is not paid for.
	free free

	// follows counts the flights that have come to nothing for the call.
	follows int
}

// keepings holds *keeping that are empty.
var keepings = sync.Pool{New: func() any { return new(keeping) }}

// release gives it to another call. Nobody may have it, or what it has in room.
func (k *keeping) release() {
	*k = keeping{}
	keepings.Put(k)
}

// remember finds out under which key the cache has the answer to the call. It
// leaves c.keeping nil where the cache has nothing to do with it, which is an error
// for who wants a kept answer or none.
func (c *call) remember() error {
	exact, semantic := cacheOf(c.r)
	if exact == nil {
		return nil
	}
	asked := directivesOf(c.r)
	if c.form != nil || !exact.covers(c.route.Operation) {
		if asked.onlyIfCached {
			return c.unpaid()
		}
		return nil
	}
	k := keepings.Get().(*keeping)
	k.exact, k.semantic, k.asked, k.began = exact, semantic, asked, c.routed
	rule := ""
	if !k.asked.bypass {
		if rule = c.findKey(k); rule == "" {
			c.keeping = k
			return nil
		}
	}
	c.timeCache(k.began)
	k.release()
	c.bypassed = cmp.Or(rule, "client")
	if asked.onlyIfCached {
		return c.unpaid()
	}
	c.bypass(rule)
	return nil
}

// findKey finds out under which key k's answer is, or the rule by which there is
// none.
func (c *call) findKey(k *keeping) (rule string) {
	exact := k.exact
	k.scope = c.scope(exact.Scope)
	digest, facts, err := c.proxy.kept.Spellings.Of(k.scope, c.route.Operation, c.x.Envelope.Body(), canon.Options{IgnoreSeed: exact.Seed == seedIgnore}, k.semantic != nil)
	if err != nil {
		return "request"
	}
	if rule := exact.forbids(c.route.Operation, &facts); rule != "" {
		return rule
	}
	k.facts = facts
	k.model = gateway.Listed(c.matters()...) + c.way.trip.Identity()
	k.key = cache.KeyOf(exact.Version, exact.Scope, k.scope, k.model, digest)
	k.want = flight.Want{Operation: c.route.Operation, Stream: c.x.Stream}
	if c.x.Stream && (c.route.Operation == wire.Chat || c.route.Operation == wire.Completions) {
		k.want.Usage = c.x.Envelope.IncludeUsage
	}
	k.since = exact.answers.Stamp()
	return ""
}

// forbids names the rule that keeps a request from the cache; empty when none does.
func (e *CacheExact) forbids(op *wire.Operation, f *canon.Facts) string {
	switch {
	case f.Stateful != "":
		return "state"
	case f.OtherOutput:
		return "output"
	case f.Choices > 1 && !embeds(op):
		return "choices"
	case f.Tools && !e.Tools:
		return "tools"
	case f.UserTurns > 1 && !*e.MultiTurn:
		return "turns"
	case f.HasTemperature && f.Temperature > *e.MaxTemperature:
		return "temperature"
	case f.HasSeed && e.Seed == seedBypass:
		return "seed"
	default:
		return ""
	}
}

// scope is whose answers the call shares, by who the caller was found to be. Who
// has no team is a team of its own.
func (c *call) scope(kind string) string {
	p := &c.caller.principal
	switch key := c.caller.key; {
	case kind == gateway.ScopeGlobal:
		return ""
	case kind == gateway.ScopeTeam && p.Team != "":
		return gateway.Listed("team", p.Team)
	case key != nil && !key.Anonymous:
		return gateway.Listed("key", key.Name, key.ID) // names are given anew, ids are not
	case p.User != "":
		return gateway.Listed("user", p.User, p.Team)
	default:
		return gateway.Listed("ip", clientIP(c.r))
	}
}

// matters lists what of the client's header the model's targets are sent and may
// answer differently for, such as Anthropic-Beta.
func (c *call) matters() (list []string) {
	var room [4]gateway.Forwarder
	own := room[:0]
	for _, r := range c.way.trip.Own() {
		if f, ok := r.Provider.(gateway.Forwarder); ok && !slices.Contains(own, f) {
			own = append(own, f)
		}
	}
	for name, values := range c.r.Header {
		for _, f := range own {
			if f.Matters(name, values) {
				list = append(list, gateway.Listed(append([]string{name}, values...)...))
				break
			}
		}
	}
	slices.Sort(list)
	return list
}

// tags are the names by which the answer can be purged; ok is false when it has
// one that cannot be noted.
func (c *call) tags() (tags []string, ok bool) {
	k := c.keeping
	own, ok := k.exact.tags(c.r)
	if s := k.semantic; ok && s != nil && s.exact != k.exact { // which may serve it, too
		var also []string
		also, ok = s.tags(c.r)
		own = append(own, also...)
	}
	// One string for those that every answer has.
	target, key := &c.x.Target, c.caller.principal.Key
	all := "model:" + c.x.Model + "target:" + target.Provider + "/" + target.Model + "key:" + key
	first, second := len("model:")+len(c.x.Model), len(all)-len("key:")-len(key)
	tags = append(make([]string, 0, 4+len(own)+len(k.asked.tags)), all[:first], all[first:second])
	if name := c.target.Alias; name != "" && name != c.x.Model {
		tags = append(tags, "model:"+name) // a pattern, or the model that another stands for
	}
	if key != "" {
		tags = append(tags, all[second:])
	}
	for _, tag := range slices.Concat(own, k.asked.tags) {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags, ok
}

// bypass says that the cache has nothing to do with a call that it might have
// served: because of a rule, or, where that is empty, because the client wants it
// so.
func (c *call) bypass(rule string) {
	c.x.Update(func() { c.x.Cache = gateway.CacheBypass })
	c.proxy.metrics.Lookup(telemetry.LookupExact, gateway.CacheBypass)
	c.out.prepare(func() {
		if rule == "" {
			c.out.showUnwanted(false)
		} else {
			c.out.showBypass(rule)
		}
	})
}
