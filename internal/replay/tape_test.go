package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// numbered is event i of the streams of these tests, of some size.
func numbered(i uint64, size int) []byte {
	return AppendNumbered(nil, fmt.Appendf(nil, "data: %s\n\n", strings.Repeat("x", size)), i)
}

// listener puts together what a client gets over all its connections.
type listener struct {
	got  []byte
	ends []int // where the events in got end
	told int   // how many it has told of when it came back
}

func (l *listener) hear(p []byte) {
	for len(p) > 0 {
		var event []byte
		event, p = Cut(p)
		l.got = append(l.got, event...)
		l.ends = append(l.ends, len(l.got))
	}
}

// last is the number of the last event that came.
func (l *listener) last() uint64 {
	l.told = len(l.ends)
	return uint64(l.told)
}

// lose forgets events that were lost on their way, at most so many bytes; those
// that it has told of have come.
func (l *listener) lose(events, most int) {
	for n := len(l.ends); events > 0 && n > l.told; events-- {
		start := 0
		if n > 1 {
			start = l.ends[n-2]
		}
		if most -= l.ends[n-1] - start; most < 0 {
			return
		}
		n--
		l.ends, l.got = l.ends[:n], l.got[:start]
	}
}

// TestExactlyOnce appends, plays, leaves, loses what was on its way and comes back in
// any order: what the client has in the end is the stream.
func TestExactlyOnce(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		const limit = 16 << 10
		shelf := NewShelf(1 << 20)
		tape, client := shelf.New(Options{Limit: limit, Keep: time.Hour, Abandon: func() { t.Error("abandoned") }}, func() {})
		shelf.Put("k", tape)
		var whole []byte
		var l listener
		direct, events := true, rnd.IntN(400)
		for i := uint64(1); i <= uint64(events); {
			switch op := rnd.IntN(20); {
			case op < 12:
				event := numbered(i, rnd.IntN(1500))
				if !tape.Append(event) {
					if direct {
						t.Fatalf("seed %d: no room for a client that is there", seed)
					}
					if client == nil && tape.size-tape.read < limit/8 {
						t.Fatalf("seed %d: no room for %d bytes", seed, tape.size-tape.read)
					}
					if client == nil {
						break
					}
					continue
				}
				whole = append(whole, event...)
				if direct {
					l.hear(event)
				}
				i++
				continue
			case op < 17:
				if client != nil && !direct {
					if p, err := client.take(); err != nil {
						t.Fatal(err)
					} else {
						l.hear(p)
					}
				}
				continue
			case op == 17 && client != nil:
				client.Leave()
				client, direct = nil, false
				l.lose(rnd.IntN(6), limit/8)
				continue
			}
			if client == nil || rnd.IntN(4) == 0 {
				if client != nil {
					l.lose(rnd.IntN(3), limit/8)
				}
				var err error
				if client, err = tape.Attach(l.last(), func() {}); err != nil {
					t.Fatalf("seed %d: after %d of %d: %v", seed, l.last(), i-1, err)
				}
				direct = false
			}
			if tape.held > limit+cost(1600) {
				t.Fatalf("seed %d: %d bytes are held", seed, tape.held)
			}
		}
		tape.End(true)
		for {
			client, err := tape.Attach(l.last(), func() {})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			p, err := client.Next(nil)
			if errors.Is(err, io.EOF) {
				client.Leave()
				break
			}
			l.hear(p)
		}
		if !bytes.Equal(l.got, whole) {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(string(whole), string(l.got)))
		}
		tape.withdraw()
		if used := shelf.Used(); used != 0 {
			t.Fatalf("seed %d: %d bytes are still used", seed, used)
		}
	}
}

