package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/wire"
)

// TestKeyOf holds that no part of a key can pass for another.
func TestKeyOf(t *testing.T) {
	type parts struct{ version, kind, scope, model string }
	words := []string{"", "a", "b", "ab", "a\x00b", "key", "team", "\x01\x00\x00\x00\x00\x00\x00\x00a", "a|b"}
	seen := map[Key]parts{}
	for _, v := range words {
		for _, k := range words {
			for _, s := range words {
				for _, m := range words {
					key := KeyOf(v, k, s, m, [32]byte{1})
					if p, ok := seen[key]; ok {
						t.Fatalf("%q and %q have one key", p, parts{v, k, s, m})
					}
					seen[key] = parts{v, k, s, m}
				}
			}
		}
	}
	if KeyOf("v", "k", "s", "m", [32]byte{1}) == KeyOf("v", "k", "s", "m", [32]byte{2}) {
		t.Error("two requests have one key")
	}
}

func TestTerms(t *testing.T) {
	terms := Terms{TTL: time.Hour, Jitter: 10, Revalidate: 10 * time.Minute, IfError: time.Hour}
	var least, most time.Duration = time.Hour, 0
	for i := range 1000 {
		key := keyOf("a", fmt.Sprint(i))
		l := terms.Lifetime(key)
		if l != terms.Lifetime(key) || l > time.Hour || l < 54*time.Minute {
			t.Fatalf("%s", l)
		}
		least, most = min(least, l), max(most, l)
		for _, step := range []struct {
			age  time.Duration
			want State
		}{{0, Fresh}, {l - 1, Fresh}, {l, Revalidate}, {l + 10*time.Minute, IfError}, {l + time.Hour, Expired}} {
			if got := terms.State(key, step.age); got != step.want {
				t.Errorf("at %s of %s: %d", step.age, l, got)
			}
		}
	}
	if most-least < 5*time.Minute {
		t.Errorf("lifetimes are only spread from %s to %s", least, most)
	}
	if keep := (Terms{TTL: 1000 * time.Hour * 24}).Keep(); keep != MaxLife {
		t.Errorf("kept for %s", keep)
	}
}

// TestAge holds that it is the present terms that count, and that nothing is
// found after its time.
func TestAge(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<20, nil, clock)
	key := keyOf("a", "r")
	c.Put(key, "a", answer(clock, "x"), c.Stamp(), Terms{TTL: time.Hour, IfError: time.Hour})
	clock.Add(40 * time.Minute)
	hit, ok := c.Get(key, "a")
	if !ok || hit.Age != 40*time.Minute || hour.State(key, hit.Age) != Fresh || (Terms{TTL: time.Minute}).State(key, hit.Age) != Expired {
		t.Errorf("%t %+v", ok, hit)
	}
	clock.Add(80 * time.Minute)
	if _, ok := c.Get(key, "a"); ok {
		t.Error("it is found after its time")
	}
	if s := c.Memory.Stats(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("it is not gone: %+v", s)
	}
}

func TestMaxEntry(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<20, newShelf(), clock, func(o *Options) { o.MaxEntry = 1000 })
	if c.Put(keyOf("a", "r"), "a", answer(clock, strings.Repeat("x", 1001)), c.Stamp(), hour) {
		t.Error("too large and kept")
	}
}

// TestMisrouted holds that an answer is only for the key and the scope it was
// kept for, wherever it turns up.
func TestMisrouted(t *testing.T) {
	clock := newClock()
	remote := newShelf()
	a, b := open(t, 1<<20, remote, clock), open(t, 1<<20, remote, clock)
	mine, theirs := keyOf("a", "r"), keyOf("b", "r")
	a.Put(mine, "a", answer(clock, "mine"), a.Stamp(), hour)
	a.Put(theirs, "b", answer(clock, "theirs"), a.Stamp(), hour)
	if hit, ok := b.Fetch(context.Background(), mine, "a"); !ok || string(hit.Form.Body) != "mine" {
		t.Fatalf("%t %+v", ok, hit)
	}
	if hit, ok := b.Get(mine, "a"); !ok || string(hit.Form.Body) != "mine" {
		t.Error("what was fetched is not kept")
	}
	remote.values[mine], remote.values[theirs] = remote.values[theirs], remote.values[mine]
	b = open(t, 1<<20, remote, clock)
	for key, scope := range map[Key]string{mine: "a", theirs: "b"} {
		if hit, ok := b.Fetch(context.Background(), key, scope); ok {
			t.Errorf("%s gets %q", scope, hit.Form.Body)
		}
	}
	for _, cache := range []*Cache{a, b} {
		if _, ok := cache.Get(mine, "b"); ok {
			t.Error("found for another scope")
		}
	}
	remote.broken = true
	if _, ok := b.Fetch(context.Background(), mine, "a"); ok {
		t.Error("a broken store has an answer")
	}
}

