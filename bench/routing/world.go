package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// The world that is simulated. Nothing here depends on the policy: each meets
// the same targets, the same requests and the same luck.
const (
	targets  = 20
	sessions = 3000
	duration = 20 * time.Minute
	rate     = 40.0 // requests in a second, on average
	attempts = 3    // calls that a request may cost

	refusalTime = 80 * time.Millisecond  // until a 429 is back
	failureTime = 400 * time.Millisecond // until an error is back
	failureRate = 0.004
	coolDown    = 5 * time.Second  // without a target that answered 429
	patience    = 15 * time.Second // for the first token (first_token_timeout)
	maxFails    = 3                // failures in a row (max_fails)
	failTime    = 30 * time.Second // without a target that failed so often (fail_duration)
	window      = time.Minute      // of quotas
	cacheLife   = 5 * time.Minute  // of a session's prompt in a target's cache
	cachedTime  = 0.5              // of the time to first token
	cachedCost  = 0.4              // of the price
	answerTime  = 4.0              // seconds after the first token, on average
)

// target is a simulated upstream.
type target struct {
	name  string
	index int

	// The time to first token of an idle target moves around base, and is many
	// times as long while something is wrong.
	base, swing, period, phase float64 // seconds, share, seconds, radians
	slow                       []interval
	capacity                   float64 // calls in flight that double the time
	price                      int64   // of a call, nano-dollars

	// quota is the number of calls in a window, which begins at offset.
	quota  int
	offset time.Duration
	used   int
	opened int64 // number of the window that used counts in

	// What the gateway knows of it.
	inFlight  int64
	headroom  float64
	resets    time.Duration
	coolUntil time.Duration
	failures  int
	warm      map[int]time.Duration // until when a session's prompt is cached
}

type interval struct{ from, to, factor float64 }

// newTargets makes targets of all kinds: fast and slow, large and small, cheap
// and dear, in no order.
func newTargets(seed uint64) []*target {
	r := rand.New(rand.NewPCG(seed, 1))
	list := make([]*target, targets)
	for i := range list {
		t := &target{
			name:     fmt.Sprintf("provider-%d/model", i),
			index:    i,
			base:     0.25 * math.Pow(5, r.Float64()), // 0.25 to 1.25 s
			swing:    0.2 + 0.4*r.Float64(),
			period:   120 + 480*r.Float64(),
			phase:    2 * math.Pi * r.Float64(),
			capacity: 10 + 30*r.Float64(),
			price:    int64(1_000_000 * (1 + 9*r.Float64())), // $0.001 to $0.01
			quota:    60 + r.IntN(240),
			offset:   time.Duration(r.Int64N(int64(window))),
			warm:     make(map[int]time.Duration),
		}
		for range r.IntN(3) {
			from := duration.Seconds() * r.Float64()
			t.slow = append(t.slow, interval{from, from + 30 + 90*r.Float64(), 4 + 8*r.Float64()})
		}
		list[i] = t
	}
	return list
}

// firstToken is how long a call that begins at now takes to its first token;
// luck is a standard normal number.
func (t *target) firstToken(now time.Duration, luck float64, cached bool) time.Duration {
	at := now.Seconds()
	seconds := t.base * (1 + t.swing*math.Sin(2*math.Pi*at/t.period+t.phase))
	for _, s := range t.slow {
		if at >= s.from && at < s.to {
			seconds *= s.factor
		}
	}
	load := float64(t.inFlight) / t.capacity
	seconds *= 1 + load*load
	if cached {
		seconds *= cachedTime
	}
	return time.Duration(seconds * math.Exp(0.25*luck) * float64(time.Second))
}

// take counts a call against the quota and reports whether there was one left.
func (t *target) take(now time.Duration) bool {
	if w := int64((now + t.offset) / window); w != t.opened {
		t.opened, t.used = w, 0
	}
	if t.used >= t.quota {
		return false
	}
	t.used++
	return true
}

// learn remembers what an answer's rate-limit headers said.
func (t *target) learn(now time.Duration) {
	t.headroom = float64(t.quota-t.used) / float64(t.quota)
	t.resets = (now+t.offset)/window*window + window - t.offset
}

// failed notes a call that came to nothing.
func (t *target) failed(now time.Duration) {
	if t.failures++; t.failures >= maxFails {
		t.coolUntil = now + failTime
	}
}

// request is one arrival, with the luck that it will have whatever is chosen.
type request struct {
	at      time.Duration
	session int
	answer  time.Duration // how long the stream lasts after its first token
	luck    [attempts]float64
	fails   [attempts]bool
}

// newRequests draws the arrivals: a Poisson process whose rate swings by half
// in ten minutes, of sessions some of which are far busier than others.
func newRequests(seed uint64) (list []request) {
	r := rand.New(rand.NewPCG(seed, 2))
	busy := rand.NewZipf(r, 1.2, 20, sessions-1)
	const peak = rate * 1.5
	for at := 0.0; ; {
		at += r.ExpFloat64() / peak
		if at >= duration.Seconds() {
			return list
		}
		if r.Float64()*peak > rate*(1+0.5*math.Sin(2*math.Pi*at/600)) {
			continue
		}
		q := request{
			at:      time.Duration(at * float64(time.Second)),
			session: int(busy.Uint64()),
			answer:  time.Duration(answerTime * r.ExpFloat64() * float64(time.Second)),
		}
		for i := range q.luck {
			q.luck[i], q.fails[i] = r.NormFloat64(), r.Float64() < failureRate
		}
		list = append(list, q)
	}
}
