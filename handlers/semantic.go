package handlers

import (
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/cache/canon"
	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
)

// meaning is what a request is compared with others by.
type meaning struct {
	partition semantic.Partition
	query     semantic.Query

	// by is the target that made the query's vector; empty where the gateway did.
	by string
}

// lookAround looks for the answer to a request that means the same.
func (c *call) lookAround() *recalled {
	k := c.keeping
	s := k.semantic
	if !c.mean() {
		return nil
	}
	threshold := max(s.Threshold, k.asked.threshold)
	if s.Shadow {
		c.shadow(threshold)
		return nil
	}
	match, ok := s.rows.Search(c.ctx, k.meaning.partition, &k.meaning.query, float32(threshold))
	if !ok {
		c.proxy.metrics.Lookup(telemetry.LookupSemantic, gateway.CacheMiss)
		return nil
	}
	hit := c.considerAlike(match)
	if hit == nil {
		c.proxy.metrics.Lookup(telemetry.LookupSemantic, gateway.CacheMiss)
	}
	return hit
}

// mean finds out what the request means, for those that are compared by it.
func (c *call) mean() bool {
	k := c.keeping
	if k.semantic == nil || !k.semantic.applies(&k.facts) || k.asked.exactly {
		return false
	}
	query := semantic.Query{Features: semantic.Read(k.facts.LastUser), Guard: k.semantic.guard}
	if query.Hopeless() {
		return false // its vector would be paid for in vain
	}
	query, by, err := c.understand(query, k.facts.LastUser)
	if err != nil {
		c.proxy.metrics.Lookup(telemetry.LookupSemantic, "error")
		return false
	}
	k.meaning = &meaning{partition: c.partition(by), query: query, by: by}
	return true
}

// considerAlike decides what the answer to a similar request is good for.
func (c *call) considerAlike(match semantic.Match) *recalled {
	k, answers := c.keeping, c.keeping.exact.answers
	found, ok := answers.Get(match.Key, k.scope)
	if !ok {
		if found, ok = answers.Fetch(c.ctx, match.Key, k.scope); !ok {
			k.semantic.rows.Remove(k.meaning.partition, match.Key)
			return nil
		}
	}
	// Who asks for the very same may not find it stale while others do not.
	ttl := min(time.Duration(k.semantic.TTL), k.exact.terms().Lifetime(match.Key)) - found.Age
	r := &recalled{call: c, hit: found, state: gateway.CacheSemantic, ttl: ttl, near: float64(match.Similarity)}
	if r.ttl <= 0 || !k.exact.serves(&found) || !k.asked.accepts(found.Age, r.ttl, 0) || !c.mayUse(found.Provider, found.Model) || !r.fit() {
		return nil
	}
	return r
}

// wouldFind reports whether the call might itself have found what another has, among
// similar requests: it shares them, and would take it.
func (c *call) wouldFind(hit *recalled) bool {
	s, found := c.keeping.semantic, hit.call.keeping.meaning
	return s != nil && !s.Shadow && s.applies(&c.keeping.facts) && c.keeping.asked.similar(hit.near, s.Threshold) &&
		c.partition(found.by) == found.partition
}

// shadow notes what would have been served, and serves nothing.
func (c *call) shadow(threshold float64) {
	m := c.keeping.meaning
	match, ok := c.keeping.semantic.rows.Nearest(c.ctx, m.partition, &m.query)
	if !ok {
		c.proxy.metrics.Lookup(telemetry.LookupSemantic, gateway.CacheMiss)
		return
	}
	c.x.Update(func() { c.x.Similarity = float64(match.Similarity) })
	result := "shadow-miss"
	if float64(match.Similarity) >= threshold && c.considerAlike(match) != nil {
		result = "shadow-hit"
	}
	c.proxy.metrics.Lookup(telemetry.LookupSemantic, result)
}

// learn has later requests find the answer that was kept, if they mean the same.
func (c *call) learn() {
	k := c.keeping
	if k.meaning == nil {
		return
	}
	// What expires with its row is found in vain until then; nothing else is lost.
	_ = k.semantic.rows.Add(k.meaning.partition, semantic.Row{
		Key: k.key, Vector: k.meaning.query.Vector, Features: k.meaning.query.Features,
		Expires: c.proxy.gateway.Now().Add(time.Duration(k.semantic.TTL)),
	})
}

// applies reports whether requests like this one are compared by what they mean.
func (s *CacheSemantic) applies(f *canon.Facts) bool {
	return f.LastUser != "" && !f.Tools && !f.Media && int64(f.UserTurns) <= s.Turns &&
		(!f.HasTemperature || f.Temperature <= *s.MaxTemperature)
}

// partition is what two requests must have in common to be compared at all. Both
// scopes are part of it: who shares one alone shares nothing. So is the target that
// made the vector: an embedder may have several, which see the world differently.
func (c *call) partition(by string) semantic.Partition {
	k, s := c.keeping, c.keeping.semantic
	exact := cache.KeyOf(k.exact.Version, k.exact.Scope, k.scope, k.model, k.facts.Partition)
	return semantic.Partition(cache.KeyOf(s.Version, s.Scope, c.scope(s.Scope), gateway.Listed(s.by, by), exact))
}
