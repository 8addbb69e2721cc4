package handlers

import (
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
)

// missed says that the answer has to be paid for.
func (c *call) missed() {
	result := gateway.CacheMiss
	if c.keeping.asked.refresh {
		result = gateway.CacheRefresh
	}
	c.x.Update(func() { c.x.Cache = result })
	c.countLookup(result)
	c.out.prepare(func() { c.showMissed(false) })
}

// unpaid says that there is no answer, and that none is paid for.
func (c *call) unpaid() error {
	c.x.Update(func() { c.x.Cache = gateway.CacheMiss })
	c.countLookup(gateway.CacheMiss)
	c.out.prepare(c.out.showUnpaid)
	return errNotKept
}

// timeCache adds the time since start to what the cache has taken.
func (c *call) timeCache(start time.Time) {
	d := c.proxy.gateway.Now().Sub(start)
	c.x.Update(func() { c.x.Timings.Cache += d })
}

// timeLookup adds what a look-up has taken, from the search for its key on.
func (c *call) timeLookup() {
	c.timeCache(c.keeping.began)
	c.keeping.began = time.Time{}
}

// showMissed says so to the client; stored, that the answer is kept.
func (c *call) showMissed(stored bool) {
	switch k := c.keeping; {
	case k.asked.refresh:
		c.out.showUnwanted(stored)
	case k.stale != nil:
		c.out.showStale(stored)
	default:
		c.out.showMiss(stored)
	}
}

func (c *call) countLookup(result string) {
	kind := telemetry.LookupExact
	if result == gateway.CacheSemantic {
		kind = telemetry.LookupSemantic
	}
	c.proxy.metrics.Lookup(kind, result)
}