func TestExtend(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<20, nil, clock)
	key := keyOf("a", "r")
	c.Put(key, "a", answer(clock, "first"), c.Stamp(), hour)
	hit, _ := c.Get(key, "a")
	if f, ok := c.Form(&hit, wire.Chat, false, false); !ok || string(f.Body) != "first" {
		t.Error("its own form is not found")
	}
	if _, ok := c.Form(&hit, wire.Chat, true, false); ok {
		t.Error("a form out of nothing")
	}
	before := c.Memory.Stats().Bytes
	for _, stream := range []bool{false, true} {
		for _, usage := range []bool{false, true} {
			for _, op := range operations {
				c.Extend(&hit, &Form{Operation: op, Stream: stream, Usage: usage, Body: fmt.Appendf(nil, "%s %t %t", op.Name, stream, usage)})
			}
		}
	}
	if grown := c.Memory.Stats().Bytes - before; grown < 32*10 {
		t.Errorf("32 spellings cost %d", grown)
	}
	for _, stream := range []bool{false, true} {
		for _, op := range operations {
			want := fmt.Sprintf("%s %t true", op.Name, stream)
			if f, ok := c.Form(&hit, op, stream, true); !ok || string(f.Body) != want {
				t.Errorf("%s: %t", want, ok)
			}
		}
	}
	c.Extend(&hit, &Form{Operation: wire.Converse})
	if _, ok := c.Form(&hit, wire.Converse, false, false); ok {
		t.Error("a client of bedrock")
	}
	// Another answer has none of its predecessor's spellings.
	c.Put(key, "a", answer(clock, "second"), c.Stamp(), hour)
	hit, _ = c.Get(key, "a")
	if f, ok := c.Form(&hit, wire.Messages, false, true); ok {
		t.Errorf("the second answer as a message: %s", f.Body)
	}
}

// TestPurge holds which answers a purge makes dead: those that have the tag and
// whose requests were looked up before.
func TestPurge(t *testing.T) {
	for name, second := range map[string]bool{"in the process": false, "in another": true} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			remote := newShelf()
			c := open(t, 1<<20, remote, clock)
			other := open(t, 1<<20, remote, clock)
			purge := c
			if second {
				purge = other
			}
			find := func(request string) (here, there bool) {
				key := keyOf("a", request)
				_, here = c.Get(key, "a")
				_, there = other.Fetch(context.Background(), key, "a")
				return here, there
			}
			c.Put(keyOf("a", "x"), "a", answer(clock, "x", "model:x", "t"), c.Stamp(), hour)
			c.Put(keyOf("a", "y"), "a", answer(clock, "y", "model:y", "t"), c.Stamp(), hour)
			late := c.Stamp()
			if err := purge.Marks.Purge(context.Background(), "model:x"); err != nil {
				t.Fatal(err)
			}
			if here, there := find("x"); here || there {
				t.Errorf("purged, and found here %t, there %t", here, there)
			}
			if here, there := find("y"); !here || !there {
				t.Errorf("not purged, and found here %t, there %t", here, there)
			}
			if c.Put(keyOf("a", "x"), "a", answer(clock, "x", "model:x"), late, hour) {
				t.Error("what was under way during the purge is kept")
			}
			c.Put(keyOf("a", "x"), "a", answer(clock, "x", "model:x", "t"), c.Stamp(), hour)
			if here, there := find("x"); !here || !there {
				t.Errorf("asked for after the purge, and found here %t, there %t", here, there)
			}
			if err := purge.Marks.Purge(context.Background(), All); err != nil {
				t.Fatal(err)
			}
			for _, request := range []string{"x", "y"} {
				if here, there := find(request); here || there {
					t.Errorf("all is purged; %s is found here %t, there %t", request, here, there)
				}
			}
		})
	}
}

// TestAttach holds that a process that comes later knows what was purged.
func TestAttach(t *testing.T) {
	clock := newClock()
	remote := newShelf()
	c := open(t, 1<<20, remote, clock)
	key := keyOf("a", "x")
	c.Put(key, "a", answer(clock, "x", "t"), c.Stamp(), hour)
	_ = c.Marks.Purge(context.Background(), "t")
	later := open(t, 1<<20, remote, clock)
	if _, ok := later.Fetch(context.Background(), key, "a"); ok {
		t.Error("an answer that was purged before")
	}
}

// TestAttachTwice holds that a Remote's purges are followed until the last of its users
// has gone, such as the configuration that a reload has made.
func TestAttachTwice(t *testing.T) {
	clock := newClock()
	remote := newShelf()
	c := open(t, 1<<20, nil, clock)
	key := keyOf("a", "x")
	old := c.Marks.Attach(remote)
	last := c.Marks.Attach(remote)
	for i, detach := range []func(){old, last} {
		c.Put(key, "a", answer(clock, "x", "t"), c.Stamp(), hour)
		detach()
		detach() // changes nothing
		_ = remote.Purge(context.Background(), []Mark{{"t", uint64(clock.Now().UnixMilli())<<suffix + uint64(i)}})
		if _, there := c.Get(key, "a"); there != (i == 1) || len(c.Marks.Remotes()) != 1-i {
			t.Errorf("%d detached: the answer is there: %t, %d remotes", i+1, there, len(c.Marks.Remotes()))
		}
	}
}

