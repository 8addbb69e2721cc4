package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/wire"
)

// refusal is an upstream's error that a client of its dialect gets as it came:
// its words are what the vendor's clients know.
type refusal struct {
	failure  *gateway.Error
	provider gateway.Provider
	source   wire.Door
	status   int
	header   http.Header
	body     []byte // JSON
}

// Error implements error.
func (r *refusal) Error() string { return r.failure.Error() }

// Unwrap returns what the gateway makes of it.
func (r *refusal) Unwrap() error { return r.failure }

// maxStatus is the last that clients take for a status.
const maxStatus = 599

// refusal reads an error answer. What is no JSON is not shown; it may be
// some proxy's page.
func (a *attempt) refusal(res *http.Response, body io.Reader) error {
	a.watch.enter(phaseError)
	data, err := io.ReadAll(io.LimitReader(body, maxError))
	if cause := a.cause(); cause != nil && !errors.Is(cause, errBare) {
		return cause
	}
	e, failure := refused(res, data, a.call.proxy.gateway.Now())
	if res.StatusCode > maxStatus {
		e.Kind, e.Credential = wire.KindUpstream, false
		return e
	}
	if err == nil && a.route.Operation.Dialect != a.call.route.Dialect {
		// In another dialect its kind, its words and its hints for a retry
		// take the client's form.
		e.Message = string(redact(a.route.Provider, []byte(failure.Message)))
		return e
	}
	if _, bad := wire.ParseAnswer(data); bad != nil || err != nil {
		if res.StatusCode >= http.StatusInternalServerError && e.Kind == wire.KindInvalid || e.Credential {
			e.Kind = wire.KindUpstream
		}
		return e
	}
	return &refusal{failure: e, provider: a.route.Provider, source: a.source, status: res.StatusCode, header: res.Header, body: redact(a.route.Provider, data)}
}

// refused is what the gateway makes of an upstream's error answer, whose body
// is data, and the failure in the upstream's own words.
func refused(res *http.Response, data []byte, now time.Time) (*gateway.Error, *wire.Failure) {
	failure := wire.ReadFailure(res.StatusCode, res.Header.Get("X-Amzn-Errortype"), data)
	wait := cmp.Or(health.RetryAfter(res.Header, now), failure.RetryAfter)
	if wait == 0 && res.StatusCode == http.StatusTooManyRequests {
		wait = health.ResetAfter(res.Header, now)
	}
	return &gateway.Error{
		Kind: failure.Kind, Phase: "status", Message: fmt.Sprintf("the upstream answered with status %d", res.StatusCode),
		Credential: failure.Kind == wire.KindAuthentication || failure.Kind == wire.KindPermission,
		Status:     res.StatusCode,
		RetryAfter: wait,
	}, failure
}

// upstreamFailure makes a failure that an upstream reported in a 200 answer
// ours to tell.
func (a *attempt) upstreamFailure(f *wire.Failure) *gateway.Error {
	return inBand(a.route.Provider, f)
}

func inBand(provider gateway.Provider, f *wire.Failure) *gateway.Error {
	message := "the upstream reported an error"
	if f.Message != "" {
		message += ": " + string(redact(provider, []byte(f.Message)))
	}
	e := &gateway.Error{Kind: f.Kind, Phase: "in_band", Message: message, RetryAfter: f.RetryAfter}
	if e.Kind == wire.KindAuthentication || e.Kind == wire.KindPermission {
		e.Kind, e.Credential = wire.KindUpstream, true // the gateway's account, not the caller's
	}
	return e
}

// redact hides the account's key in what an upstream says of an error: some
// quote the key that they refuse.
func redact(provider gateway.Provider, data []byte) []byte {
	if redactor, ok := provider.(interface{ Redact([]byte) []byte }); ok {
		return redactor.Redact(data)
	}
	return data
}

// redactText does so with a text that seldom holds it.
func redactText(provider gateway.Provider, text string) string {
	if redacted := redact(provider, []byte(text)); len(redacted) != len(text) || string(redacted) != text {
		return string(redacted)
	}
	return text
}

// inside words a refusal for a client that has seen the beginning of a stream:
// it has to go in there.
func (r *refusal) inside() {
	if f := failureIn(r.source, r.body); f != nil && f.Message != "" {
		r.failure.Message += ": " + f.Message
	}
}

// renderRefusal passes an upstream's error on as it came.
func (c *call) renderRefusal(r *refusal) error {
	c.copyHeader(r.header, upstreamID(r.provider, r.header))
	c.copyRetry(r.header)
	h := c.out.w.Header()
	if contentKind(r.header.Get("Content-Type")) != kindJSON {
		// SDKs read the body only if it says that it is JSON.
		setHeader(h, "Content-Type", "application/json")
	}
	c.tell()
	setHeader(h, "Content-Length", strconv.Itoa(len(r.body)))
	return c.sent(c.out.whole(r.status, r.body))
}

// asRefusal returns the refusal that err is, nil when it is none.
func asRefusal(err error) *refusal {
	r, _ := errors.AsType[*refusal](err)
	return r
}
