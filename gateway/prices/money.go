package prices

import (
	"bytes"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

const (
	million  = 1_000_000
	nano     = 1_000_000_000 // nano-dollars in a dollar
	maxPrice = 1_000         // USD per million tokens, or per unit of the rest; above it stands a slip
)

// mulDiv is a × b ÷ by, rounded up and saturating. Negative factors count as
// 0: nothing that a vendor reports makes money.
func mulDiv(a, b int64, by uint64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high >= by {
		return maxMoney
	}
	quotient, rest := bits.Div64(high, low, by)
	if rest > 0 {
		quotient++
	}
	if quotient > maxMoney {
		return maxMoney
	}
	return int64(quotient)
}

// add is the saturating sum of amounts that are not negative.
func add(amounts ...int64) (sum int64) {
	for _, a := range amounts {
		if a > maxMoney-sum {
			return maxMoney
		}
		sum += a
	}
	return sum
}

// mul is the saturating product.
func mul(a, b int64) int64 { return mulDiv(a, b, 1) }

// parseRate reads USD per million tokens, or per unit for other items. Only
// digits and one point are taken: no sign, no exponent, no NaN.
func parseRate(item Item, word string) (int64, error) {
	places := 9 // of a dollar per million: nano-dollars
	if !item.tokens() {
		places += 6 // of a dollar for one
	}
	whole, fraction, point := strings.Cut(word, ".")
	bad := whole == "" || (point && fraction == "")
	for _, c := range whole + fraction {
		bad = bad || c < '0' || c > '9'
	}
	if bad {
		return 0, fmt.Errorf("%s: '%.40s' is no price; write USD such as 2.50", item, word)
	}
	if len(fraction) > places {
		return 0, fmt.Errorf("%s: '%.40s' has more than %d digits after the point", item, word, places)
	}
	rate, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
	if err != nil || rate > maxPrice*pow10(places) {
		return 0, fmt.Errorf("%s: '%.40s' is more than %d USD", item, word, maxPrice)
	}
	return rate, nil
}

// formatRate writes what parseRate reads.
func formatRate(item Item, rate int64) string {
	places := 9
	if !item.tokens() {
		places += 6
	}
	return decimal(rate, places)
}

func decimal(n int64, places int) string {
	return string(appendDecimal(nil, n, places))
}

func appendDecimal(b []byte, n int64, places int) []byte {
	unit := pow10(places)
	b = strconv.AppendInt(b, n/unit, 10)
	rest := n % unit
	if rest == 0 {
		return b
	}
	at := len(b)
	b = strconv.AppendInt(b, unit+rest, 10) // the unit keeps the zeros before rest
	b[at] = '.'
	return bytes.TrimRight(b, "0")
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// FormatUSD writes nano-dollars as USD, such as "0.0125", without rounding.
func FormatUSD(nanoDollars int64) string { return string(AppendUSD(nil, nanoDollars)) }

// AppendUSD appends what FormatUSD returns.
func AppendUSD(b []byte, nanoDollars int64) []byte {
	if nanoDollars < 0 {
		return appendDecimal(append(b, '-'), -max(nanoDollars, -maxMoney), 9)
	}
	return appendDecimal(b, nanoDollars, 9)
}
