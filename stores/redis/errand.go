package redis

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/weirproxy/weir/gateway/limits"
)

// errand is one run of a script.
type errand struct {
	script *script

	// text has the keys, of which there are so many, and the arguments, one after
	// the other; ends is where they end.
	text []byte
	ends []int
	keys int

	// words are the parts of text, which the client keeps for as long as it
	// likes: they are never written to again.
	words []string

	reply reply
	err   error
	done  chan struct{}

	// away says that nobody waited for its end: it is the convoy's now.
	away bool
}

// errands keeps errands, with their memory.
var errands = sync.Pool{New: func() any { return &errand{done: make(chan struct{}, 1)} }}

// errand begins a run of a script. Keys come first; arguments follow.
func (s *Store) errand(script *script, keys ...string) *errand {
	e := errands.Get().(*errand)
	*e = errand{script: script, text: e.text[:0], ends: e.ends[:0], words: e.words[:0], done: e.done, reply: reply{claims: e.reply.claims[:0]}}
	for _, key := range keys {
		e.key(s.tag, key)
	}
	return e
}

// status is what the script says of its run, statusNone when nobody has waited for
// that: the convoy may be writing it then.
func (e *errand) status() int64 {
	if e.away {
		return statusNone
	}
	return e.reply.status
}

// forget is for an errand whose answer has been read.
func (e *errand) forget() {
	if !e.away {
		clear(e.words)
		errands.Put(e)
	}
}

func (e *errand) end() { e.ends = append(e.ends, len(e.text)) }

// key adds one that consists of parts.
func (e *errand) key(parts ...string) {
	for _, part := range parts {
		e.text = append(e.text, part...)
	}
	e.end()
	e.keys++
}

func (e *errand) word(text string) {
	e.text = append(e.text, text...)
	e.end()
}

func (e *errand) number(n int64) {
	e.text = strconv.AppendInt(e.text, n, 10)
	e.end()
}

// and adds to the argument that has not ended.
func (e *errand) and(numbers ...int64) {
	for _, n := range numbers {
		e.text = strconv.AppendInt(append(e.text, ' '), n, 10)
	}
}

// claim adds what prelude.lua wants to know of one. wall is the server's time as
// far as known.
func (e *errand) claim(claim *limits.Claim, hold limits.Hold, amount int64, wall time.Time) {
	switch rule := claim.Rule; {
	case rule.Unit == limits.Concurrency:
		// A lease is one place in the set.
		amount = 1
		e.text = append(e.text, "l 0 0 0 0"...)
	case rule.Calendar != limits.Sliding:
		start, end := rule.Period(wall)
		before, _ := rule.Period(start.Add(-time.Microsecond))
		_, after := rule.Period(end)
		e.text = append(e.text, 'c')
		e.and(before.UnixMicro(), start.UnixMicro(), end.UnixMicro(), after.UnixMicro())
	default:
		e.text = append(e.text, 's')
		e.and(rule.Slot(), 0, 0, 0)
	}
	shadow := int64(0)
	if claim.Rule.Shadow {
		shadow = 1
	}
	e.and(amount, min(max(claim.Rule.Amount, 0), limits.MaxAmount), shadow, hold.Known, hold.Generation)
	e.end()
}

// command is the errand as the server is told of it: the script by its name or,
// whole, as it is.
func (e *errand) command(client rueidis.Client, whole bool) rueidis.Completed {
	if len(e.words) == 0 {
		text, from := string(e.text), 0
		e.words = slices.Grow(e.words, len(e.ends))
		for _, end := range e.ends {
			e.words, from = append(e.words, text[from:end]), end
		}
	}
	keys, args := e.words[:e.keys], e.words[e.keys:]
	if whole {
		return client.B().Eval().Script(e.script.source).Numkeys(int64(e.keys)).Key(keys...).Arg(args...).Build()
	}
	return client.B().Evalsha().Sha1(e.script.name).Numkeys(int64(e.keys)).Key(keys...).Arg(args...).Build()
}
