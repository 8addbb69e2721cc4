package health

import (
	"net/http"
	"time"
)

// Kind is what a quota counts.
type Kind uint8

// The kinds of quotas.
const (
	Requests Kind = iota
	Tokens
	InputTokens
	OutputTokens
	Kinds = iota // their number
)

// String is the kind's name in reports.
func (k Kind) String() string {
	return [...]string{"requests", "tokens", "input_tokens", "output_tokens"}[k]
}

// Quota is what a provider has said of one kind. Seen is zero if it has said
// nothing.
type Quota struct {
	// Limit is 0 if it was not told.
	Limit, Remaining int64

	// Reset is when the quota is full again; zero if that was not told.
	Reset time.Time

	Seen time.Time
}

// A quota that names no reset is that of a minute, as all such are.
const defaultReset = time.Minute

// headroom is the share of the quota that is left, if it fills evenly.
func (q *Quota) headroom(now time.Time) float64 {
	if q.Seen.IsZero() {
		return 1
	}
	left := 1.0
	switch {
	case q.Limit > 0:
		left = float64(q.Remaining) / float64(q.Limit)
	case q.Remaining == 0:
		left = 0
	}
	whole := q.reset().Sub(q.Seen)
	passed := now.Sub(q.Seen)
	if passed >= whole {
		return 1
	}
	return left + (1-left)*float64(max(0, passed))/float64(whole)
}

func (q *Quota) reset() time.Time {
	if q.Reset.IsZero() {
		return q.Seen.Add(defaultReset)
	}
	return q.Reset
}

func (a *account) headroom(now time.Time) float64 {
	least := 1.0
	for i := range a.quotas {
		least = min(least, a.quotas[i].headroom(now))
	}
	return least
}

// exhausted is how long it takes until no quota is used up; 0: none is, or
// the provider does not say.
func (a *account) exhausted(now time.Time) (wait time.Duration) {
	for i := range a.quotas {
		if q := &a.quotas[i]; !q.Reset.IsZero() && q.Remaining == 0 {
			wait = max(wait, q.Reset.Sub(now))
		}
	}
	return wait
}

// names are the headers in which a vendor tells a quota, in canonical form.
type names struct {
	kind                    Kind
	limit, remaining, reset string
}

// quotaHeaders are those that are known. OpenAI's are Azure's, Groq's and
// xAI's too, but for the form of the reset; those without a kind are
// Together's and OpenRouter's; Mistral names the window instead of a reset.
var quotaHeaders = [...]names{
	{Requests, "X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
	{Tokens, "X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"},
	{Requests, "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
	{Requests, "X-Ratelimit-Limit-Req-Minute", "X-Ratelimit-Remaining-Req-Minute", ""},
	{Tokens, "X-Ratelimit-Limit-Tokens-Minute", "X-Ratelimit-Remaining-Tokens-Minute", ""},
	{Requests, "Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
	{Tokens, "Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"},
	{InputTokens, "Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset"},
	{OutputTokens, "Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset"},
}

// learn takes over what an answer's header says of quotas. What it does not
// speak of stays as it was.
func (a *account) learn(h http.Header, now time.Time) {
	for i := range quotaHeaders {
		n := &quotaHeaders[i]
		remaining, ok := count(value(h, n.remaining))
		if !ok {
			continue
		}
		q := Quota{Remaining: remaining, Seen: now}
		if limit, ok := count(value(h, n.limit)); ok && limit > 0 {
			q.Limit = limit
			q.Remaining = min(remaining, limit)
		}
		if n.reset != "" {
			// Azure says `0` whatever is left.
			if at := resetAt(value(h, n.reset), now); at.After(now) {
				q.Reset = at
			}
		}
		a.quotas[n.kind] = q
	}
}

// value is the first value of a header whose name is in canonical form.
func value(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// ResetAfter reads from an answer's header when the quotas that are used up are
// full again; 0: none is, or the provider does not say when.
func ResetAfter(h http.Header, now time.Time) time.Duration {
	var a account
	a.learn(h, now)
	return a.exhausted(now)
}
