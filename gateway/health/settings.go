package health

import "time"

// Settings say when a target counts as down. They are the model's by whose
// name a call is made: two names for one target may differ, and each call is
// judged by its own. The zero value stands for the defaults.
type Settings struct {
	// MaxFails is how many failures in a row, none of them longer ago than
	// FailDuration, evict the target. Default 3; negative: nothing does.
	MaxFails int

	// FailDuration is how long a failure is held against the target, and the
	// window of the error ratio, which is a minute at most. Default 30 s.
	FailDuration time.Duration

	// UnhealthyLatency is the time to the first token beyond which a call
	// counts as failed. Default 0: none.
	UnhealthyLatency time.Duration
}

const (
	defaultMaxFails     = 3
	defaultFailDuration = 30 * time.Second

	// Half of so many calls failing evicts a target whose failures are never
	// many in a row.
	ratioCalls = 20
	ratioTimes = 2

	// maxHint bounds what is believed of a provider's own word on when to come
	// back; a slip of theirs must not take a target away for a day.
	maxHint = 5 * time.Minute

	// authRetry is how often a refused credential is tried again, so that a
	// slip of the vendor's does not disable it for ever.
	authRetry = 5 * time.Minute

	// probeLease frees the place of a probe that never reported back.
	probeLease = 2 * time.Minute
)

func (s Settings) orDefaults() Settings {
	if s.MaxFails == 0 {
		s.MaxFails = defaultMaxFails
	}
	if s.FailDuration <= 0 {
		s.FailDuration = defaultFailDuration
	}
	return s
}

// Without a word from the provider, a target is probed after these times. The
// last is small: recovery has to be noticed within ten seconds.
var evictions = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second}

// cooldowns are the same for an account that is rate limited.
var cooldowns = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second}

// backoff is the nth of steps, 20 % more or less, so that the instances of a
// fleet do not come back all at once.
func backoff(steps []time.Duration, n int, random float64) time.Duration {
	d := steps[min(n, len(steps)-1)]
	return time.Duration(float64(d) * (0.8 + 0.4*random))
}

// hinted is a provider's hint as far as it is believed; 0 for none.
func hinted(d time.Duration) time.Duration { return max(0, min(d, maxHint)) }
