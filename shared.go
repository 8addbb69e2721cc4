package weir

import (
	"fmt"
	"math/rand/v2"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/capacity"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/overload"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/handlers"
	"github.com/weirproxy/weir/internal/telemetry"
)

// shared is what outlives a reload: the counts of the process, what is known of
// the providers' health, and who waits for room.
type shared struct {
	metrics *telemetry.Metrics
	tracker *health.Tracker
	hedges  *health.Budget
	queues  *queue.Set
	margins *limits.Margins

	// capacity counts the calls to each provider.
	capacity *capacity.Set
	overload *overload.Guard

	kept *handlers.Kept
}

// pool holds the one shared value, for as long as a configuration uses it. A
// reload provisions the new configuration before it cleans up the old one, so
// it never falls to none in between.
var pool = caddy.NewUsagePool()

const poolKey = "ai"

// hedgeFloor is how many hedges there may be in ten seconds however few
// requests there are.
const hedgeFloor = 3

// metrics are the process's collectors. They stay even when no configuration
// has an `ai` app for a while, since counters must not go back.
var metrics = telemetry.NewMetrics(telemetry.Breakers(breakers), telemetry.Leased(leased), telemetry.Places(places), telemetry.Kept(keptStats),
	telemetry.Ledger(ledgerPending), telemetry.StoreErrors(storeErrors))

func acquireShared() (*shared, error) {
	value, _, err := pool.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		s := &shared{metrics: metrics, tracker: health.New(gateway.SystemClock{}, rand.Float64), queues: queue.NewSet(queue.System{}), margins: limits.NewMargins()}
		s.capacity = capacity.NewSet(s.queues)
		s.overload = overload.New(queue.System{}, rand.Float64, overload.NewSampler(), overloaded)
		s.hedges = health.NewBudget(gateway.SystemClock{}, health.HedgeRatio, hedgeFloor)
		s.tracker.OnChange(announce)
		var err error
		if s.kept, err = newKept(); err != nil {
			return nil, err
		}
		return s, nil
	})
	if err != nil {
		return nil, fmt.Errorf("sharing state: %w", err)
	}
	return value.(*shared), nil
}

func releaseShared() error {
	_, err := pool.Delete(poolKey)
	return err
}

// Destruct implements caddy.Destructor.
func (s *shared) Destruct() error {
	s.kept.Memory.Close()
	return nil
}
