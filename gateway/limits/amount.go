package limits

import (
	"bytes"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Multiply is price × count in nano-dollars, saturating at MaxAmount; a
// negative factor counts as 0.
func Multiply(price, count int64) int64 {
	high, low := bits.Mul64(uint64(max(price, 0)), uint64(max(count, 0)))
	if high != 0 || low > MaxAmount {
		return MaxAmount
	}
	return int64(low)
}

// Add is the sum of amounts, saturating at MaxAmount; negative ones count
// as 0.
func Add(amounts ...int64) int64 {
	var sum int64
	for _, a := range amounts {
		sum = min(sum+clamp(a), MaxAmount)
	}
	return sum
}

// ParseUSD reads dollars such as `25`, `0.50` or `1.5k` as nano-dollars.
func ParseUSD(text string) (int64, error) { return parseDecimal(text, Dollar) }

// FormatUSD writes nano-dollars as dollars, without needless digits.
func FormatUSD(nano int64) string { return string(AppendUSD(nil, nano)) }

// AppendUSD appends what FormatUSD returns.
func AppendUSD(dst []byte, nano int64) []byte {
	if nano < 0 {
		dst, nano = append(dst, '-'), -nano
	}
	dst = strconv.AppendInt(dst, nano/Dollar, 10)
	rest := nano % Dollar
	if rest == 0 {
		return dst
	}
	at := len(dst)
	dst = strconv.AppendInt(dst, Dollar+rest, 10) // nine digits behind a 1
	dst[at] = '.'
	return bytes.TrimRight(dst, "0")
}

// parseDecimal reads a decimal number with an optional `k` or `M`, times
// scale, exactly. It refuses what is not whole then, or over MaxAmount.
func parseDecimal(text string, scale int64) (int64, error) {
	number := text
	switch {
	case strings.HasSuffix(number, "k"):
		number, scale = number[:len(number)-1], scale*1_000
	case strings.HasSuffix(number, "M"):
		number, scale = number[:len(number)-1], scale*1_000_000
	}
	whole, fraction, dotted := strings.Cut(number, ".")
	if !digits(whole) || dotted && !digits(fraction) {
		return 0, fmt.Errorf("'%s' is no number; write for example 60, 200k or 1.5M", text)
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > MaxAmount/scale {
		return 0, fmt.Errorf("%s is more than the largest limit, %d", text, MaxAmount/scale)
	}
	n *= scale
	for _, digit := range strings.TrimRight(fraction, "0") {
		if scale%10 != 0 {
			return 0, fmt.Errorf("%s has more decimals than can be counted", text)
		}
		scale /= 10
		n += int64(digit-'0') * scale
	}
	if n > MaxAmount {
		return 0, fmt.Errorf("%s is more than the largest limit", text)
	}
	return n, nil
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// unitsOf are the units that durations are written in, longest name first
// where one begins like another.
var unitsOf = []struct {
	name string
	unit time.Duration
}{
	{"ms", time.Millisecond},
	{"s", time.Second},
	{"m", time.Minute},
	{"h", time.Hour},
	{"d", 24 * time.Hour},
	{"w", 7 * 24 * time.Hour},
}

// maxWindow is ten years: longer windows are mistakes.
const maxWindow = 3660 * 24 * time.Hour

// parseDuration reads whole numbers with units, such as `90s`, `1h30m`,
// `30d` or `2w`.
func parseDuration(text string) (time.Duration, bool) {
	var sum time.Duration
	rest := text
	for rest != "" {
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		n, err := strconv.ParseInt(rest[:end], 10, 64)
		if err != nil {
			return 0, false
		}
		rest = rest[end:]
		unit := time.Duration(0)
		for _, u := range unitsOf {
			if strings.HasPrefix(rest, u.name) {
				unit, rest = u.unit, rest[len(u.name):]
				break
			}
		}
		if unit == 0 || n > int64(maxWindow/unit) {
			return 0, false
		}
		if sum += time.Duration(n) * unit; sum > maxWindow {
			return 0, false
		}
	}
	return sum, sum > 0
}

// formatDuration writes d as parseDuration reads it, in the largest unit
// that leaves no rest where there is one.
func formatDuration(d time.Duration) string { return string(appendDuration(nil, d)) }

func appendDuration(dst []byte, d time.Duration) []byte {
	for i := len(unitsOf) - 1; i >= 0; i-- {
		unit := &unitsOf[i]
		if n := d / unit.unit; n > 0 {
			dst = append(strconv.AppendInt(dst, int64(n), 10), unit.name...)
			d %= unit.unit
		}
	}
	return dst
}
