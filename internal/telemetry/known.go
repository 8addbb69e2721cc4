package telemetry

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// What every request counts is looked up by its labels once: that costs more than
// counting.

// seriesKey are the labels of one kind of request.
type seriesKey struct {
	dialect, model, provider string
	status                   int
	stream                   bool
}

// series are the children of one seriesKey.
type series struct {
	requests                                   prometheus.Counter
	duration, firstToken, interToken, overhead prometheus.Observer
}

// directions and sources are the labels of tokens.
var (
	directions = [...]string{"input", "output", "cached", "reasoning"}
	sources    = [...]string{gateway.SourceProvider, gateway.SourceEstimated, gateway.SourceNone}
)

func (m *Metrics) direction(d int, source string) prometheus.Counter {
	s := slices.Index(sources[:], source)
	if s < 0 {
		return m.tokens.WithLabelValues(directions[d], source)
	}
	known := &m.counted[d][s]
	if c := known.Load(); c != nil {
		return *c
	}
	return resolve(known, m.tokens, directions[d], source)
}

// resolve looks a child of vec up, for known to remember.
func resolve(known *atomic.Pointer[prometheus.Counter], vec *prometheus.CounterVec, labels ...string) prometheus.Counter {
	c := vec.WithLabelValues(labels...)
	known.Store(&c)
	return c
}

func (m *Metrics) series(key seriesKey) *series {
	return m.kinds.get(key, func() *series {
		return &series{
			requests:   m.requests.WithLabelValues(key.dialect, key.model, key.provider, strconv.Itoa(key.status), strconv.FormatBool(key.stream)),
			duration:   m.duration.WithLabelValues(key.dialect, key.model, key.provider),
			firstToken: m.firstToken.WithLabelValues(key.dialect, key.model, key.provider),
			interToken: m.interToken.WithLabelValues(key.dialect, key.model, key.provider),
			overhead:   m.overhead.WithLabelValues(key.dialect),
		}
	})
}

// attemptKey are the labels of a call to an upstream.
type attemptKey struct{ provider, outcome string }

func (m *Metrics) outcome(key attemptKey) prometheus.Counter {
	return m.outcomes.get(key, func() prometheus.Counter { return m.attempts.WithLabelValues(key.provider, key.outcome) })
}

// table remembers children of labels of which there are few. It is copied to add one,
// so that who reads it never waits.
type table[K comparable, V any] struct {
	known  atomic.Pointer[map[K]V]
	adding sync.Mutex
}

func (t *table[K, V]) get(key K, find func() V) V {
	if known := t.known.Load(); known != nil {
		if v, ok := (*known)[key]; ok {
			return v
		}
	}
	t.adding.Lock()
	defer t.adding.Unlock()
	v := find()
	more := map[K]V{key: v}
	if known := t.known.Load(); known != nil {
		maps.Copy(more, *known)
	}
	t.known.Store(&more)
	return v
}

// Decision is what was decided by a limit.
type Decision uint8

// The decisions.
const (
	Allowed Decision = iota
	Refused
	Shadowed
	Degraded
	Downgraded
	ShadowDowngraded
)

var decisionNames = [...]string{"allowed", "refused", "shadowed", "degraded", "downgraded", "shadow_downgraded"}

// Limit counts one decision of a limit on unit.
func (m *Metrics) Limit(unit limits.Unit, d Decision) { m.decision(unit, d).Inc() }

func (m *Metrics) decision(unit limits.Unit, d Decision) prometheus.Counter {
	known := &m.decided[unit][d]
	if c := known.Load(); c != nil {
		return *c
	}
	return resolve(known, m.limits, unit.String(), decisionNames[d])
}
