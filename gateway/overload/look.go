package overload

import (
	"runtime"
	"time"
)

// Sample is what a look finds.
type Sample struct {
	// Memory is what is used and cannot be collected as garbage, in bytes, as of
	// the last collection.
	Memory int64

	// Latency is how long goroutines that could run have waited for a processor
	// since the last look, at the 99th percentile; 0 when too few ran.
	Latency time.Duration
}

// plan is what the last look has led to.
type plan struct {
	share  float64
	refuse [classes]float64 // the share of each class
	reason Reason
}

// look samples the process if the last time is long enough ago. Of many who
// come at once one does.
func (g *Guard) look() {
	now := g.clock.Now().UnixNano()
	next := g.next.Load()
	if now < next || !g.next.CompareAndSwap(next, now+int64(every)) {
		return
	}
	looks := 1.0
	if next > 0 {
		looks += float64((now - next) / int64(every)) // those that nobody came for
	}
	// Nothing else orders a look after the one before: samplers need the lock.
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sample()
	for i := range g.rates {
		g.rates[i] = 0.7*g.rates[i] + float64(g.arrived[i].Swap(0))
	}
	g.judge(s, looks)
	g.plan.Store(&plan{share: g.share, refuse: split(g.share, g.rates), reason: g.reason})
}

// judge moves the share by what was found.
func (g *Guard) judge(s Sample, looks float64) {
	limits := g.settings.Load()
	memory := limits.MaxMemory > 0 && s.Memory >= limits.MaxMemory
	slow := limits.TargetLatency > 0 && s.Latency >= limits.TargetLatency
	// Between what is too much and what is clearly less, nothing moves.
	less := (limits.MaxMemory == 0 || s.Memory < limits.MaxMemory/10*9) && (limits.TargetLatency == 0 || s.Latency <= limits.TargetLatency/2)
	switch {
	case memory || slow:
		if g.high++; g.high < sustained && g.share == 0 {
			return
		}
		g.share += grow * (1 - g.share)
		if g.reason = Latency; memory {
			g.reason = Memory
			g.sweep()
		}
	case less:
		g.high = 0
		g.share = max(0, g.share-shrink*looks)
	default:
		g.high = 0
		if g.reason == Memory && g.share > 0 {
			g.sweep()
		}
	}
}

// sweepEvery bounds how often a collection is asked for.
const sweepEvery = 2 * time.Second

// sweep has garbage collected: a gateway that refuses everybody makes none, so
// that what it uses would be known of long ago only.
func (g *Guard) sweep() {
	if now := g.clock.Now(); now.Sub(g.collect) >= sweepEvery {
		g.collect = now
		go runtime.GC()
	}
}

// split has share of all arrivals refused: those of the lowest class first, and
// of the next one only when all of that are.
func split(share float64, rates [classes]float64) (refuse [classes]float64) {
	all := 0.0
	for _, rate := range rates {
		all += rate
	}
	left := share * all
	for i := classes - 1; i >= 0 && left > 0; i-- {
		if rates[i] <= left {
			refuse[i] = 1 // also a class of which nobody came: who does goes first
			left -= rates[i]
			continue
		}
		refuse[i] = left / rates[i]
		left = 0
	}
	return refuse
}
