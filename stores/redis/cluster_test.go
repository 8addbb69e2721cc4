package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/limits/limitstest"
	"github.com/weirproxy/weir/internal/redistest"
)

// TestCluster decides on three nodes, which refuse scripts whose keys are on
// different slots (F10), and send clients elsewhere: while decisions race, the
// slot moves to another node, and then its node dies and a replica takes over.
// No more than the limit is admitted, and nothing is restarted.
func TestCluster(t *testing.T) {
	for i, program := range redistest.All(t) {
		if i == 1 {
			continue // the same code as the newer Redis's
		}
		for _, mode := range []string{modeStrict, modeLeased} {
			t.Run(program.Name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				movingCluster(t, program, mode)
			})
		}
	}
}

func movingCluster(t *testing.T, program redistest.Program, mode string) {
	c := program.StartCluster(t, 3)
	through := func(node *redistest.Server) *Store {
		return open(t, node, func(o *Options) { o.URL += "?addr=" + c.Nodes[0].Addr + "&addr=" + c.Nodes[1].Addr })
	}
	a, b := through(c.Nodes[2]), through(c.Nodes[1])
	limitstest.Race(t, a, b)

	stores := []*Store{a, b}
	gateways := []*limits.Failover{failover(a, 2), failover(b, 2)}
	if mode == modeLeased {
		for i, s := range stores {
			l, f := lendingFailover(s, 2)
			defer l.Close()
			gateways[i] = f
		}
	}
	const limit = 1_000_000
	words := []string{"tokens", "1M", "1h"}
	var admitted, degraded atomic.Int64
	decide := func(f *limits.Failover, amount int64) (ok, local bool) {
		r := claim(t, "cluster", amount, words...)
		ok, err := f.Reserve(context.Background(), r)
		if err != nil {
			t.Error(err)
		}
		if local = r.Decisions[0].Degraded; local {
			degraded.Add(1)
		}
		if ok {
			admitted.Add(amount)
			if err := f.Settle(context.Background(), r, nil); err != nil && !errors.Is(err, limits.ErrUnavailable) {
				t.Error(err)
			}
		}
		return ok, local
	}
	// asked decides through the store again.
	asked := func() {
		t.Helper()
		for i, s := range stores {
			eventually(t, "the store", func() bool {
				_, local := decide(gateways[i], 1)
				return !local && s.Pending() == 0
			})
		}
	}

	var all sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		all.Go(func() {
			pace := time.NewTicker(10 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-done:
					return
				case <-pace.C:
					decide(gateways[i%2], 10)
				}
			}
		})
	}
	from, to := c.Owner("{weir}:cluster"), c.Nodes[0]
	if to == from {
		to = c.Nodes[1]
	}
	// A script whose keys are partly here and partly there is refused: then the
	// limits' on_store_error decides.
	c.Move("{weir}:cluster", from, to, func() {
		before := admitted.Load()
		eventually(t, "decisions while the slot moves", func() bool { return admitted.Load() > before })
	})
	asked()
	if c.Owner("{weir}:cluster") != to {
		t.Error("the slot has not moved")
	}
	replica := c.AddReplica(program, to)
	to.Synced(1)
	to.Stop()
	eventually(t, "decisions without the node", func() bool { return degraded.Load() > 0 })
	eventually(t, "the replica", func() bool { return strings.Contains(replica.Must("INFO replication"), "role:master") })
	asked()
	close(done)
	all.Wait()
	asked()

	for refused := 0; refused < 4; {
		ok, local := decide(gateways[refused%2], limit/100)
		if local {
			t.Fatal("decided without the store after recovery")
		}
		if refused++; ok {
			refused = 0
		}
	}
	if n := admitted.Load(); n > limit || n < limit*8/10 {
		t.Errorf("%d admitted of %d, %d times without the store", n, limit, degraded.Load())
	}
}
