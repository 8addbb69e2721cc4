package gateway

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirproxy/weir/wire"
)

// Error is a failure with two faces: what the client may be told, and the
// cause, which only logs see.
type Error struct {
	Kind wire.Kind

	// Message is shown to the client. It names the rule, the value configured
	// and the value seen, never an address, a path or a secret.
	Message string

	// Param names the member of the request at fault.
	Param string

	// Details is what Anthropic's SDKs read besides the message; raw JSON.
	Details string

	// RetryAfter is when a retry may succeed; 0 when that is not known.
	RetryAfter time.Duration

	// NoRetry says that no retry can help, whatever the kind.
	NoRetry bool

	// Credential says that the upstream refused the gateway's own credential.
	Credential bool

	// Status is that of the upstream's answer, 0 when there was none.
	Status int

	// Phase is where it happened, such as "first_token"; for logs and metrics.
	Phase string

	// Cause is for logs only.
	Cause error
}

// Error is the text for logs; clients see Message.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Message, e.Cause)
	}
	return e.Kind.String() + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Failure is what the client is told.
func (e *Error) Failure(requestID string) *wire.Failure {
	return &wire.Failure{Kind: e.Kind, Message: e.Message, Param: e.Param, Details: e.Details, RequestID: requestID, RetryAfter: e.RetryAfter}
}

// Invalid is a request that breaks a rule; param is its member at fault.
func Invalid(param, format string, args ...any) *Error {
	return &Error{Kind: wire.KindInvalid, Param: param, Message: fmt.Sprintf(format, args...)}
}

// AsError makes any error an *Error; what it does not know is internal, and
// the client learns no more than that.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if f, ok := errors.AsType[*wire.Failure](err); ok {
		return &Error{Kind: f.Kind, Message: f.Message, Param: f.Param, Details: f.Details, RetryAfter: f.RetryAfter}
	}
	return &Error{Kind: wire.KindInternal, Message: "internal error", Cause: err}
}

// The causes with which a call in flight is ended. They travel through
// [context.Cause], so that whoever reads an aborted body knows why.
var (
	ErrFirstToken = &Error{Kind: wire.KindTimeout, Phase: "first_token", Message: "the upstream sent no content within the first-token timeout"}
	ErrIdle       = &Error{Kind: wire.KindTimeout, Phase: "idle", Message: "the upstream stopped sending content for longer than the idle timeout"}
	ErrTotal      = &Error{Kind: wire.KindTimeout, Phase: "total", Message: "the request took longer than the total timeout"}
	ErrHeaders    = &Error{Kind: wire.KindTimeout, Phase: "response_header", Message: "the upstream did not answer within the response-header timeout"}
	ErrShutdown   = &Error{Kind: wire.KindOverloaded, Phase: "shutdown", Message: "the gateway is shutting down"}
	ErrRevoked    = &Error{Kind: wire.KindAuthentication, Phase: "revoked", Message: "the API key was revoked"}
	ErrKeyExpired = &Error{Kind: wire.KindAuthentication, Phase: "revoked", Message: "the API key has expired"}
)

// ErrClientGone says that the client left. No one is there to read it.
var ErrClientGone = errors.New("client left")

// CalledOff reports whether err ended a whole call, not an attempt: it says
// nothing of the upstream, and no other one is to be asked.
func CalledOff(err error) bool {
	for _, cause := range [...]error{ErrClientGone, ErrShutdown, ErrTotal, ErrRevoked, ErrKeyExpired} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
