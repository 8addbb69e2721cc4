package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// errSlowCheck is why a check failed that was not answered in its time.
var errSlowCheck = &gateway.Error{Kind: wire.KindTimeout, Phase: "health_check", Message: "the upstream did not answer within the timeout of health checks"}

// Ask makes a check: it asks the target for one token, in its provider's own
// dialect, and ends the check with what that shows. It is judged as a request's
// attempt is; nobody is charged for it. The result is "ok", "status 503", or
// what went wrong. When ctx ends, the check says nothing of the target.
func Ask(ctx context.Context, check *gateway.Check, timeout time.Duration, metrics *telemetry.Metrics) string {
	limited, cancel := context.WithTimeoutCause(ctx, timeout, errSlowCheck)
	defer cancel()
	reached, err := ask(limited, check, metrics)
	result := verdict(err)
	if ctx.Err() != nil || !reached && result.Class == health.ClientError {
		result = health.Result{Class: health.Abandoned} // the upstream has said nothing
	}
	check.End(result)
	if err == nil {
		return "ok"
	}
	e := gateway.AsError(err)
	if e.Status != 0 {
		return fmt.Sprintf("status %d", e.Status)
	}
	return e.Message
}

// ownCall is a call that the gateway makes on its own behalf.
func ownCall(route *gateway.Route, account int, body []byte) *gateway.Call {
	return &gateway.Call{
		Operation: route.Operation, Path: route.Operation.Path, Model: route.Target.Model, Account: account,
		Method: http.MethodPost, Header: http.Header{}, Body: bytes.NewReader(body), Length: int64(len(body)), ContentType: "application/json",
	}
}

// ask reports whether the upstream answered, and what is wrong.
func ask(ctx context.Context, check *gateway.Check, metrics *telemetry.Metrics) (reached bool, err error) {
	route := check.Route
	req := &wire.Request{
		Model: route.Target.Model, MaxTokens: 1,
		Messages: []wire.Message{{Role: wire.RoleUser, Blocks: []wire.Block{{Text: "ping"}}}},
	}
	body, err := upstreamCodec(route, wire.PrefillNone).EncodeRequest(nil, req, wire.NewLoss(req))
	if err != nil {
		return false, err
	}
	res, err := route.Provider.Do(ctx, ownCall(route, check.Account, body))
	if err != nil && errors.Is(context.Cause(ctx), errSlowCheck) {
		err = errSlowCheck
	}
	metrics.Attempt(route.Target.Provider, res, err)
	if err != nil {
		return false, err
	}
	defer discard(res.Body)
	check.Headers(res.StatusCode, res.Header)
	return true, answered(ctx, route, res)
}

// answered returns what is wrong with the answer to a check.
func answered(ctx context.Context, route *gateway.Route, res *http.Response) error {
	content, err := unpack(res)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(content, maxError))
	if errors.Is(context.Cause(ctx), errSlowCheck) {
		return errSlowCheck
	}
	if res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices {
		e, _ := refused(res, data, time.Now())
		if res.StatusCode >= http.StatusInternalServerError || res.StatusCode < http.StatusBadRequest {
			e.Kind, e.Credential = wire.KindUpstream, false // whatever it says of itself
		}
		return e
	}
	var seen wire.Seen
	if err == nil {
		err = doors.Of(route.Operation).Observer().Answer(data, &seen)
	}
	if err != nil {
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream's answer is not valid JSON", Cause: err}
	}
	if seen.Failure != nil {
		return inBand(route.Provider, seen.Failure)
	}
	return nil
}
