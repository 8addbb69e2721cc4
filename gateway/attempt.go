package gateway

import (
	"slices"
	"time"

	"github.com/weirproxy/weir/gateway/prices"
	"github.com/weirproxy/weir/wire"
)

// Attempt is one call to one target, and what its upstream has told so far. An
// exchange makes several when upstreams fail before their answer was shown, and
// two at once when it hedges.
type Attempt struct {
	Target Target

	// Alias is the configured model whose target it is; empty where a client has
	// named the target itself.
	Alias string

	// Price is the target's, nil when none is known.
	Price *prices.Price

	exchange *Exchange

	// before is the attempt whose answer this one continues; repeated and
	// thoughts count what nobody is shown of its output.
	before             *Attempt
	repeated, thoughts OutputCounter

	// What follows is guarded by the exchange's mutex.
	seen     wire.Seen
	output   OutputCounter // of what is not in unread
	unread   *unread
	accepted bool
	bySize   bool // the prompt's tokens are estimated from its size, for now
	cut      string
	step     Step
}

// What has cut an answer; see Attempt.Cut.
const (
	CutByCap   = "max_output_tokens"
	CutByLimit = "limit"
)

// Step is what became of an attempt: one entry of a record's trail.
type Step struct {
	Provider string
	Model    string

	// Account is the name of the provider's credential that was used; empty
	// where it has only one.
	Account string

	// Skipped are targets that were passed over for this one, and why.
	Skipped []string

	// Status is the upstream's, 0 when there was no answer, and UpstreamID its
	// own name for the request.
	Status     int
	UpstreamID string

	// Reason is why the attempt was made: see the Reason constants.
	Reason string

	// Error and Phase say why it failed, in the words of records; empty when
	// its answer was shown to its end.
	Error, Phase string

	// Begun is when the attempt began, after the start of the exchange;
	// FirstToken and Total count from there.
	Begun, FirstToken, Total time.Duration
}

// Try begins an attempt at the exchange's target. What is sent is spent: from
// here on an upstream may have begun to work. The exchange is charged for its
// last attempt, or for the one that Choose names.
func (x *Exchange) Try(p *Pick) *Attempt {
	now := x.gateway.clock.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	a := &x.first
	if x.attempt != nil {
		a = new(Attempt)
	} else {
		x.tried = x.one[:0]
	}
	*a = Attempt{
		Target: x.Target, Alias: x.Alias, Price: x.Price, exchange: x, accepted: true, seen: wire.Seen{Sequence: -1},
		step: Step{Provider: x.Target.Provider, Model: x.Target.Model, Account: p.Name, Reason: p.Reason, Skipped: p.Skipped, Begun: now.Sub(x.Start)},
	}
	x.attempt = a
	x.Attempts++
	x.tried = append(x.tried, a)
	return a
}

// Trail is what has become of the attempts so far.
func (x *Exchange) Trail() []Step {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.trailLocked(nil)
}

// trailLocked appends the trail to room.
func (x *Exchange) trailLocked(room []Step) []Step {
	trail := slices.Grow(room, len(x.tried))
	for _, a := range x.tried {
		trail = append(trail, a.step)
	}
	return trail
}

// Choose makes a the attempt whose answer the client gets.
func (x *Exchange) Choose(a *Attempt) {
	x.mu.Lock()
	x.attempt, x.Target, x.Alias, x.Price = a, a.Target, a.Alias, a.Price
	x.mu.Unlock()
}

// Refused notes that the upstream did not take the call after all: it could
// not be reached, or it answered with an error, for which vendors charge
// nothing.
func (a *Attempt) Refused() {
	a.exchange.mu.Lock()
	a.accepted = false
	a.exchange.mu.Unlock()
}

// Note writes something into the attempt's entry of the trail.
func (a *Attempt) Note(note func(*Step)) {
	a.exchange.mu.Lock()
	note(&a.step)
	a.exchange.mu.Unlock()
}

// Step is what has become of the attempt so far.
func (a *Attempt) Step() Step {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	return a.step
}

