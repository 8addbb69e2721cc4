package memory

import (
	"fmt"
	"testing"

	"github.com/weirproxy/weir/gateway/limits/limitstest"
)

// TestTraces holds the store to the model on random traces.
func TestTraces(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			clock := limitstest.NewClock()
			limitstest.Trace(t, seed, 400, clock, New(clock.Now, 0))
		})
	}
}
