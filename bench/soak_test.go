package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/bench/targets"
)

// TestSoakFlows holds that the shares of a soak are one load, and that its streams
// are those that the upstream streams.
func TestSoakFlows(t *testing.T) {
	sum := 0.0
	for _, f := range soakFlows(1000) {
		sum += f.Rate
		if f.Chunks > 0 != f.Request.Stream || f.Chunks > 0 != (f.Request.Model == "claude") || f.Chunks > 0 && f.Chunks != soakStream.Tokens {
			t.Errorf("%s: %+v", f.Name, f)
		}
		if f.Conns < 1 {
			t.Errorf("%s has no connection", f.Name)
		}
	}
	if math.Abs(sum-1000) > 1e-6 {
		t.Errorf("%v requests a second", sum)
	}
	if !strings.HasSuffix(messages, soakStream.Only) {
		t.Errorf("streams are of %s", soakStream.Only)
	}
	if _, ok := targets.Find(soaked); !ok {
		t.Errorf("no target %s", soaked)
	}
	for span, want := range map[time.Duration]time.Duration{time.Hour: time.Minute, 2 * time.Minute: 7500 * time.Millisecond} {
		if got := soakEvery(span); got != want {
			t.Errorf("looks each %v in %v", got, span)
		}
	}
}