// Ended notes what became of the attempt. Only the first call counts.
func (a *Attempt) Ended(note func(*Step)) {
	total := a.exchange.gateway.clock.Now().Sub(a.exchange.Start)
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	if a.step.Total == 0 {
		note(&a.step)
		a.step.Total = max(total-a.step.Begun, 1)
	}
}

// Observe runs read, which looks at a piece of the answer, while no one else
// may look at what the attempt has seen.
func (a *Attempt) Observe(read func(*wire.Seen) (wire.Class, error)) (wire.Class, error) {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	if a.seen.Text == nil {
		a.seen.Text = a.collect
	}
	return read(&a.seen)
}

// Seen returns a copy of what the answer has told so far.
func (a *Attempt) Seen() wire.Seen {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	return a.seen
}

// Used is what the answer that has come to its end has used: counted where its
// upstream has not said.
func (a *Attempt) Used() wire.Usage {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	usage, _ := a.usageLocked(true)
	return usage
}

// Output is how many tokens of generated text have arrived, by the gateway's
// count, and whether that is the vendor's own.
func (a *Attempt) Output() (n int64, exact bool) {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	output := a.countedLocked()
	if output == nil {
		return 0, true
	}
	return int64(output.Count()), output.Exact()
}

// Cut notes that the gateway ends the answer, and why. What has been seen is
// then what the client is told: the reason to finish, and the usage so far.
func (a *Attempt) Cut(by string) {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	usage := a.receivedLocked()
	a.cut = by
	a.seen.Usage, a.seen.Reported, a.seen.Finish = usage, true, "length"
}

// WasCut reports whether the gateway ended the answer.
func (a *Attempt) WasCut() bool {
	a.exchange.mu.Lock()
	defer a.exchange.mu.Unlock()
	return a.cut != ""
}

// usageLocked decides what the attempt itself has used. The provider's last
// report wins; without one, the prompt is counted if an upstream took it, and
// of the answer what was received, whether or not it reached the client.
func (a *Attempt) usageLocked(complete bool) (wire.Usage, string) {
	switch {
	case a.exchange.Operation.Free:
		return wire.Usage{}, SourceNone // what it reports is the answer, not what it costs
	case a.cut != "":
		return a.seen.Usage, SourceEstimated
	case a.seen.Reported && (complete || finished(a.seen.Finish) || a.output == nil && a.unread == nil):
		return a.seen.Usage, SourceProvider
	case a.seen.Reported:
		// A report from before the cut (Anthropic's message_start names the
		// prompt's tokens and one or two of the answer's) may be behind what
		// has arrived since.
		usage := a.seen.Usage
		if n := int64(a.countedLocked().Count()); n > usage.Output {
			usage.Output = n
			return usage, SourceEstimated
		}
		return usage, SourceProvider
	case !a.accepted:
		return wire.Usage{}, SourceNone
	}
	return a.receivedLocked(), SourceEstimated
}

// bytesPerToken is what English has, and JSON that is around little of it.
const bytesPerToken = 4

// promptLocked counts the prompt, or estimates it from its size where that is
// enough and possible: a picture's bytes say nothing of its tokens.
func (a *Attempt) promptLocked() int64 {
	x := a.exchange
	if body := x.Envelope.Body(); a.bySize && !wire.MayAttach(body) {
		return int64((len(body) + bytesPerToken - 1) / bytesPerToken)
	}
	return int64(x.gateway.tokens.Prompt(x.counted(a.Target), x.Operation, &x.Envelope))
}

// receivedLocked is what an answer that goes no further has used: what the
// provider has reported so far, or what has arrived if that is more.
func (a *Attempt) receivedLocked() wire.Usage {
	usage := a.seen.Usage
	if !a.seen.Reported {
		usage = wire.Usage{Input: a.promptLocked()}
	}
	if output := a.countedLocked(); output != nil {
		usage.Output = max(usage.Output, int64(output.Count()))
	}
	return usage
}
