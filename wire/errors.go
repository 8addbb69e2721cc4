package wire

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Kind is the class of a failure. Each dialect words it in its own way.
type Kind uint8

// The kinds, in the order of the table in the design document.
const (
	KindInternal Kind = iota
	KindInvalid
	KindContextLength
	KindPolicy
	KindAuthentication
	KindPermission
	KindModelNotFound
	KindTooLarge
	KindRateLimit
	KindBudget
	KindUpstream
	KindOverloaded
	KindTimeout
	KindNotFound
	KindMethod
	KindConflict
)

// words are one kind in the three vendors' vocabularies.
type words struct {
	name            string
	status          int
	openaiType      string
	openaiCode      string
	anthropicType   string
	anthropicStatus int // 0: status
	geminiStatus    string
}

var vocabulary = [...]words{
	KindInternal:       {"internal", 500, "server_error", "internal_error", "api_error", 0, "INTERNAL"},
	KindInvalid:        {"invalid_request", 400, "invalid_request_error", "invalid_value", "invalid_request_error", 0, "INVALID_ARGUMENT"},
	KindContextLength:  {"context_length", 400, "invalid_request_error", "context_length_exceeded", "invalid_request_error", 0, "INVALID_ARGUMENT"},
	KindPolicy:         {"content_policy", 400, "invalid_request_error", "content_policy_violation", "invalid_request_error", 0, "INVALID_ARGUMENT"},
	KindAuthentication: {"authentication", 401, "invalid_request_error", "invalid_api_key", "authentication_error", 0, "UNAUTHENTICATED"},
	KindPermission:     {"permission", 403, "permission_error", "model_not_allowed", "permission_error", 0, "PERMISSION_DENIED"},
	KindModelNotFound:  {"model_not_found", 404, "invalid_request_error", "model_not_found", "not_found_error", 0, "NOT_FOUND"},
	KindTooLarge:       {"request_too_large", 413, "invalid_request_error", "request_too_large", "request_too_large", 0, "INVALID_ARGUMENT"},
	KindRateLimit:      {"rate_limit", 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", 0, "RESOURCE_EXHAUSTED"},
	KindBudget:         {"budget", 429, "insufficient_quota", "insufficient_quota", "rate_limit_error", 0, "RESOURCE_EXHAUSTED"},
	KindUpstream:       {"upstream", 502, "upstream_error", "upstream_error", "api_error", 0, "UNAVAILABLE"},
	KindOverloaded:     {"overloaded", 503, "service_unavailable", "overloaded", "overloaded_error", 529, "UNAVAILABLE"},
	KindTimeout:        {"timeout", 504, "timeout_error", "upstream_timeout", "api_error", 0, "DEADLINE_EXCEEDED"},
	KindNotFound:       {"not_found", 404, "invalid_request_error", "unknown_url", "not_found_error", 0, "NOT_FOUND"},
	KindMethod:         {"method_not_allowed", 405, "invalid_request_error", "method_not_supported", "invalid_request_error", 0, "INVALID_ARGUMENT"},
	KindConflict:       {"conflict", 409, "invalid_request_error", "conflict", "conflict_error", 0, "ABORTED"},
}

// String is the kind's name in records, logs and metrics.
func (k Kind) String() string { return vocabulary[k].name }

// UnmarshalJSON reads a kind's number. One that this version does not know, since
// another instance is newer, is an upstream's failure like any other.
func (k *Kind) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseUint(string(data), 10, 64)
	if err != nil {
		return fmt.Errorf("reading kind of failure: %w", err)
	}
	if *k = KindUpstream; n < uint64(len(vocabulary)) {
		*k = Kind(n)
	}
	return nil
}

// Status is the HTTP status of the kind in dialect.
func (k Kind) Status(dialect Dialect) int {
	w := vocabulary[k]
	if dialect == Anthropic && w.anthropicStatus != 0 {
		return w.anthropicStatus
	}
	return w.status
}

// Retryable reports whether the same request may succeed later. SDKs retry
// every 429 and 5xx unless they are told not to.
func (k Kind) Retryable() bool {
	switch k {
	case KindRateLimit, KindUpstream, KindOverloaded, KindTimeout, KindInternal:
		return true
	default:
		return false
	}
}

