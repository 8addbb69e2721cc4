package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

type dialect int

const (
	openAI dialect = iota
	anthropic
)

// failure is an error answer; empty param and code are null in OpenAI's shape.
type failure struct {
	status                     int
	kind, code, param, message string
}

func (f *failure) Error() string { return f.message }

// kindOf is the type that the dialect gives errors of a status.
func kindOf(d dialect, status int) string {
	if d == anthropic {
		switch status {
		case http.StatusUnauthorized:
			return "authentication_error"
		case http.StatusPaymentRequired:
			return "billing_error"
		case http.StatusForbidden:
			return "permission_error"
		case http.StatusNotFound:
			return "not_found_error"
		case http.StatusConflict:
			return "conflict_error"
		case http.StatusRequestEntityTooLarge:
			return "request_too_large"
		case http.StatusTooManyRequests:
			return "rate_limit_error"
		case http.StatusGatewayTimeout:
			return "timeout_error"
		case http.StatusServiceUnavailable, statusOverloaded:
			return "overloaded_error"
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return "requests"
	case status >= 500 && d == anthropic:
		return "api_error"
	case status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// statusOverloaded is Anthropic's own.
const statusOverloaded = 529

// statusFailure is what the vendor says with a status.
func statusFailure(x *exchange, status int) *failure {
	f := &failure{status: status, kind: kindOf(x.dialect, status), message: "Simulated error with status " + strconv.Itoa(status) + "."}
	switch status {
	case http.StatusUnauthorized:
		f.code, f.message = "invalid_api_key", "Incorrect API key provided: simulated. You can find your API key at https://platform.openai.com/account/api-keys."
		if x.dialect == anthropic {
			f.message = "invalid x-api-key"
		}
	case http.StatusNotFound:
		return modelNotFound(x)
	case http.StatusTooManyRequests:
		f.code = "rate_limit_exceeded"
		f.message = "Rate limit reached for " + x.model + " on requests per min (RPM): Limit 10000, Used 10000, Requested 1. Please try again in 1s."
	case http.StatusInternalServerError:
		f.message = "The server had an error while processing your request. Sorry about that!"
		if x.dialect == anthropic {
			f.message = "Internal server error"
		}
	case http.StatusServiceUnavailable, statusOverloaded:
		f.message = "Overloaded"
	}
	return f
}

func modelNotFound(x *exchange) *failure {
	f := &failure{
		status: http.StatusNotFound, kind: kindOf(x.dialect, http.StatusNotFound), code: "model_not_found",
		message: "The model `" + x.model + "` does not exist or you do not have access to it.",
	}
	if x.dialect == anthropic {
		f.message = "model: " + x.model
	}
	return f
}

func contextExceeded(d dialect) *failure {
	f := &failure{
		status: http.StatusBadRequest, kind: "invalid_request_error", code: "context_length_exceeded", param: "messages",
		message: "This model's maximum context length is 128000 tokens. However, your messages resulted in 130112 tokens. Please reduce the length of the messages.",
	}
	if d == anthropic {
		f.message = "prompt is too long: 208310 tokens > 200000 maximum"
	}
	return f
}

func quotaExceeded(d dialect) *failure {
	f := &failure{
		status: http.StatusTooManyRequests, kind: "insufficient_quota", code: "insufficient_quota",
		message: "You exceeded your current quota, please check your plan and billing details.",
	}
	if d == anthropic {
		f.status, f.kind = http.StatusPaymentRequired, "billing_error"
		f.message = "Your credit balance is too low to access the Anthropic API."
	}
	return f
}

func invalidURL(req *http.Request) *failure {
	return &failure{
		status: http.StatusNotFound, kind: kindOf(dialectOf(req.URL.Path, req.Header), http.StatusNotFound),
		message: "Invalid URL (" + req.Method + " " + req.URL.Path + ")",
	}
}

func missing(d dialect, param string) *failure {
	f := invalid(param, "missing_required_parameter", "Missing required parameter: '"+param+"'.")
	switch {
	case d == anthropic:
		f.message = param + ": Field required"
	case param == "model":
		f.param, f.code, f.message = "", "", "you must provide a model parameter"
	}
	return f
}

func invalid(param, code, message string) *failure {
	return &failure{status: http.StatusBadRequest, kind: "invalid_request_error", code: code, param: param, message: message}
}

// belowMinimum refuses a number; the vendors' messages differ.
func belowMinimum(d dialect, param string, least, got int) *failure {
	want, have := strconv.Itoa(least), strconv.Itoa(got)
	if d == anthropic {
		return invalid(param, "", param+": Input should be greater than or equal to "+want)
	}
	return invalid(param, "integer_below_min_value", "Invalid '"+param+"': integer below minimum value. Expected a value >= "+want+", but got "+have+" instead.")
}

// badJSON refuses a body that is not JSON, or not of the request's shape.
func badJSON(d dialect, err error) *failure {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		field := wrong.Field
		if d == anthropic {
			return invalid(field, "", field+": Input should be a valid "+wrong.Type.String())
		}
		return invalid(field, "invalid_type", "Invalid type for '"+field+"': expected another type, but got "+wrong.Value+" instead.")
	}
	if errors.Is(err, errContent) || errors.Is(err, errInput) {
		return invalid("", "invalid_type", "Invalid type: "+err.Error()+".")
	}
	if d == anthropic {
		return invalid("", "", "The request body is not valid JSON: "+err.Error())
	}
	return invalid("", "", "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)")
}

// fail answers with f in the dialect's shape, at once.
func (x *exchange) fail(f *failure) (*http.Response, error) {
	h := x.header("application/json")
	switch {
	case f.status == http.StatusTooManyRequests && f.code != "insufficient_quota":
		x.limits(h, 0)
		h.Set("Retry-After", "1")
		if x.dialect == openAI {
			h.Set("Retry-After-Ms", "1000")
		}
	case f.status != http.StatusUnauthorized:
		x.limits(h, requestLimit-1)
	}
	if x.dialect == anthropic {
		h.Set("X-Should-Retry", strconv.FormatBool(retryable(f.status)))
		body := format(nil, `{"type":"error","error":{"type":?,"message":?},"request_id":?}`, f.kind, f.message, h.Get("Request-Id"))
		return x.respond(f.status, h, &whole{ctx: x.req.Context(), data: body, end: io.EOF}, len(body)), nil
	}
	body := indent(format(nil, `{"error":?}`, f.openAI()))
	return x.respond(f.status, h, &whole{ctx: x.req.Context(), data: body, end: io.EOF}, len(body)), nil
}

// openAI is the error object.
func (f *failure) openAI() raw {
	return format(nil, `{"message":?,"type":?,"param":?,"code":?}`, f.message, f.typeOf(), orNull(f.param), orNull(f.code))
}

func (f *failure) typeOf() string {
	if f.kind == "" {
		return "invalid_request_error"
	}
	return f.kind
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// html is what a broken proxy in front of a vendor sends.
func (x *exchange) html() (*http.Response, error) {
	body := []byte(strings.TrimSpace(`
<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>simulator</center></body>
</html>`) + "\n")
	h := x.header("text/html")
	return x.respond(http.StatusOK, h, &whole{ctx: x.req.Context(), data: body, end: io.EOF}, len(body)), nil
}
