package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/weirproxy/weir/wire"
)

// Options are those of a Cache.
type Options struct {
	// Memory and Marks are the process's. They must be there.
	Memory *Memory
	Marks  *Marks

	// Remote is the fleet's; nil for none.
	Remote Remote

	// Secret is the fleet's: with it, only who has it can put answers into the
	// Remote. Without, whoever can write there can.
	Secret []byte

	// MaxEntry is the size in bytes of the largest answer that is kept; 0 for
	// DefaultMaxEntry.
	MaxEntry int64

	// Now is the clock; nil for the system's.
	Now func() time.Time
}

// DefaultMaxEntry is the size of the largest answer that is kept unless told.
const DefaultMaxEntry = 1 << 20

// Cache keeps answers in the process and, with a Remote, in the fleet. Several
// can have the same Memory; what one keeps another finds.
type Cache struct {
	Options
	codec *codec
}

// New returns a cache. It has nothing to close: what it uses is its owner's.
func New(options Options) (*Cache, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.MaxEntry <= 0 {
		options.MaxEntry = DefaultMaxEntry
	}
	c := &Cache{Options: options}
	if options.Remote != nil {
		var err error
		if c.codec, err = newCodec(options.Secret, options.MaxEntry); err != nil {
			return nil, fmt.Errorf("sealing answers: %w", err)
		}
	}
	return c, nil
}

// Hit is an answer that was found, alive: no purge since it was asked for. Its texts
// are parts of what memory keeps, which they hold as long as they are used; it comes
// without its Tags. Whether it is fresh is for the Terms of whoever asks.
type Hit struct {
	Answer
	Key Key
	// Age is how long ago the answer was complete.
	Age time.Duration

	kept piece
}

// Stamp is what a request notes before it is looked up, and Put needs.
func (c *Cache) Stamp() Stamp { return c.Marks.Stamp() }

// Get finds the answer of key in the process.
func (c *Cache) Get(key Key, scope string) (Hit, bool) {
	short := key.short()
	counts := c.Memory.shard(short)
	p := c.Memory.get(short)
	if p == nil || !p.is(&key, scope) || p.spells() {
		counts.misses.Add(1)
		return Hit{}, false
	}
	now := c.Memory.at(c.Now())
	if now >= p.int(atUntil) || !p.alive(c.Marks) {
		c.Memory.remove(short, p)
		counts.misses.Add(1)
		return Hit{}, false
	}
	counts.hits.Add(1)
	return p.hit(key, now), true
}

// hit is p, found at a time of [Memory.at].
func (p piece) hit(key Key, now int64) Hit {
	return Hit{Answer: p.answer(), Key: key, Age: time.Duration(max(now-p.int(atMade), 0)), kept: p}
}

// Fetch finds the answer of key in the fleet, and keeps it in the process. What
// fails or takes too long is a miss.
func (c *Cache) Fetch(ctx context.Context, key Key, scope string) (Hit, bool) {
	if c.Remote == nil {
		return Hit{}, false
	}
	b, err := c.Remote.Get(ctx, key, c.codec.longest())
	if err != nil || b == nil {
		return Hit{}, false
	}
	found, err := c.codec.open(b, key, scope)
	now, since := c.Now(), c.Stamp()
	if err != nil || !now.Before(found.until) || !c.Marks.covers(found.answer.Tags, found.marks) || found.answer.size() > c.MaxEntry {
		return Hit{}, false
	}
	p, _ := c.keep(key, scope, found.answer, since, found.until.Sub(now), now)
	return p.hit(key, c.Memory.at(now)), true
}

// size is what counts against MaxEntry.
func (a *Answer) size() int64 { return int64(len(a.Form.Body)) + int64(len(a.Canonical)) }

// keep puts an answer into memory for a time, and reports whether there was room. The
// piece is nil for one that cannot be kept.
func (c *Cache) keep(key Key, scope string, answer *Answer, since Stamp, life time.Duration, now time.Time) (p piece, kept bool) {
	p, ok := pieceOf(scope, answer)
	if !ok {
		return nil, false
	}
	p.setKey(key)
	p[atID], p[atSince], p[atSeen] = c.Memory.ids.Add(1), uint64(since), uint64(since)
	// What comes from elsewhere has a date only; from now on it ages by our clock.
	at := c.Memory.at(now)
	p[atMade], p[atWall] = uint64(at+int64(answer.Made.Sub(now))), uint64(answer.Made.UnixNano()) //nolint:gosec // as bits
	p[atUntil] = uint64(at + int64(life))                                                         //nolint:gosec // as bits
	return p, c.Memory.put(key.short(), p, life)
}

// Put keeps a copy of a complete answer for as long as the terms want it. since is
// the Stamp from before the look-up: when one of the answer's tags was purged
// meanwhile, the answer is too large, or there is no room for what is not asked for
// more often, it is not kept, and Put says false.
func (c *Cache) Put(key Key, scope string, answer *Answer, since Stamp, terms Terms) bool {
	now := c.Now()
	life := answer.Made.Add(terms.Keep()).Sub(now)
	if answer.size() > c.MaxEntry || life <= 0 {
		return false
	}
	var marks []uint64
	if c.Remote == nil {
		if !c.Marks.Alive(answer.Tags, since) {
			return false
		}
	} else if marks = c.Marks.values(answer.Tags, since); marks == nil {
		return false
	}
	p, kept := c.keep(key, scope, answer, since, life, now)
	if p != nil && c.Remote != nil {
		kept = c.Remote.Put(key, life, int(p.weight()), func() []byte { return c.codec.seal(p.sealed(marks)) }) || kept
	}
	return kept
}

// Form finds an answer's spelling for an operation: its own, or one that Extend
// was given.
func (c *Cache) Form(hit *Hit, op *wire.Operation, stream, usage bool) (Form, bool) {
	if own := &hit.Answer.Form; own.is(op, stream, usage) {
		return *own, true
	}
	short, ok := spelling(hit.Key, op, stream, usage)
	if !ok {
		return Form{}, false
	}
	p := c.Memory.get(short)
	if p == nil || !p.spells() || p[atID] != hit.kept[atID] || p.key() != hit.Key {
		return Form{}, false
	}
	f := p.form()
	return f, f.is(op, stream, usage)
}

// Extend keeps a copy of a further spelling of a kept answer. It is one of a few, by
// what clients can want, has its own room in memory, and goes when the answer does.
func (c *Cache) Extend(hit *Hit, form *Form) {
	short, ok := spelling(hit.Key, form.Operation, form.Stream, form.Usage)
	if !ok || int64(len(form.Body)) > c.MaxEntry {
		return
	}
	p, ok := spellingOf(hit.kept.name(textScope), form)
	if !ok {
		return
	}
	p.setKey(hit.Key)
	p[atID] = hit.kept[atID]
	c.Memory.put(short, p, time.Duration(hit.kept.int(atUntil)-c.Memory.at(c.Now())))
}

func (f *Form) is(op *wire.Operation, stream, usage bool) bool {
	return f.Operation == op && f.Stream == stream && f.Usage == usage
}

// spelling is where memory has a further spelling of key's answer.
func spelling(key Key, op *wire.Operation, stream, usage bool) (uint64, bool) {
	n := uint64(number(op) + 1)
	n <<= 2
	if stream {
		n |= 1
	}
	if usage {
		n |= 2
	}
	// Any odd number does; this one spreads the few over the shards.
	return key.short() ^ n*0x9e3779b97f4a7c15, number(op) >= 0
}