// Failure is what a client may be told about an error.
type Failure struct {
	Kind Kind

	// Message may be shown to the client.
	Message string

	// Param names the member of the request at fault, if any.
	Param string

	// Details is the raw JSON of error.details in Anthropic's dialect; empty for
	// none.
	Details string

	// RequestID is Weir's id of the request.
	RequestID string

	// RetryAfter is when a retry may succeed; 0 when that is not known.
	RetryAfter time.Duration
}

// ErrorBody renders f as the body of an answer in dialect.
func ErrorBody(dialect Dialect, f *Failure) []byte {
	return AppendErrorBody(make([]byte, 0, 256+len(f.Message)), dialect, f)
}

// AppendErrorBody appends what ErrorBody returns.
func AppendErrorBody(dst []byte, dialect Dialect, f *Failure) []byte {
	switch dialect {
	case Anthropic:
		dst = AppendAnthropicError(dst, f)
	case Gemini:
		dst = append(dst, `{"error":{"code":`...)
		dst = appendInt(dst, int64(vocabulary[f.Kind].status))
		dst = append(dst, `,"message":`...)
		dst = jsonscan.AppendString(dst, f.Message)
		dst = append(dst, `,"status":"`...)
		dst = append(dst, vocabulary[f.Kind].geminiStatus...)
		dst = append(dst, '"')
		if f.RequestID != "" { // google.rpc.RequestInfo is where Google's APIs name it
			dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":`...)
			dst = jsonscan.AppendString(dst, f.RequestID)
			dst = append(dst, `}]`...)
		}
		dst = append(dst, `}}`...)
	default:
		dst = AppendOpenAIError(dst, f)
	}
	return dst
}

// AppendOpenAIError appends {"error":{message,type,param,code,request_id}}.
func AppendOpenAIError(dst []byte, f *Failure) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = jsonscan.AppendString(dst, f.Message)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, vocabulary[f.Kind].openaiType...)
	dst = append(dst, `","param":`...)
	if f.Param == "" {
		dst = append(dst, "null"...)
	} else {
		dst = jsonscan.AppendString(dst, f.Param)
	}
	dst = append(dst, `,"code":"`...)
	dst = append(dst, vocabulary[f.Kind].openaiCode...)
	dst = append(dst, '"')
	if f.RequestID != "" {
		dst = append(dst, `,"request_id":`...)
		dst = jsonscan.AppendString(dst, f.RequestID)
	}
	return append(dst, `}}`...)
}

// AppendAnthropicError appends {"type":"error","error":{type,message},"request_id"}.
func AppendAnthropicError(dst []byte, f *Failure) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, vocabulary[f.Kind].anthropicType...)
	dst = append(dst, `","message":`...)
	dst = jsonscan.AppendString(dst, f.Message)
	if f.Details != "" {
		dst = append(dst, `,"details":`...)
		dst = append(dst, f.Details...)
	}
	dst = append(dst, '}')
	if f.RequestID != "" {
		dst = append(dst, `,"request_id":`...)
		dst = jsonscan.AppendString(dst, f.RequestID)
	}
	return append(dst, '}')
}

// OpenAICode is the kind's code in the OpenAI dialect.
func (k Kind) OpenAICode() string { return vocabulary[k].openaiCode }

// KindOfStatus is the class of an upstream's HTTP status, for records and
// metrics; the answer itself goes out as it came.
func KindOfStatus(status int) Kind {
	switch {
	case status == http.StatusUnauthorized:
		return KindAuthentication
	case status == http.StatusPaymentRequired:
		return KindBudget
	case status == http.StatusForbidden:
		return KindPermission
	case status == http.StatusNotFound:
		return KindModelNotFound
	case status == http.StatusConflict:
		return KindConflict
	case status == http.StatusRequestEntityTooLarge:
		return KindTooLarge
	case status == http.StatusTooManyRequests:
		return KindRateLimit
	case status == http.StatusServiceUnavailable, status == 529:
		return KindOverloaded
	case status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout:
		return KindTimeout
	case status >= 500, status == http.StatusFailedDependency: // 424: Bedrock, for an error of the model behind
		return KindUpstream
	default:
		return KindInvalid
	}
}
