package handlers

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFields holds that values share memory and yet do not touch each other, and
// that there may be more than there is room for.
func TestFields(t *testing.T) {
	o := &output{w: httptest.NewRecorder()}
	o.set("A", "1")
	o.set("B", "2")
	o.w.Header().Add("A", "3")
	all := newTexts()
	all.number("C", -42)
	all.text = appendOpenAIDuration(all.text, 90*time.Second)
	all.end("D")
	o.setAll(all)
	if again := newTexts(); again.n != 0 || len(again.text) != 0 {
		t.Errorf("the next begin with %q", again.text)
	}
	want := http.Header{"A": {"1", "3"}, "B": {"2"}, "C": {"-42"}, "D": {"1m30s"}}
	for i := range len(o.values.room) {
		name := "E" + strconv.Itoa(i)
		o.set(name, "5")
		want[name] = []string{"5"}
	}
	if diff := cmp.Diff(want, o.w.Header()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestFieldsAgain holds that a value which is set again takes no more room, and
// that one which has got another beside it, or is somebody else's, is left alone.
func TestFieldsAgain(t *testing.T) {
	o := &output{w: httptest.NewRecorder()}
	theirs := []string{"theirs"}
	o.w.Header()["C"] = theirs
	for _, value := range []string{"1", "2", "3"} {
		o.set("A", value)
		o.set("B", value)
	}
	o.set("C", "ours")
	if o.values.used != 3 || theirs[0] != "theirs" {
		t.Errorf("%d values are used, and the other's is %s", o.values.used, theirs[0])
	}
	both := append(o.w.Header()["A"], "4")
	o.w.Header()["A"] = both
	o.set("A", "5")
	want := http.Header{"A": {"5"}, "B": {"3"}, "C": {"ours"}}
	if diff := cmp.Diff(want, o.w.Header()); diff != "" || both[0] != "3" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestTextsAllocations holds what they are for: fields cost the one string.
func TestTextsAllocations(t *testing.T) {
	o := &output{w: httptest.NewRecorder()}
	if n := testing.AllocsPerRun(100, func() {
		all := newTexts()
		all.number("A", 1<<40)
		all.number("B", 1<<41)
		o.setAll(all)
	}); n >= 2 { // the race detector has pools forget some
		t.Errorf("%v allocations", n)
	}
}

func TestOpenAIDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Microsecond: "1ms", 12 * time.Millisecond: "12ms", 999900 * time.Microsecond: "1s", time.Second: "1s",
		1001 * time.Millisecond: "2s", 1600 * time.Millisecond: "2s", 59*time.Second + time.Nanosecond: "1m0s", 6 * time.Minute: "6m0s", time.Hour + 5*time.Second: "1h0m5s", 30 * 24 * time.Hour: "720h0m0s",
	} {
		if got := string(appendOpenAIDuration(nil, d)); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// TestAnthropicTime never names a second before the moment itself.
func TestAnthropicTime(t *testing.T) {
	second := time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "2026-03-01T23:59:59Z", 1: "2026-03-02T00:00:00Z", time.Second: "2026-03-02T00:00:00Z",
	} {
		moment := second.Add(d).In(time.FixedZone("east", 3*3600))
		if got := string(appendAnthropicTime(nil, moment)); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
