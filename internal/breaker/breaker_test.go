package breaker

import "testing"

// TestBreaker opens after so many failures in a row, once, and stays open until it is
// closed.
func TestBreaker(t *testing.T) {
	var b Breaker
	fail := func(times int) (opened int) {
		for range times {
			if b.Record(false) {
				opened++
			}
		}
		return opened
	}
	fail(Threshold - 1)
	b.Record(true)
	if opened := fail(Threshold - 1); opened != 0 || !b.Allow() {
		t.Errorf("a success does not end the row: opened %d times, allows %v", opened, b.Allow())
	}
	if opened := fail(Threshold); opened != 1 || b.Allow() {
		t.Errorf("opened %d times after %d failures, allows %v", opened, Threshold, b.Allow())
	}
	if b.Record(true); b.Allow() {
		t.Error("a command that was on its way has closed it")
	}
	if b.Close(); !b.Allow() || fail(Threshold-1) != 0 {
		t.Error("it does not begin anew when it was closed")
	}
	if b.Trip(); b.Allow() || b.Record(false) {
		t.Errorf("it was opened at once, and allows %v, or opens again", b.Allow())
	}
}
