package handlers

import (
	"net/http"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/wire"
)

// How long an account is left alone that has used up what it paid for, or that
// may not use a model: neither passes by itself.
const (
	brokeTime     = time.Minute
	forbiddenTime = time.Minute
)

// verdict is what the end of an attempt says of its upstream; err is why it
// failed, nil when its answer was shown to its end.
func verdict(err error) health.Result {
	if err == nil {
		return health.Result{Class: health.OK}
	}
	if gateway.CalledOff(err) {
		return health.Result{Class: health.Abandoned}
	}
	e := gateway.AsError(err)
	r := health.Result{Class: health.Failed, RetryAfter: e.RetryAfter, Reason: e.Kind.String()}
	if e.Phase != "" {
		r.Reason += " (" + e.Phase + ")"
	}
	switch {
	case e.Credential && e.Status != http.StatusForbidden:
		r.Class = health.Auth
	case e.Credential:
		r.Class, r.RetryAfter = health.RateLimit, max(r.RetryAfter, forbiddenTime)
	case e.Kind == wire.KindBudget:
		r.Class, r.RetryAfter = health.RateLimit, max(r.RetryAfter, brokeTime)
	case e.Kind == wire.KindRateLimit:
		r.Class = health.RateLimit
	case !e.Kind.Retryable():
		r.Class = health.ClientError
	}
	return r
}
