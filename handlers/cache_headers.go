package handlers

import (
	"math"
	"strconv"
	"time"
)

const (
	headerCacheStatus = "Cache-Status"
	headerAge         = "Age"
)

// The values of the answer's X-AI-Cache.
const (
	cacheHit      = "hit"
	cacheSemantic = "semantic-hit"
	cacheMiss     = "miss"
	cacheBypass   = "bypass"
)

// The functions below say in an answer's header what the cache did for it, in the
// words of RFC 9211, and once more in one word.

// appendHit is for an answer from the cache that was made age ago. It is fresh for
// ttl, which is negative once it is stale. word is its X-AI-Cache.
func appendHit(t *texts, age, ttl time.Duration) (word string) {
	t.text = appendSeconds(append(t.text, "weir; hit; ttl="...), ttl)
	t.text = append(t.text, "; detail=exact"...)
	t.end(headerCacheStatus)
	appendAge(t, age)
	return cacheHit
}

// appendSemanticHit is appendHit for the answer to a similar request.
func appendSemanticHit(t *texts, age, ttl time.Duration, similarity float64) (word string) {
	t.text = appendSeconds(append(t.text, "weir; hit; ttl="...), ttl)
	t.text = append(t.text, "; detail=semantic; similarity="...)
	// A decimal of RFC 8941 has three digits behind the point. It is cut, so that what
	// is not the same never reads 1.000.
	t.text = strconv.AppendFloat(t.text, math.Floor(similarity*1000)/1000, 'f', 3, 64)
	t.end(headerCacheStatus)
	appendAge(t, age)
	return cacheSemantic
}

// showMiss is for an answer that had to be fetched; stored says that it is kept.
func (o *output) showMiss(stored bool) {
	o.showCache(cacheMiss, either(stored, "weir; fwd=miss; stored", "weir; fwd=miss"))
}

// showStale is showMiss where a stale answer was there.
func (o *output) showStale(stored bool) {
	o.showCache(cacheMiss, either(stored, "weir; fwd=stale; stored", "weir; fwd=stale"))
}

// showCollapsed is for an answer that another request had asked for already.
func (o *output) showCollapsed() { o.showCache(cacheMiss, "weir; fwd=miss; collapsed") }

// showUnwanted is for an answer that the client did not want from the cache.
func (o *output) showUnwanted(stored bool) {
	o.showCache(cacheBypass, either(stored, "weir; fwd=request; stored", "weir; fwd=request"))
}

// showUnpaid is for a request that is answered from the cache or not at all.
func (o *output) showUnpaid() { o.showCache(cacheMiss, "weir; detail=only-if-cached") }

// showBypass is for a request that a rule keeps from the cache; rule is a token.
func (o *output) showBypass(rule string) { o.showCache(cacheBypass, "weir; fwd=bypass; detail="+rule) }

func (o *output) showCache(word, status string) {
	o.set(headerCacheStatus, status)
	o.set(headerCache, word)
}

func either(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}

// appendAge writes an answer's age (RFC 9111, 5.1).
func appendAge(t *texts, age time.Duration) {
	t.text = appendSeconds(t.text, max(age, 0))
	t.end(headerAge)
}

// appendSeconds writes whole seconds. A time that has passed in part has passed: what
// is fresh for half a second is not fresh for one, and what is stale is not at 0.
func appendSeconds(b []byte, d time.Duration) []byte {
	seconds := int64(d / time.Second)
	if d < 0 && d%time.Second != 0 {
		seconds--
	}
	return strconv.AppendInt(b, seconds, 10)
}
