package main

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway/balance"
	"github.com/weirproxy/weir/gateway/health"
)

// Contestant is a policy and how it is used.
type Contestant struct {
	Name string
	New  func(rand balance.Rand, list []*target) balance.Policy

	// Blind means that the policy is not told of quotas.
	Blind bool
}

// contestants are the policies that are compared. `header`, `cookie` and
// `client_ip_hash` choose as `key_hash` does.
var contestants = []Contestant{
	{Name: "first", New: func(balance.Rand, []*target) balance.Policy { return balance.First{} }},
	{Name: "random", New: func(r balance.Rand, _ []*target) balance.Policy { return balance.NewRandom(r) }},
	{Name: "random, quotas unseen", Blind: true, New: func(r balance.Rand, _ []*target) balance.Policy { return balance.NewRandom(r) }},
	{Name: "round_robin", New: func(r balance.Rand, _ []*target) balance.Policy { return balance.NewRoundRobin(r) }},
	{Name: "weighted_round_robin by quota", New: func(r balance.Rand, list []*target) balance.Policy {
		return balance.NewWeightedRoundRobin(r, quotas(list))
	}},
	{Name: "least_conn", New: func(r balance.Rand, _ []*target) balance.Policy { return balance.NewLeastConn(r) }},
	{Name: "least_latency", New: func(r balance.Rand, _ []*target) balance.Policy { return balance.NewLeastLatency(r) }},
	{Name: "least_latency, quotas unseen", Blind: true, New: func(r balance.Rand, _ []*target) balance.Policy { return balance.NewLeastLatency(r) }},
	{Name: "least_cost", New: func(r balance.Rand, _ []*target) balance.Policy { return balance.NewLeastCost(r) }},
	{Name: "key_hash", New: func(r balance.Rand, _ []*target) balance.Policy {
		return balance.NewKeyHash(nil, balance.NewRandom(r))
	}},
	{Name: "key_hash weighted by quota", New: func(r balance.Rand, list []*target) balance.Policy {
		return balance.NewKeyHash(quotas(list), balance.NewRandom(r))
	}},
}

func quotas(list []*target) []int {
	weights := make([]int, len(list))
	for i, t := range list {
		weights[i] = t.quota
	}
	return weights
}

// Result is how a policy fared.
type Result struct {
	Name     string
	Requests int

	// P50 and P99 are times to first token, retries included, of requests that
	// were answered; ByMinute is the P99 of each minute's arrivals.
	P50, P99 time.Duration
	ByMinute []time.Duration

	// Refused is the number of 429s for each request, Failed the share of
	// requests that no call answered, Cached the share of answers from a
	// target that had the session's prompt in its cache.
	Refused, Failed, Cached float64

	// Cost is dollars for a thousand answers.
	Cost float64
}

// event is something that happens at a time; seq keeps the order of equals.
type event struct {
	at  time.Duration
	seq int
	do  func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// simulation is one policy's run. Time is only what the events say.
type simulation struct {
	policy     balance.Policy
	blind      bool
	targets    []*target
	latencies  *health.Tracker // as gateways know them
	candidates []balance.Candidate
	events     queue
	seq        int
	now        time.Duration

	answered, refused, failed, cached int
	cost                              int64
	times                             []time.Duration
	minutes                           [][]time.Duration
}

// Run simulates one policy.
func Run(c Contestant, seed uint64) Result {
	list := newTargets(seed)
	s := &simulation{
		policy:  c.New(rand.New(rand.NewPCG(seed, 3)).Uint64, list),
		blind:   c.Blind,
		targets: list,
		minutes: make([][]time.Duration, int(duration/time.Minute)),
	}
	s.latencies = health.New(s, func() float64 { return 0.5 })
	requests := newRequests(seed)
	for i := range requests {
		q := &requests[i]
		s.after(q.at, func() { s.attempt(q, 0, make([]bool, targets)) })
	}
	for len(s.events) > 0 {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
	return s.result(c.Name, len(requests))
}

func (s *simulation) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.events, event{s.now + d, s.seq, do})
}

