package health

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter reads when an upstream wants to be asked again: Retry-After-Ms,
// or Retry-After in either form of RFC 9110, 10.2.3; 0 when there is no hint
// in the future. It is not bounded: callers bound it by what they can wait.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	// Azure sends `Retry-After-Ms: 0` besides `Retry-After: 1`.
	if ms, ok := decimal(strings.TrimSpace(value(h, "Retry-After-Ms"))); ok && ms > 0 {
		return duration(ms, time.Millisecond)
	}
	text := strings.TrimSpace(value(h, "Retry-After"))
	if s, ok := decimal(text); ok {
		return duration(s, time.Second)
	}
	if len(text) < len("Mon Jan _2 15:04:05 2006") { // the shortest form of a date
		return 0
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}

// maxReset bounds the time of a reset: the longest windows are months.
const maxReset = 32 * 24 * time.Hour

// resetAt reads when a quota is full again: a duration (OpenAI `6m0s`, Groq
// `17.399999999s`), seconds (Azure `0`), Unix time in seconds or milliseconds
// (OpenRouter), or RFC 3339 (Anthropic). The zero time stands for what makes
// no sense: garbage, long past, too far away.
func resetAt(text string, now time.Time) time.Time {
	text = strings.TrimSpace(text)
	if text == "" || text[0] < '0' || text[0] > '9' {
		return time.Time{}
	}
	var at time.Time
	if n, ok := decimal(text); ok {
		switch {
		case n >= 1e11:
			at = time.Unix(0, int64(duration(n, time.Millisecond)))
		case n >= 1e9:
			at = time.Unix(0, int64(duration(n, time.Second)))
		default:
			at = now.Add(duration(n, time.Second))
		}
	} else if last := text[len(text)-1]; last == 's' || last == 'm' || last == 'h' {
		d, err := time.ParseDuration(text)
		if err != nil {
			return time.Time{}
		}
		at = now.Add(d)
	} else if len(text) >= len("2006-01-02T15:04:05Z") {
		var err error
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return time.Time{}
		}
	}
	if at.Before(now.Add(-maxReset)) || at.After(now.Add(maxReset)) {
		return time.Time{}
	}
	return at
}

// decimal reads a number of digits with at most one point in it.
func decimal(text string) (float64, bool) {
	if len(text) == 0 || len(text) > 32 {
		return 0, false
	}
	point := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.' && !point && i > 0:
			point = true
		case c < '0' || c > '9':
			return 0, false
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// count reads a number of requests or tokens.
func count(text string) (int64, bool) {
	n, ok := decimal(strings.TrimSpace(text))
	if !ok || n > 1<<53 {
		return 0, false
	}
	return int64(n), true
}

// duration is n units, or the longest duration.
func duration(n float64, unit time.Duration) time.Duration {
	if n >= float64(math.MaxInt64/unit) {
		return math.MaxInt64
	}
	return time.Duration(n * float64(unit))
}
