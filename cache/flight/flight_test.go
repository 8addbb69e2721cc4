package flight

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/wire"
)

var (
	key    = cache.Key{1}
	stream = Want{Operation: wire.Chat, Stream: true}
	whole  = Want{Operation: wire.Chat}
)

func newSet(limit, budget int64) *Set {
	return NewSet(limit, budget, func() time.Time { return time.Unix(0, 0) })
}

// lead begins a flight that nobody leads yet.
func lead(t *testing.T, s *Set, want Want, cancel func()) *Flight {
	t.Helper()
	f, follow := s.Enter(key, 0, want, cancel)
	if follow != nil {
		t.Fatal("somebody leads already")
	}
	return f
}

// join follows a flight.
func join(t *testing.T, s *Set, want Want) *Reader {
	t.Helper()
	_, follow := s.Enter(key, 0, want, nil)
	if follow == nil {
		t.Fatal("nobody leads")
	}
	return follow
}

// drain reads to the end.
func drain(r *Reader, done <-chan struct{}) (string, error) {
	var all []byte
	for {
		p, err := r.Next(done)
		all = append(all, p.Data...)
		if err != nil {
			return string(all), err
		}
	}
}

// TestPutCopiesNothing holds that a piece which stays as it is takes no memory
// beside a small chunk.
func TestPutCopiesNothing(t *testing.T) {
	f, piece := lead(t, newSet(1<<20, 1<<30), whole, nil), make([]byte, 1<<10)
	n := testing.AllocsPerRun(100, func() { f.Put(piece, 0) })
	if n != 1 {
		t.Errorf("%v allocations, of a chunk alone there is one", n)
	}
	f.Append([]byte("end"), 0)
	if body, ok := f.Body(); !ok || len(body) != 101<<10+3 {
		t.Errorf("%d bytes, %t", len(body), ok)
	}
	if &f.first.data[0] != &piece[0] {
		t.Error("it was copied")
	}
}

// TestEveryFollowerGetsEverything lets readers of all paces join at all moments,
// while the leader's client may leave.
func TestEveryFollowerGetsEverything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s := newSet(1<<20, 1<<30)
		f := lead(t, s, stream, func() { t.Error("cancelled although somebody follows") })
		f.Open(&Head{Provider: "p"})
		events := 1 + rnd.IntN(400)
		var want, hidden bytes.Buffer
		var wg sync.WaitGroup
		type got struct {
			data string
			err  error
		}
		results := make(chan got, events*2)
		joined, left := 0, rnd.IntN(events)
		follow := func(slow bool) {
			r := join(t, s, stream)
			joined++
			wg.Go(func() {
				defer r.Leave()
				var all []byte
				for {
					p, err := r.Next(nil)
					all = append(all, p.Data...)
					for i := 0; slow && i < 20; i++ {
						runtime.Gosched()
					}
					if err != nil {
						results <- got{string(all), err}
						return
					}
				}
			})
		}
		for i := range events {
			if i == 0 || rnd.IntN(20) == 0 {
				follow(rnd.IntN(3) == 0)
			}
			if i == left && !f.LeaderLeaves() {
				t.Fatal("the call does not go on for those who follow")
			}
			piece := []byte(fmt.Sprintf("data: %d %s\n\n", i, bytes.Repeat([]byte("x"), rnd.IntN(200))))
			put := f.Append
			if rnd.IntN(3) == 0 {
				put = f.Put // piece is written to no more
			}
			switch rnd.IntN(10) {
			case 0:
				put(piece, Hidden)
				hidden.Write(piece)
			case 1:
				f.Append([]byte("own"), Own)
			default:
				put(piece, 0)
				want.Write(piece)
				hidden.Write(piece)
			}
		}
		f.Append([]byte("end"), Last)
		want.WriteString("end")
		hidden.WriteString("end")
		if body, ok := f.Body(); !ok || string(body) != hidden.String() {
			t.Fatalf("seed %d: the body is not what was put on the tape", seed)
		}
		f.Finish(nil, "result")
		wg.Wait()
		close(results)
		n := 0
		for g := range results {
			n++
			if g.data != want.String() || !errors.Is(g.err, io.EOF) {
				t.Fatalf("seed %d: a follower got %d bytes of %d, %v", seed, len(g.data), want.Len(), g.err)
			}
		}
		if n != joined {
			t.Fatalf("%d of %d followers ended", n, joined)
		}
		if s.Used() != 0 {
			t.Fatalf("%d bytes of the budget are still taken", s.Used())
		}
	}
}

