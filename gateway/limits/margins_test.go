package limits

import (
	"fmt"
	"testing"
)

type holder struct {
	m         *Margins
	key       string
	corrected int
}

func (h *holder) Correct() {
	h.corrected++
	h.m.Drop(h.key, h)
}

// TestMargins holds when a margin may be held, and who is told to give it back.
func TestMargins(t *testing.T) {
	m := NewMargins()
	a, b := &holder{m: m, key: "k"}, &holder{m: m, key: "k"}
	if !m.Hold("k", a) || !m.Hold("k", b) {
		t.Fatal("a counter that nobody has asked counts as near")
	}
	if list := m.Note("k", false); len(list) != 0 {
		t.Errorf("%d are told although the limit is far", len(list))
	}
	before := m.Returned("k")
	m.Drop("k", b)
	if m.Returned("k") == before {
		t.Error("a margin has gone and nothing shows it")
	}
	if list := m.Note("k", true); len(list) != 1 || list[0] != a {
		t.Errorf("told %v when the limit came near", list)
	}
	if list := m.Note("k", true); len(list) != 0 {
		t.Errorf("told %d once more", len(list))
	}
	if m.Hold("k", b) {
		t.Error("a margin near the limit")
	}
	if !m.Correct("k") || a.corrected != 1 {
		t.Errorf("corrected %d times", a.corrected)
	}
	if m.Correct("k") || m.Correct("other") {
		t.Error("corrected what nobody holds")
	}
	if m.Note("k", false); !m.Hold("k", b) {
		t.Error("no margin although the limit is far again")
	}
	for i := range 3 * marginShards * maxMargins {
		m.Note(fmt.Sprint(i), true)
	}
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].counters)
	}
	if n > marginShards*maxMargins {
		t.Errorf("%d counters are remembered", n)
	}
	if !m.Correct("k") || b.corrected != 1 {
		t.Error("a holder was forgotten")
	}
}

// TestBears holds how much a margin may be, and under which rules there is none.
func TestBears(t *testing.T) {
	for _, tc := range []struct {
		words []string
		want  bool
	}{
		{[]string{"tokens", "64000", "1m"}, true},
		{[]string{"tokens", "63999", "1m"}, false},
		{[]string{"tokens", "64000", "1m", "queue", "5s"}, false},
		{[]string{"tokens", "64000", "1m", "downgrade", "small"}, false},
		{[]string{"tokens", "64000", "1m", "on_exceed", "cut"}, false},
		{[]string{"tokens", "64000", "1m", "shadow"}, false},
	} {
		rule, err := Parse(tc.words)
		if err != nil {
			t.Fatal(err)
		}
		if got := rule.Bears(1000); got != tc.want {
			t.Errorf("%v: %v", tc.words, got)
		}
	}
	for _, tc := range []struct {
		d    Decision
		want bool
	}{
		{Decision{Limit: 100, Remaining: 50}, false},
		{Decision{Limit: 100, Remaining: 49}, true},
		{Decision{Limit: 100, Remaining: 100, Degraded: true}, true},
		{Decision{Limit: 100, Remaining: 90, Over: true}, true},
	} {
		if got := tc.d.Near(); got != tc.want {
			t.Errorf("%+v: %v", tc.d, got)
		}
	}
}
