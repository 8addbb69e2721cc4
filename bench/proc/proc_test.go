package proc

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestStat(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		want stat
		bad  bool
	}{
		"plain":       {"17 (caddy) S 4 17 4 0 -1 4194560 1 0 0 0 120 30 5 6 20 0 9 0 1 2 3", stat{4, 1500 * time.Millisecond}, false},
		"odd name":    {"17 (a) R 9 (b c) S 4 17 4 0 -1 4194560 1 0 0 0 1 0 0 0 20 0 9", stat{4, 10 * time.Millisecond}, false},
		"truncated":   {"17 (caddy) S 4 17", stat{}, true},
		"no name":     {"17 caddy", stat{}, true},
		"not numbers": {"17 (caddy) S 4 17 4 0 -1 4194560 1 0 0 0 x 30 5 6", stat{}, true},
	} {
		got, err := parseStat(tc.line)
		if (err != nil) != tc.bad || !tc.bad && got != tc.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestSince(t *testing.T) {
	task := func(pairs ...time.Duration) map[int]time.Duration {
		m := make(map[int]time.Duration)
		for i := 0; i < len(pairs); i += 2 {
			m[int(pairs[i])] = pairs[i+1]
		}
		return m
	}
	for name, tc := range map[string]struct {
		before, now CPU
		want        time.Duration
	}{
		"fine":            {CPU{10, task(1, 100, 2, 200)}, CPU{20, task(1, 150, 2, 201)}, 51},
		"a new thread":    {CPU{10, task(1, 100)}, CPU{20, task(1, 150, 2, 7)}, 57},
		"a thread ended":  {CPU{10, task(1, 100, 2, 200)}, CPU{20, task(1, 150)}, 10},
		"an id used anew": {CPU{10, task(1, 100, 2, 200)}, CPU{20, task(1, 150, 2, 3)}, 10},
		"no schedstat":    {CPU{10, nil}, CPU{25, nil}, 15},
	} {
		if got := tc.now.Since(tc.before); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

func TestMachineAndNoise(t *testing.T) {
	before, err := parseMachine("cpu  100 50 25 1000 10 0 5 20 7 0\ncpu0 1 2 3\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Machine{Busy: 1800 * time.Millisecond, Idle: 10100 * time.Millisecond, Stolen: 200 * time.Millisecond}); before != want {
		t.Errorf("%+v, want %+v", before, want)
	}
	after := Machine{Busy: before.Busy + 600*time.Millisecond, Idle: before.Idle + 300*time.Millisecond, Stolen: before.Stolen + 100*time.Millisecond}
	if got, want := after.Noise(before, 400*time.Millisecond), (Noise{Foreign: 0.2, Stolen: 0.1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := after.Noise(before, time.Hour); got.Foreign != 0 {
		t.Errorf("%+v", got)
	}
	if got := before.Noise(before, 0); got != (Noise{}) {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"", "cpu 1 2", "cpu0 1 2 3 4 5 6 7 8", "cpu a 2 3 4 5 6 7 8"} {
		if _, err := parseMachine(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestFields(t *testing.T) {
	if n, err := field("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t   1234 kB\n", "VmRSS:"); n != 1234 || err != nil {
		t.Error(n, err)
	}
	if _, err := field("Name:\tx\n", "VmRSS:"); err == nil {
		t.Error("a process without memory has some")
	}
	if n, err := socketPages("sockets: used 14\nTCP: inuse 1 orphan 0 tw 170 alloc 1 mem 165\nUDP: inuse 0 mem 7\n"); n != 165 || err != nil {
		t.Error(n, err)
	}
	if _, err := socketPages("UDP: inuse 0 mem 7\n"); err == nil {
		t.Error("memory of TCP without TCP")
	}
	if d, err := runTime([]byte("80211 7 1\n")); d != 80211 || err != nil {
		t.Error(d, err)
	}
	if _, err := runTime([]byte("80211\n")); err == nil {
		t.Error("half a schedstat is read")
	}
}

// TestTree uses a /proc of its own.
func TestTree(t *testing.T) {
	dir := t.TempDir()
	for pid, parent := range map[string]string{"1": "0", "10": "1", "11": "10", "12": "11", "20": "1"} {
		if err := os.Mkdir(filepath.Join(dir, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		line := pid + " (x) S " + parent + " 1 1 0 -1 0 0 0 0 0 1 2 0 0"
		if err := os.WriteFile(filepath.Join(dir, pid, "stat"), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fs := FS(dir)
	got := fs.Tree(10)
	slices.Sort(got)
	if want := []int{10, 11, 12}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	cpu, err := fs.CPUOf(got)
	if err != nil || cpu.Since(CPU{}) != 90*time.Millisecond {
		t.Errorf("%v, %v", cpu.Since(CPU{}), err)
	}
}

// TestSelf reads the machine's own /proc.
func TestSelf(t *testing.T) {
	pid := []int{os.Getpid()}
	cpu, err := Root.CPUOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	rss, err := Root.RSS(pid)
	if err != nil || rss < 1<<20 {
		t.Errorf("%d bytes, %v", rss, err)
	}
	for range 1000 {
		_ = slices.Repeat([]byte{1}, 1<<16)
	}
	again, err := Root.CPUOf(pid)
	if err != nil || again.Since(cpu) <= 0 {
		t.Errorf("%v used, %v", again.Since(cpu), err)
	}
	if _, err := Root.Machine(); err != nil {
		t.Error(err)
	}
	if _, err := Root.SocketMemory(); err != nil {
		t.Error(err)
	}
	if _, cpus, memory := Root.Describe(); cpus == 0 || memory == 0 {
		t.Error("no machine")
	}
}
