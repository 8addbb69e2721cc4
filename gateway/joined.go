package gateway

import (
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
)

// Continues makes the attempt the rest of the answer of before, which broke off
// when the client had seen a part of it. The caller is charged for one answer:
// the prompt once, and all output that it was shown; each at the price of the
// target that it came from. What the rest has used besides, the prompt that it
// was asked with, thoughts of its own and text that the client had seen
// already, is overhead.
func (a *Attempt) Continues(before *Attempt) {
	a.exchange.mu.Lock()
	a.before = before
	a.exchange.mu.Unlock()
}

// Repeated notes text that the client is not shown since it has seen it.
func (a *Attempt) Repeated(text []byte) { a.unshown(&a.repeated, text) }

// Thought notes thoughts that the client is not shown.
func (a *Attempt) Thought(text []byte) { a.unshown(&a.thoughts, text) }

func (a *Attempt) unshown(counter *OutputCounter, text []byte) {
	if len(text) == 0 {
		return
	}
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	if *counter == nil {
		*counter = a.exchange.gateway.tokens.Output(a.exchange.counted(a.Target))
	}
	(*counter).Add(text)
}

// Answer is a copy of what the client's answer has told so far: as Seen, with
// the usage of all attempts that it came from.
func (a *Attempt) Answer() wire.Seen {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	seen := a.seen
	if a.before != nil {
		seen.Usage, _ = a.chargedLocked(true)
		seen.Reported = true
	}
	return seen
}

// Shown is how many tokens of output the client has seen by the gateway's
// count, from this attempt and from those before it.
func (a *Attempt) Shown() int64 {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	usage, _ := a.chargedLocked(false)
	return usage.Output
}

// chargedLocked is what the client's answer has used, of which this attempt
// brings the last part, and who says so.
func (a *Attempt) chargedLocked(complete bool) (wire.Usage, string) {
	own, source := a.usageLocked(complete)
	if a.before == nil {
		return own, source
	}
	usage, before := a.before.chargedLocked(false)
	usage.Output = limits.Add(usage.Output, a.shareLocked(own))
	if source != SourceProvider {
		before = SourceEstimated
	}
	return usage, before
}

// shareLocked is the output that the attempt has added to the client's answer.
func (a *Attempt) shareLocked(own wire.Usage) int64 {
	thoughts := own.Reasoning
	if a.thoughts != nil { // not all vendors tell them apart
		thoughts = max(thoughts, int64(a.thoughts.Count()))
	}
	n := own.Output - thoughts
	if a.repeated != nil {
		n -= int64(a.repeated.Count())
	}
	return max(n, 0)
}

// chargesLocked are the parts of usage, what the exchange is charged, by the
// prices at which they were made; whole is the attempt whose prompt and call are
// charged, too.
func (a *Attempt) chargesLocked(usage wire.Usage, do func(price *prices.Price, part wire.Usage, whole *Attempt)) {
	for ; a.before != nil; a = a.before {
		own, _ := a.usageLocked(false)
		share := min(a.shareLocked(own), usage.Output)
		usage.Output -= share
		do(a.Price, wire.Usage{Output: share}, nil)
	}
	do(a.Price, usage, a)
}

// Continued is how many attempts the client's answer has come from, but for
// the first.
func (a *Attempt) Continued() int {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	return a.continued()
}

func (a *Attempt) continued() (n int) {
	for ; a != nil && a.before != nil; a = a.before {
		n++
	}
	return n
}

// wastedLocked is what the attempt has used that the caller is not charged for,
// if the exchange is charged for last.
func (a *Attempt) wastedLocked(last *Attempt) wire.Usage {
	for at := last; at != nil; at = at.before {
		switch {
		case at != a:
		case a.before == nil:
			return wire.Usage{}
		default:
			own, _ := a.usageLocked(false)
			own.Output -= a.shareLocked(own)
			return own
		}
	}
	own, _ := a.usageLocked(false)
	return own
}
