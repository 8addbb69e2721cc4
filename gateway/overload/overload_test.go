package overload

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// world is a process whose clock, load and chance a test decides.
type world struct {
	*Guard
	now      time.Time
	timers   []timer
	found    Sample
	turn     float64
	episodes []Episode
}

type timer struct {
	at time.Time
	do func()
}

func (w *world) Now() time.Time { return w.now }

func (w *world) AfterFunc(d time.Duration, f func()) func() bool {
	w.timers = append(w.timers, timer{w.now.Add(d), f})
	return func() bool { return false }
}

// pass lets time go by, and what was put off until then happen.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	due := w.timers
	w.timers = nil
	for _, t := range due {
		if t.at.After(w.now) {
			w.timers = append(w.timers, t)
		} else {
			t.do()
		}
	}
}

func newWorld(s Settings) *world {
	w := &world{now: time.Unix(1_000_000, 0)}
	w.Guard = New(w, func() float64 { w.turn += 0.1; w.turn -= float64(int(w.turn)); return w.turn },
		func() Sample { return w.found }, func(e Episode) { w.episodes = append(w.episodes, e) })
	w.Configure(s)
	return w
}

// arrive has n requests of each of the classes come, and returns how many of
// each were let in.
func (w *world) arrive(n int, of ...queue.Class) map[queue.Class]int {
	in := make(map[queue.Class]int)
	for range n {
		for _, class := range of {
			if _, ok := w.Enter(class); ok {
				in[class]++
				w.Leave()
			}
		}
	}
	return in
}

// TestRoom fills the gateway with the lowest class: those above still find
// room, and the highest has all of it.
func TestRoom(t *testing.T) {
	w := newWorld(Settings{MaxInFlight: 100})
	for _, tt := range []struct {
		class queue.Class
		most  int
	}{{queue.Batch, 80}, {queue.Low, 85}, {queue.Normal, 90}, {queue.High, 95}, {queue.Critical, 100}} {
		for {
			if _, ok := w.Enter(tt.class); !ok {
				break
			}
		}
		if n := int(w.inFlight.Load()); n != tt.most {
			t.Errorf("%v: %d are in, want %d", tt.class, n, tt.most)
		}
	}
	for range 100 {
		w.Leave()
	}
	if _, ok := w.Enter(queue.Batch); !ok {
		t.Error("the room is not free again")
	}
	if Room(1, queue.Batch) != 1 || Room(0, queue.Batch) != 0 {
		t.Error("small numbers")
	}
}

// TestLowestFirst holds that no class is refused anything while one below is let
// in, however much there is too much of.
func TestLowestFirst(t *testing.T) {
	for _, found := range []Sample{{Memory: 200}, {Latency: time.Second}} {
		w := newWorld(Settings{MaxMemory: 100, TargetLatency: 100 * time.Millisecond})
		w.found = found
		const n = 20
		refused := false
		for range 200 {
			w.pass(every)
			in := w.arrive(n, queue.Critical, queue.Normal, queue.Batch)
			if in[queue.Critical] < n && in[queue.Normal] > 0 || in[queue.Normal] < n && in[queue.Batch] > 0 {
				t.Fatalf("%v: %v", found, in)
			}
			refused = refused || in[queue.Normal] == 0
		}
		if !refused {
			t.Error("nothing came of it")
		}
		w.found = Sample{}
		for range 100 {
			w.pass(every)
			w.arrive(n, queue.Batch)
		}
		if in := w.arrive(n, queue.Batch, queue.Critical); in[queue.Batch] != n || in[queue.Critical] != n {
			t.Errorf("afterwards: %v", in)
		}
		w.pass(calm)
		if len(w.episodes) != 2 || w.episodes[0].Over || !w.episodes[1].Over || w.episodes[1].Shed == 0 {
			t.Errorf("episodes %+v", w.episodes)
		}
	}
}

// TestConverges puts three times as much on a machine as it can do: what is let in
// comes near to that, and stays there.
func TestConverges(t *testing.T) {
	w := newWorld(Settings{TargetLatency: 50 * time.Millisecond})
	const capacity = 100
	in, looks := 0, 0
	for i := range 600 {
		w.pass(every)
		got := w.arrive(150, queue.Normal, queue.Batch)
		n := got[queue.Normal] + got[queue.Batch]
		w.found.Latency = time.Millisecond
		if n > capacity {
			w.found.Latency = 200 * time.Millisecond
		}
		if i >= 100 {
			in += min(n, capacity)
			looks++
		}
	}
	if done := in / looks; done < capacity*8/10 {
		t.Errorf("%d of %d were done", done, capacity)
	}
}

// TestNotLookedAt holds that what no setting speaks of keeps nobody out, also when a
// reload has taken the setting away.
func TestNotLookedAt(t *testing.T) {
	for name, after := range map[string]Settings{"memory alone": {MaxMemory: 100}, "none": {}} {
		w := newWorld(Settings{MaxMemory: 100})
		w.found = Sample{Memory: 200, Latency: time.Hour}
		for range 50 {
			w.pass(every)
			w.arrive(5, queue.Normal)
		}
		if w.Share() == 0 {
			t.Fatal("nobody is refused")
		}
		w.Configure(after)
		if after.MaxMemory > 0 {
			w.found.Memory = 10
		}
		for range 100 {
			w.pass(every)
			w.arrive(5, queue.Normal)
		}
		if w.Share() != 0 {
			t.Errorf("%s: %v of all are still refused", name, w.Share())
		}
	}
}

// TestBurst holds that what passes by itself is not refused for, and that
// between too much and clearly less nothing moves.
func TestBurst(t *testing.T) {
	w := newWorld(Settings{TargetLatency: 100 * time.Millisecond})
	for i := range 50 {
		w.found.Latency = time.Duration(1+i%2*200) * time.Millisecond
		w.pass(every)
		if in := w.arrive(5, queue.Batch); in[queue.Batch] != 5 {
			t.Fatal(i, in)
		}
	}
	w.found.Latency = time.Second
	for range 20 {
		w.pass(every)
		w.arrive(5, queue.Batch)
	}
	was := w.Share()
	w.found.Latency = 75 * time.Millisecond
	for range 20 {
		w.pass(every)
		w.arrive(5, queue.Batch)
	}
	if was == 0 || w.Share() != was {
		t.Errorf("the share went from %v to %v", was, w.Share())
	}
}

// TestSampler looks at this process.
func TestSampler(t *testing.T) {
	sample := NewSampler()
	sample()
	keep := make([]byte, 64<<20)
	for i := range keep {
		keep[i] = 1
	}
	debug.FreeOSMemory()
	if s := sample(); s.Memory < 64<<20 || s.Memory > 1<<30 {
		t.Errorf("%+v", s)
	}
	runtime.KeepAlive(keep)
	counts, before := []uint64{0, 1000, 5, 20}, []uint64{0, 800, 5, 0}
	if d := quantile(counts, before, []float64{0, 0.001, 0.01, 0.1, 1}); d != 100*time.Millisecond {
		t.Error(d)
	}
	counts[3] = 1
	if d := quantile(counts, before, []float64{0, 0.001, 0.01, 0.1, 1}); d != time.Millisecond {
		t.Error(d)
	}
	was := debug.SetMemoryLimit(1 << 30)
	defer debug.SetMemoryLimit(was)
	if n := MemoryLimit(); n != 1<<30 {
		t.Error(n)
	}
}