// Now implements health.Clock.
func (s *simulation) Now() time.Time { return time.Unix(0, 0).Add(s.now) }

// begin begins a call to t, of which only the time to its first token is learned here.
func (s *simulation) begin(t *target) *health.Call {
	t.inFlight++
	call := s.latencies.Begin(t.key(), "", health.Settings{MaxFails: -1})
	return &call
}

func (t *target) key() health.Target { return health.Target{Provider: "sim", Model: t.name} }

// attempt makes call number n of a request to a target not tried before.
func (s *simulation) attempt(q *request, n int, tried []bool) {
	s.offer(tried)
	if n == attempts || len(s.candidates) == 0 {
		s.failed++
		return
	}
	picked := s.policy.Pick(s.candidates, &balance.Request{Key: "session-" + strconv.Itoa(q.session)})
	t := s.targets[s.candidates[picked].Index]
	tried[t.index] = true
	again := func() { s.attempt(q, n+1, tried) }
	switch {
	case !t.take(s.now):
		s.refused++
		s.after(refusalTime, func() {
			t.coolUntil = s.now + coolDown
			t.learn(s.now)
			again()
		})
	case q.fails[n]:
		call := s.begin(t)
		s.after(failureTime, func() {
			t.inFlight--
			call.End(health.Result{Class: health.Failed})
			t.failed(s.now)
			again()
		})
	default:
		s.answer(q, n, t, again)
	}
}

// offer lists the targets that may be called now.
func (s *simulation) offer(tried []bool) {
	s.candidates = s.candidates[:0]
	for _, t := range s.targets {
		if tried[t.index] || s.now < t.coolUntil {
			continue
		}
		c := balance.Candidate{
			Name: t.name, Index: t.index, InFlight: t.inFlight, Cost: t.price, Headroom: 1,
			Latency: s.latencies.Look(t.key()).Latency,
		}
		if !s.blind && s.now < t.resets {
			c.Headroom = t.headroom
		}
		s.candidates = append(s.candidates, c)
	}
}

// answer lets a call succeed, unless its first token takes too long.
func (s *simulation) answer(q *request, n int, t *target, again func()) {
	cached := s.now < t.warm[q.session]
	wait := t.firstToken(s.now, q.luck[n], cached)
	call := s.begin(t)
	if wait > patience {
		s.after(patience, func() {
			t.inFlight--
			call.End(health.Result{Class: health.Failed})
			t.failed(s.now)
			again()
		})
		return
	}
	s.after(wait, func() {
		t.failures = 0
		call.FirstToken(wait)
		t.learn(s.now)
		t.warm[q.session] = s.now + cacheLife
		s.answered++
		cost := t.price
		if cached {
			s.cached++
			cost = int64(float64(cost) * cachedCost)
		}
		s.cost += cost
		total := s.now - q.at
		s.times = append(s.times, total)
		minute := int(q.at / time.Minute)
		s.minutes[minute] = append(s.minutes[minute], total)
		s.after(q.answer, func() {
			t.inFlight--
			call.End(health.Result{})
		})
	})
}

func (s *simulation) result(name string, requests int) Result {
	r := Result{
		Name: name, Requests: requests,
		P50: quantile(s.times, 0.5), P99: quantile(s.times, 0.99),
		Refused: float64(s.refused) / float64(requests),
		Failed:  float64(s.failed) / float64(requests),
		Cached:  float64(s.cached) / float64(s.answered),
		Cost:    float64(s.cost) / 1e9 / float64(s.answered) * 1000,
	}
	for _, times := range s.minutes {
		r.ByMinute = append(r.ByMinute, quantile(times, 0.99))
	}
	return r
}

func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(q*float64(len(sorted)-1))]
}
