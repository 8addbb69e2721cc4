package handlers

import (
	"time"

	"github.com/weirproxy/weir/cache"
	forms "github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// consider decides what a kept answer is good for; nil when it does not serve now.
func (c *call) consider(hit cache.Hit, ok bool) *recalled {
	k := c.keeping
	if !ok || !k.exact.serves(&hit) || !c.mayUse(hit.Provider, hit.Model) {
		return nil
	}
	terms := k.exact.terms()
	r := &k.room
	if r.call != nil {
		r = new(recalled)
	}
	*r = recalled{call: c, hit: hit, state: gateway.CacheHit, ttl: terms.Lifetime(k.key) - hit.Age}
	state := terms.State(k.key, hit.Age)
	if serves := k.asked.accepts(hit.Age, r.ttl, terms.Revalidate); !serves && state < cache.IfError {
		return nil
	} else if serves && state > cache.Revalidate && state != cache.Expired {
		state = cache.Revalidate // the client takes it as it is
	}
	if state == cache.Expired || !r.fit() {
		return nil
	}
	switch state {
	case cache.Revalidate:
		if r.state = gateway.CacheStale; !k.asked.onlyIfCached {
			c.refresh()
		}
	case cache.IfError:
		r.state, r.standsIn = gateway.CacheStale, true
		k.stale = r
		return nil
	}
	return r
}

// serves reports whether answers like this are kept: one may be that another site, or
// an earlier configuration, has kept.
func (e *CacheExact) serves(hit *cache.Hit) bool { return e.Length || hit.Finish != cache.FinishLength }

// terms are those that answers are kept by.
func (e *CacheExact) terms() cache.Terms {
	return cache.Terms{
		TTL: time.Duration(e.TTL), Jitter: *e.Jitter,
		Revalidate: time.Duration(e.StaleWhileRevalidate), IfError: time.Duration(e.StaleIfError),
	}
}

// fit finds the answer in the client's form, or makes it so; false when it cannot
// be.
func (r *recalled) fit() bool {
	c := r.call
	want, answers := &c.keeping.want, c.keeping.exact.answers
	// Responses repeats its request, and what one caller has said is not for
	// another; embeddings come in the encoding that it asks for.
	plain := want.Operation != wire.Responses && !embeds(want.Operation)
	if plain {
		if f, ok := answers.Form(&r.hit, want.Operation, want.Stream, want.Usage); ok {
			r.form = f
			return true
		}
	}
	f, err := c.convert(&r.hit.Answer)
	if err != nil {
		return false
	}
	if r.form = f; plain {
		answers.Extend(&r.hit, &f)
	}
	return true
}

func embeds(op *wire.Operation) bool {
	return op == wire.Embeddings || op == wire.GeminiEmbed || op == wire.GeminiBatchEmbed
}

// convert turns a kept answer into what the client expects.
func (c *call) convert(answer *cache.Answer) (cache.Form, error) {
	want := &c.keeping.want
	return forms.Convert(answer, forms.Want{
		Operation: want.Operation, Stream: want.Stream, Usage: want.Usage,
		Body: c.x.Envelope.Body(), ID: plainID(c.id), Created: c.x.Start.Unix(),
	})
}

// mayUse reports whether the caller may use what gave an answer.
func (c *call) mayUse(provider, model string) bool {
	key := c.caller.key
	return key == nil || key.Allows(c.target.Name, provider+"/"+model)
}
