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

// Hit is an answer that was found, alive: no purge since it was asked for.
// Whether it is fresh is for the Terms of whoever asks.
type Hit struct {
	*Answer
	Key Key
	// Age is how long ago the answer was complete.
	Age time.Duration

	id    uint64
	scope string
	until time.Time
}

// Stamp is what a request notes before it is looked up, and Put needs.
func (c *Cache) Stamp() Stamp { return c.Marks.Stamp() }

// Get finds the answer of key in the process.
func (c *Cache) Get(key Key, scope string) (Hit, bool) {
	short := key.short()
	counts := c.Memory.shard(short)
	e := c.Memory.get(short)
	if e == nil || e.key != key || e.scope != scope || e.answer == nil {
		counts.misses.Add(1)
		return Hit{}, false
	}
	now := c.Now()
	if !now.Before(e.until) || !e.alive(c.Marks) {
		c.Memory.remove(short, e)
		counts.misses.Add(1)
		return Hit{}, false
	}
	counts.hits.Add(1)
	return e.hit(now), true
}

// alive asks the marks only when they have changed.
func (e *entry) alive(marks *Marks) bool {
	now := marks.Stamp()
	if e.seen.Load() == uint64(now) {
		return true
	}
	if !marks.Alive(e.answer.Tags, e.since) {
		return false
	}
	e.seen.Store(uint64(now))
	return true
}

func (e *entry) hit(now time.Time) Hit {
	return Hit{Answer: e.answer, Key: e.key, Age: max(now.Sub(e.answer.Made), 0), id: e.id, scope: e.scope, until: e.until}
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
	return c.keep(key, found.scope, found.answer, since, found.until, now).hit(now), true
}

// size is what counts against MaxEntry.
func (a *Answer) size() int64 { return int64(len(a.Form.Body)) + int64(len(a.Canonical)) }

// keep puts an answer into memory, if there is room.
func (c *Cache) keep(key Key, scope string, answer *Answer, since Stamp, until, now time.Time) *entry {
	e := &entry{key: key, scope: scope, id: c.Memory.ids.Add(1), answer: answer, since: since, until: until}
	e.seen.Store(uint64(since))
	c.Memory.put(key.short(), e, until.Sub(now))
	return e
}

// Put keeps a complete answer for as long as the terms want it. since is the
// Stamp from before the look-up: when one of the answer's tags was purged
// meanwhile, or the answer is too large, it is not kept, and Put says false. The
// bodies must not be parts of something larger.
func (c *Cache) Put(key Key, scope string, answer *Answer, since Stamp, terms Terms) bool {
	now := c.Now()
	until := answer.Made.Add(terms.Keep())
	if answer.size() > c.MaxEntry || !now.Before(until) {
		return false
	}
	marks := c.Marks.values(answer.Tags, since)
	if marks == nil {
		return false
	}
	e := c.keep(key, scope, answer, since, until, now)
	if c.Remote != nil {
		s := &sealed{key: key, scope: scope, answer: answer, marks: marks, until: until}
		c.Remote.Put(key, until.Sub(now), int(e.cost), func() []byte { return c.codec.seal(s) })
	}
	return true
}

// Form finds an answer's spelling for an operation: its own, or one that Extend
// was given.
func (c *Cache) Form(hit *Hit, op *wire.Operation, stream, usage bool) (*Form, bool) {
	if own := &hit.Answer.Form; own.is(op, stream, usage) {
		return own, true
	}
	short, ok := spelling(hit.Key, op, stream, usage)
	if !ok {
		return nil, false
	}
	e := c.Memory.get(short)
	if e == nil || e.key != hit.Key || e.id != hit.id || e.form == nil || !e.form.is(op, stream, usage) {
		return nil, false
	}
	return e.form, true
}

// Extend keeps a further spelling of a kept answer. It is one of a few, by what
// clients can want, has its own room in memory, and goes when the answer does.
func (c *Cache) Extend(hit *Hit, form *Form) {
	short, ok := spelling(hit.Key, form.Operation, form.Stream, form.Usage)
	if !ok || int64(len(form.Body)) > c.MaxEntry {
		return
	}
	c.Memory.put(short, &entry{key: hit.Key, scope: hit.scope, id: hit.id, form: form}, hit.until.Sub(c.Now()))
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

// place is where memory has the entry.
func (e *entry) place() uint64 {
	if f := e.form; f != nil {
		short, _ := spelling(e.key, f.Operation, f.Stream, f.Usage)
		return short
	}
	return e.key.short()
}

// Flush forgets all answers, here at once and in the fleet soon.
func (c *Cache) Flush(ctx context.Context) error {
	err := c.Marks.Purge(ctx, All)
	c.Memory.Flush()
	return err
}
