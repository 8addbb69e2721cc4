package handlers

import (
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/wire"
)

// free is what an answer counts for that is not paid for; nil in a call that pays
// for its own. A request it is, and where the site wants that it has tokens, but
// it costs no money and takes no place at a provider.
type free struct {
	tokens bool
	usage  wire.Usage
	hit    *recalled // whose tokens are counted when a limit asks, nil where usage has them
	takes  need      // the memory of need
}

// reserveKept takes room for a request whose answer is not paid for. hit is the
// answer, nil where its tokens are not known yet: they are settled then.
func (c *call) reserveKept(hit *recalled) error {
	k := c.keeping
	k.free = free{tokens: k.exact.CountHits}
	if hit != nil {
		if k.free.usage = hit.hit.Usage; k.free.usage.IsZero() {
			k.free.hit = hit
		}
	}
	c.quota.free = &k.free
	defer c.countRefusal()
	return c.reserve()
}

// releaseKept gives it back: the call has to be paid for after all.
func (c *call) releaseKept() {
	c.giveBack()
	c.wakeFreed()
	if t := c.quota.turns; t != nil {
		t.freed = t.freed[:0]
	}
	c.quota.free = nil
}

// covers reports whether a rule counts an answer that is free.
func (f *free) covers(rule *limits.Rule) bool {
	switch rule.Unit {
	case limits.Requests:
		return true
	case limits.Tokens, limits.InputTokens, limits.OutputTokens:
		return f.tokens
	default:
		return false
	}
}

// need is what it takes of limits, which is known already.
func (f *free) need() *need {
	if f.hit != nil {
		f.usage, f.hit = f.hit.counted(), nil
	}
	f.takes = need{input: f.usage.Input, output: f.usage.Output}
	return &f.takes
}

// counted is what a kept answer has in tokens whose upstream has not said.
func (r *recalled) counted() wire.Usage {
	c, model := r.call, r.hit.Model
	if p := c.proxy.gateway.Provider(r.hit.Provider); p != nil && p.Traits().CountsAs != "" {
		model = p.Traits().CountsAs
	}
	output := c.proxy.tokens.Output(model)
	seen := wire.Seen{Sequence: -1, Text: output.Add}
	if r.form.Stream {
		c.readInto(&seen, r.form.Body)
	} else {
		_ = c.door.Observer().Answer(r.form.Body, &seen) // it was one when it was kept
	}
	return wire.Usage{Input: c.countPrompt(model), Output: int64(output.Count())}
}

// learn notes what the answer has in tokens, now that it is known.
func (f *free) learn(usage wire.Usage) {
	if f != nil && f.tokens {
		f.usage = usage
	}
}

// settled is the record by which limits settle it.
func (f *free) settled() *gateway.Record {
	return &gateway.Record{Usage: f.usage, UsageSource: gateway.SourceProvider}
}
