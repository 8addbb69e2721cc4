package redis

import (
	_ "embed"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/gateway/limits"
)

// Both scripts begin with the prelude.
var (
	//go:embed prelude.lua
	prelude string
	//go:embed limits.lua
	source string
)

// The script's operations.
const (
	opReserve = "reserve"
	opPeek    = "peek"
	opSettle  = "settle"
	opAmend   = "amend"
	opCancel  = "cancel"
	opRenew   = "renew"
	opCharge  = "charge"
	opRestore = "restore"
	opBeat    = "beat"
)

// The script's answers; see limits.lua.
const (
	statusDone    = 1
	statusSkewed  = -1
	statusUnknown = -2
)

// recordTTL is how long a reservation that is neither renewed nor settled can
// still be settled.
const recordTTL = "3600000"

// keep is the amount of a settlement that keeps what was reserved.
const keep = -1

// call is one run of the script.
type call struct {
	keys []string
	args []string
}

// encode writes a run of the script for claims. amounts are parallel to them;
// nil for the amounts of the claims. wall is the server's time as far as known.
func (s *Store) encode(op, id string, claims []limits.Claim, holds []limits.Hold, amounts []int64, wall time.Time) call {
	c := call{
		keys: make([]string, 0, 2+len(claims)),
		args: make([]string, 0, 5+10*len(claims)),
	}
	c.keys = append(c.keys, s.tag+"generation", s.tag+"held:"+id)
	c.args = append(c.args, op, number(s.fixed()), number(limits.LeaseTime), recordTTL, id)
	for i := range claims {
		claim := &claims[i]
		c.keys = append(c.keys, s.tag+claim.Key)
		amount := claim.Amount
		if amounts != nil {
			amount = amounts[i]
		}
		switch rule := claim.Rule; {
		case rule.Unit == limits.Concurrency:
			// A lease is one place in the set.
			amount = 1
			c.args = append(c.args, "l", "0", "0", "0", "0")
		case rule.Calendar != limits.Sliding:
			start, end := rule.Period(wall)
			before, _ := rule.Period(start.Add(-time.Microsecond))
			_, after := rule.Period(end)
			c.args = append(c.args, "c", number(before.UnixMicro()), number(start.UnixMicro()), number(end.UnixMicro()), number(after.UnixMicro()))
		default:
			c.args = append(c.args, "s", number(rule.Slot()), "0", "0", "0")
		}
		shadow, known, generation := "0", "0", "0"
		if claim.Rule.Shadow {
			shadow = "1"
		}
		if i < len(holds) {
			known, generation = number(holds[i].Known), number(holds[i].Generation)
		}
		limit := min(max(claim.Rule.Amount, 0), limits.MaxAmount)
		c.args = append(c.args, number(amount), number(limit), shadow, known, generation)
	}
	return c
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// reply is what the script answers.
type reply struct {
	status     int64
	now        int64
	generation int64
	claims     []int64
}

var errReply = errors.New("the script's answer has another shape")

// decode reads an answer that has so many values per claim.
func decode(result rueidis.RedisResult, values int) (reply, error) {
	all, err := result.AsIntSlice()
	if err != nil {
		return reply{}, err
	}
	if len(all) < 3 || (len(all)-3)%values != 0 {
		return reply{}, errReply
	}
	return reply{status: all[0], now: all[1], generation: all[2], claims: all[3:]}, nil
}

// perClaim is how many values limits.lua answers per claim.
const perClaim = 4

// into notes the decisions in r.
func (p *reply) into(r *limits.Reservation) error {
	if len(p.claims) != perClaim*len(r.Claims) {
		return errReply
	}
	for i := range r.Claims {
		at := p.claims[perClaim*i:]
		r.Decide(i, at[0], time.Duration(at[1])*time.Microsecond, waiting(at[2]))
		r.Decisions[i].Generation = p.generation
		r.Holds[i].Slot = at[3]
	}
	return nil
}

// waiting is the script's word for how long until there is room.
func waiting(micros int64) time.Duration {
	if micros < 0 {
		return limits.Never
	}
	return time.Duration(micros) * time.Microsecond
}
