package redis

import (
	"fmt"
	"testing"

	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
	"github.com/weirproxy/weir/stores/memory"
)

// TestTwins runs the same random traces through the script and through the Go
// implementation: they must agree in every decision, and keep to the model.
func TestTwins(t *testing.T) {
	for i, program := range redistest.All(t) {
		seeds := uint64(40)
		if i > 0 || testing.Short() {
			seeds = 5
		}
		t.Run(program.Name, func(t *testing.T) {
			server := program.Start(t)
			for seed := range seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					clock := limitstest.NewClock()
					store := open(t, server, func(o *Options) { o.Prefix = fmt.Sprintf("twin%d", seed) })
					store.fixed = clock.Micros
					limitstest.Trace(t, seed, 300, clock, memory.New(clock.Now, 0), store)
				})
			}
		})
	}
}