func TestFormsThatAreShared(t *testing.T) {
	t.Parallel()
	usage := Want{Operation: wire.Chat, Stream: true, Usage: true}
	messages := Want{Operation: wire.Messages, Stream: true}
	for _, tc := range []struct {
		name        string
		lead, other Want
		shared      bool
	}{
		{"same", stream, stream, true},
		{"a stream cannot follow what is no stream", whole, stream, false},
		{"usage", stream, usage, false},
		{"another dialect's stream", stream, messages, false},
		{"who wants no stream waits for any", messages, whole, true},
		{"whole", whole, Want{Operation: wire.Messages}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSet(1<<20, 1<<30)
			f := lead(t, s, tc.lead, nil)
			defer f.Finish(nil, nil)
			g, follow := s.Enter(key, 0, tc.other, nil)
			if (follow != nil) != tc.shared {
				t.Fatalf("shared: %t", follow != nil)
			}
			if follow == nil {
				g.Finish(nil, nil)
			}
		})
	}
}

func TestKeysAreApart(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 1<<30)
	a, _ := s.Enter(cache.Key{1}, 0, stream, nil)
	b, follow := s.Enter(cache.Key{65}, 0, stream, nil) // of the same shard
	if follow != nil || a == b {
		t.Error("two keys share a flight")
	}
}

func TestWhoLeavesLast(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		followers int
		leader    bool // leaves first
		cancelled bool
	}{
		{"the leader alone", 0, true, false}, // who sees to that itself
		{"followers leave, the leader stays", 3, false, false},
		{"the leader leaves, then all others", 3, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, cancelled := newSet(1<<20, 1<<30), 0
			f := lead(t, s, stream, func() { cancelled++ })
			var readers []*Reader
			for range tc.followers {
				readers = append(readers, join(t, s, stream))
			}
			if tc.leader && f.LeaderLeaves() != (tc.followers > 0) {
				t.Error("whether the call goes on does not depend on who follows")
			}
			for i, r := range readers {
				if cancelled > 0 {
					t.Errorf("cancelled while %d follow", len(readers)-i)
				}
				r.Leave()
				r.Leave()
			}
			if (cancelled == 1) != tc.cancelled {
				t.Errorf("cancelled %d times", cancelled)
			}
			if _, follow := s.Enter(key, 0, stream, nil); (follow == nil) != tc.leader {
				t.Errorf("joining what nobody waits for: %v", follow)
			}
		})
	}
}

// TestHeld holds that a call goes on for somebody who follows elsewhere.
func TestHeld(t *testing.T) {
	gone := 0
	s := newSet(1<<20, 1<<30)
	f := lead(t, s, stream, func() { gone++ })
	release, ok := f.Hold()
	if !ok || !f.Followed() || !f.LeaderLeaves() {
		t.Fatal("it does not go on for who follows elsewhere")
	}
	join(t, s, stream).Leave()
	if gone > 0 {
		t.Fatal("cancelled while it is held")
	}
	release()
	release()
	if gone != 1 || f.Followed() {
		t.Error("not cancelled when nobody is left")
	}
	f.Finish(nil, nil)
	if _, ok := f.Hold(); ok {
		t.Error("what is over can be held")
	}
}

func TestHowFlightsEnd(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tc := range []struct {
		name       string
		run        func(f *Flight)
		opened     bool
		data       string
		err        error
		openingErr error
	}{
		{"complete", func(f *Flight) { f.Open(&Head{}); f.Append([]byte("a"), 0); f.Finish(nil, nil) }, true, "a", io.EOF, nil},
		{"fails before it opens", func(f *Flight) { f.Finish(broken, nil) }, false, "", broken, broken},
		{"breaks off", func(f *Flight) { f.Open(&Head{}); f.Append([]byte("a"), 0); f.Finish(broken, nil) }, true, "a", broken, nil},
		{"disperses", func(f *Flight) { f.Disperse() }, false, "", ErrAlone, ErrAlone},
		{"the first end counts", func(f *Flight) { f.Finish(broken, nil); f.Finish(nil, nil) }, false, "", broken, broken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSet(1<<20, 1<<30)
			f := lead(t, s, stream, nil)
			r := join(t, s, stream)
			defer r.Leave()
			tc.run(f)
			head, err := r.Opened(nil)
			if (head != nil) != tc.opened || !errors.Is(err, tc.openingErr) {
				t.Errorf("opened: %v, %v", head, err)
			}
			if data, err := drain(r, nil); data != tc.data || !errors.Is(err, tc.err) {
				t.Errorf("got %q, %v", data, err)
			}
			if g, follow := s.Enter(key, 0, stream, nil); follow != nil {
				t.Error("joined a flight that is over")
			} else {
				g.Finish(nil, nil)
			}
		})
	}
}

