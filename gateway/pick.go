package gateway

import "time"

// Pick is where an attempt goes.
type Pick struct {
	Route *Route

	// Account is the provider's account to call with, and Name its name;
	// empty where it has only one.
	Account int
	Name    string

	// Health is the call as it has been entered. It must be ended.
	Health Visit

	// Reason is why, Pause how long to wait before.
	Reason string
	Pause  time.Duration

	// Skipped are targets that were not fit, and why, for explanations.
	Skipped []string
}

// The reasons of picks.
const (
	ReasonFirst     = "first"
	ReasonFailover  = "failover"
	ReasonRetry     = "retry"
	ReasonFallback  = "fallback"
	ReasonUnhealthy = "unhealthy" // the first, elsewhere because nothing of the model's own is fit
	ReasonPanic     = "panic"     // nothing is fit
	ReasonBusy      = "busy"      // the provider that was picked has no place free
	ReasonHedge     = "hedge"
	ReasonContinue  = "continue"
)

// place is one account for one target; account is empty where there is only
// one.
type place struct {
	target  Target
	account string
}

func placeOf(route *Route, account string) place {
	if len(route.pool.names) == 1 {
		account = ""
	}
	return place{route.Target, account}
}

func (p *Pick) place() place { return place{p.Route.Target, p.Name} }
