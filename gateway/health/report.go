package health

import (
	"sort"
	"time"
)

// Report is the state of a provider, for administrators.
type Report struct {
	Provider string `json:"provider"`

	// Module is the provider's guest module, and Host where it is; empty if
	// that is not known or not to be shown.
	Module string `json:"module,omitempty"`
	Host   string `json:"host,omitempty"`

	Targets  []TargetReport  `json:"targets"`
	Accounts []AccountReport `json:"accounts"`
}

// TargetReport is the state of a target.
type TargetReport struct {
	Model    string     `json:"model"`
	State    string     `json:"state"`
	Healthy  bool       `json:"healthy"`
	Until    *time.Time `json:"until,omitempty"`
	Failures int        `json:"failures"`
	InFlight int64      `json:"in_flight"`

	// LatencyMS and P95MS are those of the time to the first token.
	LatencyMS float64 `json:"latency_ms,omitempty"`
	P95MS     float64 `json:"p95_ms,omitempty"`

	Accounts []UseReport `json:"accounts"`
}

// UseReport is what is known of an account's use of a model.
type UseReport struct {
	Account   string                 `json:"account"`
	CoolUntil *time.Time             `json:"cool_until,omitempty"`
	InFlight  int64                  `json:"in_flight"`
	Headroom  float64                `json:"headroom"`
	Quota     map[string]QuotaReport `json:"quota,omitempty"`
}

// QuotaReport is a quota as the provider told it.
type QuotaReport struct {
	Limit     int64      `json:"limit,omitempty"`
	Remaining int64      `json:"remaining"`
	Reset     *time.Time `json:"reset,omitempty"`
	Seen      time.Time  `json:"seen"`
}

// AccountReport is the state of an account. It never holds the credential.
type AccountReport struct {
	Account  string     `json:"account"`
	Disabled bool       `json:"disabled"`
	RetryAt  *time.Time `json:"retry_at,omitempty"`
}

// Report returns the state of a provider. Its lists are sorted, and not nil.
func (t *Tracker) Report(name string) Report {
	now := t.clock.Now()
	r := Report{Provider: name, Targets: []TargetReport{}, Accounts: []AccountReport{}}
	t.each(func(x *target) {
		if x.key.Provider == name {
			r.Targets = append(r.Targets, x.report(now))
		}
	})
	sort.Slice(r.Targets, func(i, j int) bool { return r.Targets[i].Model < r.Targets[j].Model })
	t.mu.RLock()
	p := t.providers[name]
	t.mu.RUnlock()
	if p == nil {
		return r
	}
	for _, c := range p.active() {
		disabled, at := c.state()
		r.Accounts = append(r.Accounts, AccountReport{Account: c.name, Disabled: disabled, RetryAt: moment(at)})
	}
	return r
}

func (x *target) report(now time.Time) TargetReport {
	v := x.view(now)
	r := TargetReport{
		Model: x.key.Model, State: v.State.String(), Healthy: v.Healthy, Until: moment(v.Until), Failures: v.Failures, InFlight: v.InFlight,
		LatencyMS: milliseconds(v.Latency), P95MS: milliseconds(v.P95), Accounts: []UseReport{},
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.accounts {
		use := UseReport{Account: a.name, InFlight: a.inFlight, Headroom: a.headroom(now)}
		if now.Before(a.coolUntil) {
			use.CoolUntil = moment(a.coolUntil)
		}
		for kind := range a.quotas {
			if q := &a.quotas[kind]; !q.Seen.IsZero() {
				if use.Quota == nil {
					use.Quota = make(map[string]QuotaReport)
				}
				use.Quota[Kind(kind).String()] = QuotaReport{Limit: q.Limit, Remaining: q.Remaining, Reset: moment(q.Reset), Seen: q.Seen.UTC()}
			}
		}
		r.Accounts = append(r.Accounts, use)
	}
	return r
}

func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Each calls do with every known target, in no order. Configured says whether
// it is one of [Tracker.Configure], open whether it is down.
func (t *Tracker) Each(do func(key Target, configured, open bool)) {
	t.each(func(x *target) {
		x.mu.Lock()
		open := x.open
		x.mu.Unlock()
		do(x.key, x.pinned.Load(), open)
	})
}

// Reset forgets what is held against a provider's targets and accounts, and
// what was learned of their quotas. How fast they are stays known.
func (t *Tracker) Reset(name string) {
	now := t.clock.Now()
	t.mu.RLock()
	p := t.providers[name]
	t.mu.RUnlock()
	if p != nil {
		for _, c := range p.list() {
			c.mu.Lock()
			c.enable(now, "reset")
			c.mu.Unlock()
		}
	}
	t.each(func(x *target) {
		if x.key.Provider == name {
			x.reset(now)
		}
	})
}