// TestEndLeavesNothing holds that a call that is over takes no place and none of the
// budget, whether or not anybody has followed.
func TestEndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, followed := range []bool{false, true} {
		s := newSet(1<<20, 1<<20)
		f := lead(t, s, stream, nil)
		if f.Append([]byte("a"), 0); s.Used() == 0 {
			t.Fatal("the tape counts for nothing")
		}
		if followed {
			join(t, s, stream).Leave()
		}
		f.Finish(nil, nil)
		if left := len(s.shard(key).flights); left != 0 || s.Used() != 0 {
			t.Errorf("followed %t: %d flights and %d bytes are left", followed, left, s.Used())
		}
	}
}

// TestOpenWakes holds that who waits is told that the answer begins, before there is
// anything of it.
func TestOpenWakes(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 1<<30)
	f := lead(t, s, stream, nil)
	r := join(t, s, stream)
	defer r.Leave()
	opened := make(chan *Head)
	go func() {
		head, _ := r.Opened(nil)
		opened <- head
	}()
	for waits := false; !waits; runtime.Gosched() {
		f.mu.Lock()
		waits = f.wake != nil
		f.mu.Unlock()
	}
	head := &Head{Provider: "p"}
	if f.Open(head); <-opened != head {
		t.Error("another head")
	}
}

// TestTooLong holds that a long answer is passed on to those who are there, that
// nobody joins it, and that who is far behind loses it, whatever it holds up.
func TestTooLong(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	s := newSet(limit, 1<<30)
	f := lead(t, s, stream, nil)
	quick, slow := join(t, s, stream), join(t, s, stream)
	defer quick.Leave()
	defer slow.Leave()
	piece := bytes.Repeat([]byte("x"), 1000)
	got := 0
	for range 1000 {
		f.Append(piece, 0)
		p, err := quick.Next(nil)
		if got += len(p.Data); err != nil {
			t.Fatal(err)
		}
	}
	if s.Used() > limit+largest*2 {
		t.Errorf("%d bytes are held", s.Used())
	}
	if _, ok := f.Body(); ok {
		t.Error("the whole is still there")
	}
	f.Finish(nil, nil)
	rest, err := drain(quick, nil)
	if got += len(rest); got != 1000*1000 || !errors.Is(err, io.EOF) {
		t.Errorf("who kept up got %d bytes, %v", got, err)
	}
	if _, err := drain(slow, nil); !errors.Is(err, ErrBehind) {
		t.Errorf("who fell behind got %v", err)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 10<<10)
	f := lead(t, s, stream, nil)
	for range 100 {
		f.Append(bytes.Repeat([]byte("x"), 1000), 0)
	}
	if _, ok := f.Body(); ok || s.Used() > 10<<10 {
		t.Errorf("a tape of 100 KB is kept in a budget of 10 KiB; %d bytes are taken", s.Used())
	}
	if _, follow := s.Enter(key, 0, stream, nil); follow != nil {
		t.Error("joined an answer whose beginning is gone")
	}
}

// TestSlowFollowers holds that what slow followers have not read yet is bounded for
// all flights together, and that those who keep up get everything.
func TestSlowFollowers(t *testing.T) {
	t.Parallel()
	const budget, flights, size = 2 << 20, 100, 1 << 20
	s := newSet(size, budget)
	piece := bytes.Repeat([]byte("x"), 8<<10)
	var quick, slow []*Reader
	var all []*Flight
	for i := range flights {
		f, _ := s.Enter(cache.Key{byte(i)}, 0, stream, nil)
		_, a := s.Enter(cache.Key{byte(i)}, 0, stream, nil)
		_, b := s.Enter(cache.Key{byte(i)}, 0, stream, nil)
		all, quick, slow = append(all, f), append(quick, a), append(slow, b)
	}
	got := make([]int, flights)
	for range size / len(piece) {
		for i, f := range all {
			f.Append(piece, 0)
			for {
				p, err := quick[i].Next(nil)
				if err != nil {
					t.Fatal(err)
				}
				if got[i] += len(p.Data); !p.More {
					break
				}
			}
		}
		if s.Used() > budget {
			t.Fatalf("%d bytes are taken of %d", s.Used(), budget)
		}
	}
	held := 0
	for _, f := range all {
		for c := f.oldest; c != nil; c = c.next {
			held += int(c.cost())
		}
	}
	if most := budget + 2*flights*(largest+1<<13); held > most {
		t.Errorf("%d bytes are held, at most %d may", held, most)
	}
	for i, f := range all {
		f.Finish(nil, nil)
		if got[i] != size {
			t.Errorf("%d got %d bytes", i, got[i])
		}
		data, err := drain(slow[i], nil)
		if !errors.Is(err, ErrBehind) && (len(data) != size || !errors.Is(err, io.EOF)) {
			t.Errorf("who is slow got %d bytes, %v", len(data), err)
		}
		quick[i].Leave()
		slow[i].Leave()
	}
	if s.Used() != 0 {
		t.Errorf("%d bytes are taken by nobody", s.Used())
	}
}