// TestRace does the same with goroutines: a producer that waits for room, and clients
// that take each other's places.
func TestRace(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		shelf := NewShelf(1 << 20)
		tape, first := shelf.New(Options{Limit: 8 << 10, Keep: time.Hour}, func() {})
		shelf.Put("k", tape)
		first.Leave()
		const events = 500
		var whole []byte
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range uint64(events) {
				event := numbered(i+1, int(i*37%200))
				for !tape.Append(event) {
					<-tape.Room()
				}
				whole = append(whole, event...)
			}
			tape.End(true)
		})
		var l listener
		for over := false; !over; {
			evicted := make(chan struct{})
			client, err := tape.Attach(l.last(), func() { close(evicted) })
			if err != nil {
				t.Fatal(err)
			}
			for range rnd.IntN(10) {
				p, err := client.Next(nil)
				if over = errors.Is(err, io.EOF); err != nil && !over {
					t.Fatal(err)
				}
				l.hear(p)
			}
			switch rnd.IntN(3) {
			case 0:
				client.Leave()
			case 1:
				other, err := tape.Attach(l.last(), func() {})
				if err != nil {
					t.Fatal(err)
				}
				<-evicted
				if _, err := client.Next(nil); !errors.Is(err, ErrReplaced) {
					t.Errorf("the older client: %v", err)
				}
				client.Leave()
				other.Leave()
			}
		}
		wg.Wait()
		if !bytes.Equal(l.got, whole) {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(string(whole), string(l.got)))
		}
	}
}

func TestAttach(t *testing.T) {
	shelf := NewShelf(1 << 20)
	tape, _ := shelf.New(Options{Limit: 2 << 10, Keep: time.Hour}, func() {})
	for i := range uint64(100) {
		if !tape.Append(numbered(i+1, 100)) {
			t.Fatal("no room")
		}
	}
	tape.End(false)
	for _, tt := range []struct {
		last uint64
		err  error
	}{
		{0, ErrPast},
		{50, ErrPast},
		{99, nil},
		{100, nil},
		{101, ErrAhead},
		{1<<64 - 1, ErrAhead},
	} {
		c, err := tape.Attach(tt.last, func() {})
		if !errors.Is(err, tt.err) {
			t.Errorf("after %d: %v, want %v", tt.last, err, tt.err)
		}
		if err != nil {
			continue
		}
		if tt.last == 99 {
			if p, err := c.Next(nil); err != nil || !bytes.Equal(p, numbered(100, 100)) {
				t.Errorf("%q, %v", p, err)
			}
		}
		if p, err := c.Next(nil); !errors.Is(err, ErrBroken) {
			t.Errorf("%q, %v: a broken stream looks complete", p, err)
		}
		c.Leave()
	}
	tape.withdraw()
	if _, err := tape.Attach(99, func() {}); !errors.Is(err, ErrWithdrawn) {
		t.Error(err)
	}
}

// TestFullTape holds the producer back while nobody is there, and lets it go on when
// a client gets on.
func TestFullTape(t *testing.T) {
	const limit = 4 << 10
	shelf := NewShelf(1 << 20)
	tape, c := shelf.New(Options{Limit: limit, Keep: time.Hour}, func() {})
	c.Leave()
	n := uint64(1)
	for ; tape.Append(numbered(n, 100)); n++ {
		if n > 1000 {
			t.Fatal("it takes everything")
		}
	}
	if tape.held > limit || tape.size < limit/2 {
		t.Errorf("%d bytes of %d are held", tape.size, limit)
	}
	tape.Force(numbered(n, 100))
	if used := shelf.Used(); used <= tape.held-1 || tape.last != n {
		t.Errorf("%d used, %d held", used, tape.held)
	}
	c, err := tape.Attach(0, func() {})
	if err != nil {
		t.Fatal(err)
	}
	<-tape.Room() // of the attachment
	var l listener
	for l.last() < n {
		p, err := c.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		l.hear(p)
	}
	done := make(chan struct{})
	close(done)
	if _, err := c.Next(done); !errors.Is(err, ErrLeft) {
		t.Error(err)
	}
	<-tape.Room()
	if !tape.Append(numbered(n+1, 100)) {
		t.Error("no room after all has been read")
	}
}

