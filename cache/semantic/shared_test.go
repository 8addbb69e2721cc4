package semantic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/cache"
)

// memoryLog is a Log in memory.
type memoryLog struct {
	mu    sync.Mutex
	rows  map[Partition][][]byte
	down  bool
	reads int // rows that were read
}

func (l *memoryLog) Rows(_ context.Context, p Partition, after string, limit int) ([][]byte, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, "", errors.New("down")
	}
	from, _ := strconv.Atoi(after)
	rows := l.rows[p][from:]
	rows = rows[:min(len(rows), limit)]
	l.reads += len(rows)
	return rows, strconv.Itoa(from + len(rows)), nil
}

func (l *memoryLog) AppendRow(p Partition, _ cache.Key, _ []float32, row []byte, _ time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows[p] = append(l.rows[p], row)
	return !l.down
}

func TestShared(t *testing.T) {
	log := &memoryLog{rows: map[Partition][][]byte{}}
	x, c := newTest(Options{})
	a := NewShared(x, log, []byte("secret"))
	y, _ := newTest(Options{})
	b := NewShared(y, log, []byte("secret"))
	ctx := context.Background()
	add := func(k int, text string, v ...float32) {
		t.Helper()
		if err := a.Add(part(1), Row{Key: key(k), Vector: v, Features: Read(text), Expires: c.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	add(1, "What is 10 minus 3?", 1, 0)
	add(2, "What is 3 minus 10?", 1, 0.1)
	q := &Query{Vector: []float32{2, 0}, Features: Read("what's 3 minus 10")}
	if got, ok := b.Search(ctx, part(1), q, 0.9); !ok || got.Key != key(2) || !got.Expires.Equal(c.Now().Add(time.Hour)) {
		t.Errorf("the other instance finds %v %v", got, ok)
	}
	if got, ok := b.Nearest(ctx, part(2), q); ok {
		t.Errorf("another partition has %v", got)
	}
	// Only what is new is read again.
	before := log.reads
	add(3, "what's 3 minus 10", 1, 0)
	if got, ok := b.Search(ctx, part(1), q, 0.9); !ok || got.Key != key(3) || log.reads != before+1 {
		t.Errorf("%v %v, %d rows read", got, ok, log.reads-before)
	}
	// Without the log, what is known goes on answering.
	log.down = true
	if got, ok := b.Search(ctx, part(1), q, 0.9); !ok || got.Key != key(3) {
		t.Errorf("in an outage: %v %v", got, ok)
	}
	log.down = false
	// What was evicted is read from the beginning.
	for i := range 4 {
		y.Remove(part(1), key(i))
	}
	if got, ok := b.Search(ctx, part(1), q, 0.9); !ok || got.Key != key(3) {
		t.Errorf("after an eviction: %v %v", got, ok)
	}
	b.Remove(part(1), key(3))
	if got, ok := b.Search(ctx, part(1), q, 0.9); !ok || got.Key != key(2) {
		t.Errorf("after a removal: %v %v", got, ok)
	}
}

// finding is a log that can search, or not.
type finding struct {
	memoryLog
	able  bool
	asked int
}

func (f *finding) Find(_ context.Context, p Partition, vector []float32, limit int) ([][]byte, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if length := norm(vector); length < 0.999 || length > 1.001 || limit < 2 {
		return nil, true, errors.New("no vector of unit length")
	}
	return f.rows[p], f.able, nil
}

// TestFinder holds that what a store finds is judged here: the guard and the
// threshold are not the store's.
func TestFinder(t *testing.T) {
	for _, able := range []bool{true, false} {
		log := &finding{memoryLog: memoryLog{rows: map[Partition][][]byte{}}, able: able}
		x, c := newTest(Options{})
		y, _ := newTest(Options{})
		a, b := NewShared(x, log, nil), NewShared(y, log, nil)
		for k, text := range []string{"What is 10 minus 3?", "What is 3 minus 10?"} {
			if err := a.Add(part(1), Row{Key: key(k), Vector: []float32{10, float32(k)}, Features: Read(text), Expires: c.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		q := &Query{Vector: []float32{5, 0}, Features: Read("what's 3 minus 10")}
		if got, ok := b.Search(context.Background(), part(1), q, 0.999); ok {
			t.Errorf("below the threshold: %v", got)
		}
		for range 2 {
			if got, ok := b.Search(context.Background(), part(1), q, 0.9); !ok || got.Key != key(1) {
				t.Errorf("able %v: %v %v", able, got, ok)
			}
		}
		if log.asked != 1 {
			t.Errorf("able %v: the store was asked %d times for what is known", able, log.asked)
		}
		if (log.reads == 0) != able {
			t.Errorf("able %v: %d rows read", able, log.reads)
		}
	}
}

// TestForeignRows holds that a row counts only in its partition, unchanged, and
// from those who have the secret.
func TestForeignRows(t *testing.T) {
	x, c := newTest(Options{})
	row := Row{Key: key(1), Vector: []float32{1, 0}, Expires: c.Now().Add(time.Hour)}
	p1, p2 := part(1), part(2)
	good := appendRow(nil, []byte("secret"), &p1, &row)
	changed := bytes.Clone(good)
	changed[len(changed)-1] ^= 1
	older := bytes.Clone(good)
	older[0]++
	for name, raw := range map[string][]byte{
		"another partition's": appendRow(nil, []byte("secret"), &p2, &row), "changed": changed, "cut": good[:len(good)-4],
		"another version's": older, "without the secret": appendRow(nil, nil, &p1, &row), "empty": {},
	} {
		log := &memoryLog{rows: map[Partition][][]byte{p1: {raw}}}
		if got, ok := NewShared(x, log, []byte("secret")).Search(context.Background(), p1, &Query{Vector: []float32{1, 0}}, 0.9); ok {
			t.Errorf("%s row answers: %v", name, got)
		}
	}
	log := &memoryLog{rows: map[Partition][][]byte{p1: {changed, good}}}
	if got, ok := NewShared(x, log, []byte("secret")).Search(context.Background(), p1, &Query{Vector: []float32{1, 0}}, 0.9); !ok || got.Key != row.Key {
		t.Errorf("the good one does not: %v %v", got, ok)
	}
}

// TestSharedPages holds that a look-up reads a bounded part.
func TestSharedPages(t *testing.T) {
	log := &memoryLog{rows: map[Partition][][]byte{}}
	x, c := newTest(Options{})
	p := part(1)
	for i := range pageRows + 10 {
		row := Row{Key: key(i), Vector: []float32{1, float32(i)}, Expires: c.Now().Add(time.Hour)}
		log.AppendRow(p, row.Key, nil, appendRow(nil, nil, &p, &row), time.Hour)
	}
	s := NewShared(x, log, nil)
	for _, want := range []int{pageRows, pageRows + 10, pageRows + 10} {
		s.Search(context.Background(), p, &Query{Vector: []float32{1, 0}}, 0.9)
		if rows := x.Rows(); rows != want || log.reads != want {
			t.Errorf("%d rows, %d read, want %d", rows, log.reads, want)
		}
	}
}

func FuzzRow(f *testing.F) {
	p := part(1)
	row := Row{Key: key(1), Vector: []float32{1, 0}, Features: Read("What is 10 minus 3?"), Expires: time.Unix(9, 9)}
	whole := appendRow(nil, nil, &p, &row)[1+sumSize:]
	f.Add(whole)
	f.Add(whole[:len(whole)-4])
	f.Add(append(bytes.Clone(whole), 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, content []byte) {
		raw := append([]byte{rowVersion}, rowSum(nil, &p, content)...)
		got, err := readRow(append(raw, content...), nil, &p)
		if err != nil {
			return
		}
		// What can be read can be used and is written the same way.
		again := appendRow(nil, nil, &p, &got)
		if !bytes.Equal(again[1+sumSize:], content) {
			t.Errorf("%x is written as %x", content, again[1+sumSize:])
		}
		_ = fmt.Sprint(GuardWords.Allows(got.Features, row.Features))
	})
}
