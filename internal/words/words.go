// Package words reads the values that Weir's Caddyfile options take, with
// errors that say what was expected. Each function reads the arguments of the
// option that the dispenser stands on.
package words

import (
	"math"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/weirproxy/weir/internal/typo"
)

// Duration reads one duration, or `off`, which is negative.
func Duration(d *caddyfile.Dispenser, into *caddy.Duration) error {
	option, value, err := one(d)
	if err != nil {
		return err
	}
	if value == "off" {
		*into = -1
		return nil
	}
	duration, err := caddy.ParseDuration(value)
	if err != nil || duration <= 0 {
		return d.Errf("%s: '%s' is no duration; write for example 30s, or off", option, value)
	}
	*into = caddy.Duration(duration)
	return nil
}

// Count reads one whole number of at least 1.
func Count(d *caddyfile.Dispenser, into *int64) error {
	option, value, err := one(d)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 {
		return d.Errf("%s: '%s' is no whole number of at least 1", option, value)
	}
	*into = n
	return nil
}

// Few reads one whole number from 1 to most.
func Few(d *caddyfile.Dispenser, into *int, most int) error {
	option := d.Val()
	var n int64
	if err := Count(d, &n); err != nil {
		return err
	}
	if n > int64(most) {
		return d.Errf("%s: %d is more than %d", option, n, most)
	}
	*into = int(n)
	return nil
}

// Number reads one whole number, which may be 0.
func Number(d *caddyfile.Dispenser, into **int) error {
	option, value, err := one(d)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return d.Errf("%s: '%s' is no whole number", option, value)
	}
	*into = &n
	return nil
}

// Size reads one number of bytes, such as 10MB.
func Size(d *caddyfile.Dispenser, into *int64) error {
	option, value, err := one(d)
	if err != nil {
		return err
	}
	n, err := humanize.ParseBytes(value)
	if err != nil || n < 1 || n > 1<<62 {
		return d.Errf("%s: '%s' is no size; write for example 10MB", option, value)
	}
	*into = int64(n)
	return nil
}

// Range reads a lower and an upper bound.
func Range(d *caddyfile.Dispenser, low, high **float64) error {
	option := d.Val()
	var a, b string
	if !d.AllArgs(&a, &b) {
		return d.ArgErr()
	}
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil || !(x <= y) || math.IsInf(x, 0) || math.IsInf(y, 0) { // which JSON has no word for
		return d.Errf("%s: '%s %s' is no range; write for example 0 1", option, a, b)
	}
	*low, *high = &x, &y
	return nil
}

// Fraction reads a number from low to high.
func Fraction(d *caddyfile.Dispenser, into *float64, low, high float64) error {
	option, value, err := one(d)
	if err != nil {
		return err
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || !(low <= x && x <= high) {
		return d.Errf("%s: '%s' is no number from %v to %v", option, value, low, high)
	}
	*into = x
	return nil
}

// List reads one name or more.
func List(d *caddyfile.Dispenser, into *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	*into = append(*into, args...)
	return nil
}

// Switch reads nothing or `on`, which is true, or `off`.
func Switch(d *caddyfile.Dispenser, into *bool) error {
	option := d.Val()
	args := d.RemainingArgs()
	switch {
	case len(args) == 0, len(args) == 1 && args[0] == "on":
		*into = true
	case len(args) == 1 && args[0] == "off":
		*into = false
	default:
		return d.Errf("%s takes 'on' or 'off'", option)
	}
	return nil
}

// Choice reads one of the words in known.
func Choice(d *caddyfile.Dispenser, into *string, known ...string) error {
	option, value, err := one(d)
	if err != nil {
		return err
	}
	for _, k := range known {
		if value == k {
			*into = value
			return nil
		}
	}
	return d.Errf("%s: '%s' is none of %v%s", option, value, known, typo.Suggest(value, known...))
}

// Word reads one word of any kind.
func Word(d *caddyfile.Dispenser, into *string) error {
	_, value, err := one(d)
	if err != nil {
		return err
	}
	if value == "" {
		return d.ArgErr()
	}
	*into = value
	return nil
}

func one(d *caddyfile.Dispenser) (option, value string, err error) {
	option = d.Val()
	if !d.AllArgs(&value) {
		return option, "", d.ArgErr()
	}
	return option, value, nil
}
