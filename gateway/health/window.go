package health

import "time"

// window counts the calls of the last minute, second by second.
type window [windowSeconds]struct {
	second        uint32 // of Unix time
	calls, failed uint16
}

const windowSeconds = 60

func (w *window) add(now time.Time, failed bool) {
	second := uint32(now.Unix()) //nolint:gosec // until 2106
	b := &w[second%windowSeconds]
	if b.second != second {
		b.second, b.calls, b.failed = second, 0, 0
	}
	if b.calls == 1<<16-1 {
		return // the ratio of so many is known well enough
	}
	b.calls++
	if failed {
		b.failed++
	}
}

// sum returns the calls of the last d, to the second.
func (w *window) sum(now time.Time, d time.Duration) (calls, failed int) {
	second := uint32(now.Unix()) //nolint:gosec // until 2106
	seconds := uint32(min(windowSeconds, (d+time.Second-1)/time.Second))
	for i := range w {
		if b := &w[i]; second-b.second < seconds {
			calls += int(b.calls)
			failed += int(b.failed)
		}
	}
	return calls, failed
}