// TestLargeEvent holds one event whatever its size.
func TestLargeEvent(t *testing.T) {
	shelf := NewShelf(1 << 20)
	tape, c := shelf.New(Options{Limit: 1 << 10, Keep: time.Hour}, func() {})
	large := numbered(1, 8<<20)
	if !tape.Append(large) || !tape.Append(numbered(2, 8<<20)) {
		t.Fatal("no room for a client that is there")
	}
	c.Leave()
	if !tape.Append(numbered(3, 100)) {
		t.Fatal("no room where all has been read")
	}
	if tape.Append(numbered(4, 8<<20)) {
		t.Fatal("room for a large event behind one that nobody has read")
	}
	c, err := tape.Attach(2, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := c.Next(nil); err != nil || !bytes.Equal(p, numbered(3, 100)) {
		t.Errorf("%.100q, %v", p, err)
	}
	if _, err := c.take(); err != nil {
		t.Fatal(err)
	}
	if !tape.Append(numbered(4, 8<<20)) {
		t.Error("no room after all has been read")
	}
	tape.Discard()
	if used := shelf.Used(); used != 0 {
		t.Errorf("%d bytes are still used", used)
	}
}

// TestMemory bounds all tapes together: those that run keep less, and new ones
// are not made.
func TestMemory(t *testing.T) {
	shelf := NewShelf(64 << 10)
	var tapes []*Tape
	for range 8 {
		tape, _ := shelf.New(Options{Limit: 1 << 20, Keep: time.Hour}, func() {})
		if tape == nil {
			break
		}
		tapes = append(tapes, tape)
		for i := range uint64(500) {
			if !tape.Append(numbered(i+1, 100)) {
				t.Fatal("no room for a client that is there")
			}
		}
	}
	if used := shelf.Used(); len(tapes) == 8 || used > 65<<10 {
		t.Errorf("%d tapes with %d bytes", len(tapes), used)
	}
	for _, tape := range tapes {
		tape.End(true)
		tape.withdraw()
	}
	if used := shelf.Used(); used != 0 {
		t.Errorf("%d bytes are still used", used)
	}
}

// TestKeep gives a tape up when nobody has come back in time, and not before.
func TestKeep(t *testing.T) {
	shelf := NewShelf(1 << 20)
	abandoned := make(chan struct{})
	make := func(key string, keep time.Duration) (*Tape, *Client) {
		tape, c := shelf.New(Options{Limit: 1 << 10, Keep: keep, Abandon: func() { close(abandoned) }}, func() {})
		tape.Append(numbered(1, 10))
		shelf.Put(key, tape)
		return tape, c
	}
	tape, c := make("a", time.Nanosecond)
	if shelf.Find("a") != tape || shelf.Find("b") != nil {
		t.Error("not found")
	}
	tape.expire() // a timer that fires late does no harm
	c.Leave()
	<-abandoned
	if shelf.Find("a") != nil || shelf.Used() != 0 {
		t.Errorf("still there, %d bytes", shelf.Used())
	}
	if !tape.Append(numbered(2, 10)) {
		t.Error("a producer that is about to end has to wait")
	}
	tape.End(false)

	// A stream that is over is only forgotten.
	tape, c = make("b", time.Hour)
	tape.End(true)
	c.Leave()
	tape.expire()
	if shelf.Find("b") != tape {
		t.Error("given up too early")
	}
	tape.mu.Lock()
	tape.until = time.Time{}
	tape.mu.Unlock()
	tape.expire()
	if shelf.Find("b") != nil || shelf.Used() != 0 {
		t.Errorf("still there, %d bytes", shelf.Used())
	}
}

// TestLeavesAgain holds that a tape waits anew for a client that has come back and left
// once more, and not for ever.
func TestLeavesAgain(t *testing.T) {
	tape, c := NewShelf(1<<20).New(Options{Limit: 1 << 10, Keep: time.Hour, Abandon: func() {}}, func() {})
	tape.Append(numbered(1, 10))
	c.Leave()
	again, err := tape.Attach(1, func() {})
	if err != nil {
		t.Fatal(err)
	}
	tape.timer.Stop() // as if it had fired while the client was there
	if again.Leave(); !tape.timer.Stop() {
		t.Error("nobody gives it up")
	}
}

// TestSameKey lets the newer stream of a key take it over.
func TestSameKey(t *testing.T) {
	shelf := NewShelf(1 << 20)
	left := false
	first, c := shelf.New(Options{Limit: 1 << 10, Keep: time.Hour, Abandon: func() { left = true }}, func() {})
	first.Append(numbered(1, 10))
	shelf.Put("k", first)
	second, _ := shelf.New(Options{Limit: 1 << 10, Keep: time.Hour}, func() {})
	shelf.Put("k", second)
	if shelf.Find("k") != second || left || shelf.Used() != 0 {
		t.Errorf("left %v, %d bytes", left, shelf.Used())
	}
	if !first.Append(numbered(2, 10)) || shelf.Used() != 0 {
		t.Error("what nobody can come back to is kept")
	}
	if c.Leave(); !left {
		t.Error("it runs for nobody")
	}
	first.End(false)
	shelf.remove(first)
	if shelf.Find("k") != second {
		t.Error("the older one has taken the newer one with it")
	}
	second.Discard()
}
