package health

import (
	"math"
	"math/bits"
	"time"
)

// latency is how fast a target begins to answer.
type latency struct {
	ewma float64 // ns
	last time.Time

	// counts is a histogram of recent times, with eight steps to the octave
	// from 1 ms on: coarse enough to be small, and an error of 1/8 at most.
	counts [octaves * octaveSteps]uint16
	total  int
	p95    time.Duration
}

const (
	// fade is the time in which the average of a target falls to 1/e.
	fade = 20 * time.Second

	octaves     = 20 // to 17 minutes
	octaveSteps = 8
	octaveBits  = 3
	lowestBit   = 10 // of microseconds: 1.024 ms

	// enoughSamples are needed for a p95; when there are manySamples, each
	// weighs half as much as before.
	enoughSamples = 20
	manySamples   = 256
)

// at is the average, faded by the time since the last call. As long as calls are
// waiting, it is what it was: one is enough to find out whether the target is still
// slow.
func (l *latency) at(now time.Time, waiting int) time.Duration {
	if waiting > 0 {
		return time.Duration(l.ewma)
	}
	return time.Duration(l.ewma * weight(now.Sub(l.last)))
}

func weight(age time.Duration) float64 {
	if age <= 0 {
		return 1
	}
	return math.Exp(-float64(age) / float64(fade))
}

func (l *latency) add(now time.Time, d time.Duration) {
	d = max(0, d)
	if ns := float64(d); ns >= l.ewma {
		l.ewma = ns // the peak
	} else {
		w := weight(now.Sub(l.last))
		l.ewma = l.ewma*w + ns*(1-w)
	}
	l.last = now

	l.counts[bucket(d)]++
	if l.total++; l.total >= manySamples {
		l.total = 0
		for i := range l.counts {
			l.counts[i] /= 2
			l.total += int(l.counts[i])
		}
	}
	if l.total >= enoughSamples {
		l.p95 = l.quantile(95)
	}
}

// bucket is the place of d in the histogram.
func bucket(d time.Duration) int {
	us := uint64(d / time.Microsecond)
	top := bits.Len64(us) - 1
	if top < lowestBit {
		return 0
	}
	step := int(us>>(top-octaveBits)) & (octaveSteps - 1)
	return min((top-lowestBit)*octaveSteps+step, octaves*octaveSteps-1)
}

// quantile is an upper bound of the time that percent of the calls took.
func (l *latency) quantile(percent int) time.Duration {
	need := (l.total*percent + 99) / 100
	for i, n := range l.counts {
		if need -= int(n); need <= 0 {
			us := uint64(octaveSteps+i%octaveSteps+1) << (i/octaveSteps + lowestBit - octaveBits)
			return time.Duration(us) * time.Microsecond
		}
	}
	return 0
}