// TestFinishedIsStillRead holds that what a slow follower has yet to read counts
// after the end.
func TestFinishedIsStillRead(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 1<<30)
	f := lead(t, s, stream, nil)
	r := join(t, s, stream)
	f.Append(bytes.Repeat([]byte("x"), 100<<10), 0)
	f.Finish(nil, nil)
	if s.Used() < 100<<10 {
		t.Errorf("%d bytes count", s.Used())
	}
	if data, err := drain(r, nil); len(data) != 100<<10 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if r.Leave(); s.Used() != 0 {
		t.Errorf("%d bytes count", s.Used())
	}
}

// TestPurgeInBetween holds that who asks after a purge does not get what was asked
// for before it.
func TestPurgeInBetween(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 1<<30)
	before, _ := s.Enter(key, 1, stream, nil)
	defer before.Finish(nil, nil)
	after, follow := s.Enter(key, 2, stream, nil)
	if follow != nil {
		t.Fatal("joined what was asked for before the purge")
	}
	defer after.Finish(nil, nil)
	for since, want := range map[cache.Stamp]*Flight{1: before, 2: after} {
		f, follow := s.Enter(key, since, stream, nil)
		if follow == nil || f.since < since {
			t.Errorf("%d did not join %p", since, want)
			continue
		}
		follow.Leave()
	}
}

// TestPlayFromTheBeginning holds that a leader whose client is written to before there
// is anything gets all of it.
func TestPlayFromTheBeginning(t *testing.T) {
	t.Parallel()
	f := newSet(1<<20, 1<<30).Alone(key, stream)
	r := f.Play()
	defer r.Leave()
	f.Append([]byte("a"), 0)
	f.Append([]byte("b"), Own)
	f.Finish(nil, nil)
	if data, err := drain(r, nil); data != "ab" || !errors.Is(err, io.EOF) {
		t.Errorf("played %q, %v", data, err)
	}
}

func TestNobodyWaitsForWhoIsStuck(t *testing.T) {
	t.Parallel()
	now := time.Unix(100, 0)
	s := NewSet(1<<20, 1<<30, func() time.Time { return now })
	f := lead(t, s, stream, nil)
	f.Writing(now)
	join(t, s, stream).Leave()
	now = now.Add(time.Second)
	if g, follow := s.Enter(key, 0, stream, nil); follow != nil {
		t.Error("joined a leader that has been writing for a second")
	} else {
		g.Finish(nil, nil)
	}
	f.Writing(time.Time{})
	join(t, s, stream).Leave()
}

func TestStopped(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 1<<30)
	f := lead(t, s, stream, nil)
	defer f.Finish(nil, nil)
	r := join(t, s, stream)
	defer r.Leave()
	done := make(chan struct{})
	close(done)
	if _, err := r.Opened(done); !errors.Is(err, ErrStopped) {
		t.Errorf("opened: %v", err)
	}
	if _, err := r.Next(done); !errors.Is(err, ErrStopped) {
		t.Errorf("next: %v", err)
	}
	if _, _, err := r.Whole(done); !errors.Is(err, ErrStopped) {
		t.Errorf("whole: %v", err)
	}
}

// TestPlay holds that the leader's own player goes on where its client is, and
// gets what is for that client alone.
func TestPlay(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 1<<30)
	f := lead(t, s, stream, nil)
	f.Append([]byte("seen "), 0)
	p := f.Play()
	defer p.Leave()
	if f.Followed() {
		t.Error("the leader's player counts as a follower")
	}
	f.Append([]byte("more "), 0)
	f.Append([]byte("own "), Own)
	f.Append([]byte("hidden "), Hidden)
	f.Append([]byte("last"), Last)
	f.Finish(nil, nil)
	if data, err := drain(p, nil); data != "more own last" || !errors.Is(err, io.EOF) {
		t.Errorf("played %q, %v", data, err)
	}
}