// TestMarksBounded purges more tags than have room: what was purged stays dead.
func TestMarksBounded(t *testing.T) {
	clock := newClock()
	c := open(t, 1<<20, nil, clock)
	key := keyOf("a", "r")
	since := c.Stamp()
	for i := range 3 * maxMarks {
		_ = c.Marks.Purge(context.Background(), fmt.Sprint("tag ", i))
		if i%1000 == 0 && len(c.Marks.Known()) > maxMarks {
			t.Fatalf("%d marks", len(c.Marks.Known()))
		}
	}
	if c.Put(key, "a", answer(clock, "x", "tag 17"), since, hour) {
		t.Error("a purge is forgotten")
	}
	// Marks that no answer is from before of go without that.
	clock.Add(MaxLife + time.Hour)
	quiet := open(t, 1<<20, nil, clock)
	for i := range maxMarks {
		_ = quiet.Marks.Purge(context.Background(), fmt.Sprint("tag ", i))
	}
	clock.Add(MaxLife + time.Hour)
	since = quiet.Stamp()
	_ = quiet.Marks.Purge(context.Background(), "one more")
	if n := len(quiet.Marks.Known()); n != 1 || !quiet.Put(key, "a", answer(clock, "x"), since, hour) {
		t.Errorf("%d marks", n)
	}
}

// TestMarksGrow holds that a mark grows whatever the clock does.
func TestMarksGrow(t *testing.T) {
	clock := newClock()
	m := NewMarks(clock.Now, nil)
	last := uint64(0)
	for i := range 1000 {
		_ = m.Purge(context.Background(), "t")
		value := m.Known()[0].Value
		if value <= last || value >= 1<<53 {
			t.Fatalf("%d after %d", value, last)
		}
		last = value
		clock.Add(time.Duration(100-i) * time.Millisecond)
	}
}

// TestIsolation is a million operations by tenants that ask for the same: no
// answer crosses a scope, no dead one is found, and what was kept and not
// evicted is found.
func TestIsolation(t *testing.T) {
	operations := 1_000_000
	if testing.Short() {
		operations = 50_000
	}
	clock := newClock()
	remote := newShelf()
	processes := []*Cache{open(t, 4<<20, remote, clock), open(t, 1<<20, remote, clock)}
	names := scopes(16)
	var all sync.WaitGroup
	// Each worker has tenants of its own, whose purges and answers are in order.
	const workers = 4
	for worker := range workers {
		random := rand.New(rand.NewPCG(7, uint64(worker)))
		all.Go(func() {
			// lives is the generation of a tag: how often it was purged.
			lives := map[string]int{}
			for range operations / workers {
				scope := names[worker+workers*random.IntN(len(names)/workers)]
				c := processes[random.IntN(len(processes))]
				request, tag := fmt.Sprint(random.IntN(50)), scope+"/"+fmt.Sprint(random.IntN(5))
				key := keyOf(scope, request)
				canary := "canary of " + scope + "."
				check := func(hit Hit) {
					body := string(hit.Form.Body)
					life := fmt.Sprint(lives[hit.kept.tags()[0]])
					if !strings.HasPrefix(body, canary) || !strings.HasSuffix(body, " "+request+" "+life) {
						t.Errorf("%s asks for %s in life %s and gets %q", scope, request, life, body)
					}
				}
				switch n := random.IntN(100); {
				case n < 82:
					if hit, ok := c.Get(key, scope); ok {
						check(hit)
					}
				case n < 87:
					if hit, ok := c.Fetch(context.Background(), key, scope); ok {
						check(hit)
					}
				case n < 92:
					// Another's key with one's own scope, and the reverse.
					other := names[random.IntN(len(names))]
					if other == scope {
						continue
					}
					if _, ok := c.Get(keyOf(other, request), scope); ok {
						t.Errorf("%s finds what is %s's", scope, other)
					}
					if _, ok := c.Fetch(context.Background(), key, other); ok {
						t.Errorf("%s fetches what is %s's", other, scope)
					}
				case n < 99:
					body := fmt.Sprintf("%s %s %d", canary, request, lives[tag])
					since := c.Stamp()
					if n == 98 {
						_ = processes[random.IntN(2)].Marks.Purge(context.Background(), tag)
						lives[tag]++
						if c.Put(key, scope, answer(clock, body, tag), since, hour) {
							t.Error("a dead answer is kept")
						}
						continue
					}
					c.Put(key, scope, answer(clock, body, tag), since, hour)
				default:
					_ = c.Marks.Purge(context.Background(), tag)
					lives[tag]++
				}
			}
		})
	}
	all.Wait()
	for _, c := range processes {
		// Enough hits that their checks mean something.
		if s := c.Memory.Stats(); s.Hits < int64(operations/50) || s.Bytes > s.Size {
			t.Errorf("%+v", s)
		}
	}
}
