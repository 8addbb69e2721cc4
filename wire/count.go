package wire

import "github.com/weirproxy/weir/internal/jsonscan"

// MaxCount bounds what is believed of a count, so that sums do not overflow.
const MaxCount = 1 << 40

// Absurd stands for a number that no count can be: one below 0, or above [MaxCount].
const Absurd = -1

// Count reads a count of an upstream's report: [Absurd] where it can be none. ok is
// false for what is no number.
func Count(data []byte, v jsonscan.Value) (n int64, ok bool) {
	if v.Kind != jsonscan.Number {
		return 0, false
	}
	if n, ok = v.Int(data); !ok || n < 0 || n > MaxCount {
		return Absurd, true
	}
	return n, true
}

// Detail reads a count that is a part of another one: 0 where it can be none, which
// says no more than that the vendor does not tell it apart.
func Detail(data []byte, v jsonscan.Value) int64 {
	n, _ := Count(data, v)
	return max(n, 0)
}

// Total adds up the counts that a total is made of. It is [Absurd] if one of them is.
func Total(parts ...int64) (sum int64) {
	for _, n := range parts {
		if n < 0 {
			return Absurd
		}
		sum += n
	}
	return sum
}

// Take notes a report. One with a total that is [Absurd] says nothing, and neither
// does what came before it: what was used is to be counted then.
func (s *Seen) Take(u Usage, d Details) {
	if u.absurd() {
		s.Usage, s.Reported = Usage{}, false
		return
	}
	s.Usage, s.Reported, s.Details = u, true, d
}

// Checked is r as far as it can be believed: one with an absurd total is no report.
func (r Report) Checked() Report {
	if r.absurd() {
		return Report{Details: Details{ServiceTier: r.ServiceTier}}
	}
	return r
}

func (u Usage) absurd() bool { return u.Input < 0 || u.Output < 0 }