// TestLastPiece holds that the piece that ends a stream is read by itself, also
// where the dialect has no terminator and it has nothing in it.
func TestLastPiece(t *testing.T) {
	t.Parallel()
	for i, end := range []string{"last", "last", ""} {
		for _, late := range []bool{false, true} {
			s := newSet(1<<20, 1<<30)
			f := lead(t, s, stream, nil)
			r := join(t, s, stream)
			if f.Append([]byte("event"), 0); late {
				if p, err := r.Next(nil); string(p.Data) != "event" || p.Last || err != nil {
					t.Errorf("%q, late: %+v, %v", end, p, err)
				}
			}
			if i > 0 {
				f.Append([]byte("own"), Own)
			}
			f.Append([]byte(end), Last)
			f.Finish(nil, nil)
			if !late {
				if p, err := r.Next(nil); string(p.Data) != "event" || p.Last || !p.More || err != nil {
					t.Errorf("%q: %+v, %v", end, p, err)
				}
			}
			if p, err := r.Next(nil); string(p.Data) != end || !p.Last || err != nil {
				t.Errorf("%q, late %t: the end is %+v, %v", end, late, p, err)
			}
			if p, err := r.Next(nil); !p.empty() || !errors.Is(err, io.EOF) {
				t.Errorf("%q, late %t: behind it %+v, %v", end, late, p, err)
			}
			r.Leave()
		}
	}
}

// TestRecycle holds that the memory of a tape goes to another unless somebody has read
// it, who may do so yet.
func TestRecycle(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meet func(s *Set, f *Flight)
		kept bool
	}{
		"alone":    {func(*Set, *Flight) {}, false},
		"followed": {func(s *Set, _ *Flight) { join(t, s, stream) }, true},
		"left":     {func(s *Set, _ *Flight) { join(t, s, stream).Leave() }, true},
		"played":   {func(_ *Set, f *Flight) { f.Play() }, true},
	} {
		s := newSet(1<<20, 1<<30)
		f := lead(t, s, stream, nil)
		piece := bytes.Repeat([]byte("x"), 1000)
		for range 20 {
			f.Append(piece, 0)
		}
		var all []*chunk
		for c := f.first; c != nil; c = c.next {
			all = append(all, c)
		}
		data := all[1].data
		tt.meet(s, f)
		f.Finish(nil, nil)
		if len(all) < 3 {
			t.Fatalf("%d chunks", len(all))
		}
		if kept := f.first != nil; kept != tt.kept || (f.last != nil) != tt.kept {
			t.Errorf("%s: the tape is kept: %t", name, kept)
		}
		if tt.kept && (len(all[1].data) != len(data) || all[0].next != all[1]) {
			t.Errorf("%s: what is read has been given away", name)
		}
		f.Append(piece, 0) // is on no tape
		if _, ok := f.Body(); ok != tt.kept {
			t.Errorf("%s: it is there: %t", name, ok)
		}
	}
}

// TestFixedIsNobodyElses holds that what was put without a copy is not given away.
func TestFixedIsNobodyElses(t *testing.T) {
	t.Parallel()
	s := newSet(1<<20, 1<<30)
	mine := bytes.Repeat([]byte("m"), smallest)
	for range 100 {
		f, g := lead(t, s, stream, nil), s.Alone(key, stream)
		f.Put(mine, 0)
		f.Finish(nil, nil)
		g.Append([]byte("another's"), 0)
		g.Finish(nil, nil)
	}
	if !bytes.Equal(mine, bytes.Repeat([]byte("m"), smallest)) {
		t.Error("it has become another's")
	}
}

func TestChunkSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		start       int64
		piece, want int
	}{
		{0, 1, smallest},
		{0, smallest, smallest},
		{0, smallest + 1, 2 * smallest},
		{0, largest, largest},
		{0, largest + 1, largest + 1},
		{smallest, 1, smallest},
		{2 * smallest, 1, 2 * smallest},
		{largest - 1, 1, largest / 2},
		{1 << 40, 1, largest},
		{1 << 40, largest * 2, largest * 2},
	} {
		if got := cap(newChunk(tt.start, tt.piece).data); got != tt.want {
			t.Errorf("a chunk from %d on for %d has %d bytes, not %d", tt.start, tt.piece, got, tt.want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s := newSet(1<<40, 1<<50)
	event := []byte(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" word"}}]}` + "\n\n")
	f, _ := s.Enter(key, 0, stream, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%500 == 0 {
			f.Finish(nil, nil)
			f, _ = s.Enter(key, 0, stream, nil)
		}
		f.Append(event, 0)
	}
}
