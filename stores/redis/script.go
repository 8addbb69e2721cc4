package redis

import (
	"crypto/sha1" //nolint:gosec // what servers name scripts by
	_ "embed"
	"encoding/hex"
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
	opForce   = "force"
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

	statusNone = -3 // there is no answer
)

// recordTTL is how long a reservation that is neither renewed nor settled can
// still be settled, in milliseconds: a day, since requests without a total timeout
// may take hours, and a server may be away meanwhile.
const recordTTL = 86_400_000

// keep is the amount of a settlement that keeps what was reserved.
const keep = -1

// script is one that the server knows by its name once it has run. values is how
// many its answer has per claim.
type script struct {
	source, name string
	values       int
}

func newScript(source string, values int) *script {
	name := sha1.Sum([]byte(source)) //nolint:gosec // as the server makes it
	return &script{source, hex.EncodeToString(name[:]), values}
}

// request is a run of limits.lua for claims. amounts are parallel to them; nil
// for the amounts of the claims. wall is the server's time as far as known.
func (s *Store) request(op, id string, claims []limits.Claim, holds []limits.Hold, amounts []int64, wall time.Time) *errand {
	e := s.errand(s.decisions, "generation")
	e.key(s.tag, "held:", id)
	for i := range claims {
		e.key(s.tag, claims[i].Key)
	}
	e.word(op)
	e.number(s.fixed())
	e.number(limits.LeaseTime)
	e.number(recordTTL)
	e.word(id)
	for i := range claims {
		var hold limits.Hold
		if i < len(holds) {
			hold = holds[i]
		}
		amount := claims[i].Amount
		if amounts != nil {
			amount = amounts[i]
		}
		e.claim(&claims[i], hold, amount, wall)
	}
	return e
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
func (p *reply) decode(result rueidis.RedisResult, values int) error {
	all, err := result.ToArray()
	if err != nil {
		return err
	}
	if len(all) < 3 || (len(all)-3)%values != 0 {
		return errReply
	}
	for i := range all {
		n, err := all[i].ToInt64()
		switch {
		case err != nil:
			return errReply
		case i == 0:
			p.status = n
		case i == 1:
			p.now = n
		case i == 2:
			p.generation = n
		default:
			p.claims = append(p.claims, n)
		}
	}
	return nil
}

// perClaim is how many values limits.lua answers per claim, perLoan those of
// lend.lua.
const (
	perClaim = 4
	perLoan  = 5
)

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
