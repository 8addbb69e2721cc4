package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

// TestErrorBodies is the table of errors that clients rely on.
func TestErrorBodies(t *testing.T) {
	for _, tt := range []struct {
		kind            wire.Kind
		status          int
		kindOfError     string // OpenAI's type
		code            string
		anthropic       string
		anthropicStatus int
		gemini          string
	}{
		{wire.KindInvalid, 400, "invalid_request_error", "invalid_value", "invalid_request_error", 400, "INVALID_ARGUMENT"},
		{wire.KindContextLength, 400, "invalid_request_error", "context_length_exceeded", "invalid_request_error", 400, "INVALID_ARGUMENT"},
		{wire.KindPolicy, 400, "invalid_request_error", "content_policy_violation", "invalid_request_error", 400, "INVALID_ARGUMENT"},
		{wire.KindAuthentication, 401, "invalid_request_error", "invalid_api_key", "authentication_error", 401, "UNAUTHENTICATED"},
		{wire.KindPermission, 403, "permission_error", "model_not_allowed", "permission_error", 403, "PERMISSION_DENIED"},
		{wire.KindModelNotFound, 404, "invalid_request_error", "model_not_found", "not_found_error", 404, "NOT_FOUND"},
		{wire.KindTooLarge, 413, "invalid_request_error", "request_too_large", "request_too_large", 413, "INVALID_ARGUMENT"},
		{wire.KindRateLimit, 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", 429, "RESOURCE_EXHAUSTED"},
		{wire.KindBudget, 429, "insufficient_quota", "insufficient_quota", "rate_limit_error", 429, "RESOURCE_EXHAUSTED"},
		{wire.KindUpstream, 502, "upstream_error", "upstream_error", "api_error", 502, "UNAVAILABLE"},
		{wire.KindOverloaded, 503, "service_unavailable", "overloaded", "overloaded_error", 529, "UNAVAILABLE"},
		{wire.KindTimeout, 504, "timeout_error", "upstream_timeout", "api_error", 504, "DEADLINE_EXCEEDED"},
		{wire.KindConflict, 409, "invalid_request_error", "conflict", "conflict_error", 409, "ABORTED"},
		{wire.KindInternal, 500, "server_error", "internal_error", "api_error", 500, "INTERNAL"},
	} {
		t.Run(tt.kind.String(), func(t *testing.T) {
			f := &wire.Failure{Kind: tt.kind, Message: "no \"good\"\n", Param: "model", RequestID: "req-1"}
			bodies := map[wire.Dialect]any{
				wire.OpenAI:    map[string]any{"error": map[string]any{"message": f.Message, "type": tt.kindOfError, "param": "model", "code": tt.code, "request_id": "req-1"}},
				wire.Anthropic: map[string]any{"type": "error", "error": map[string]any{"type": tt.anthropic, "message": f.Message}, "request_id": "req-1"},
				wire.Gemini: map[string]any{"error": map[string]any{"code": float64(tt.status), "message": f.Message, "status": tt.gemini, "details": []any{
					map[string]any{"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "req-1"},
				}}},
			}
			for dialect, want := range bodies {
				var got any
				if err := json.Unmarshal(wire.ErrorBody(dialect, f), &got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s", dialect, diff)
				}
			}
			if got := []int{tt.kind.Status(wire.OpenAI), tt.kind.Status(wire.Anthropic), tt.kind.Status(wire.Gemini)}; !cmp.Equal(got, []int{tt.status, tt.anthropicStatus, tt.status}) {
				t.Errorf("statuses %v", got)
			}
		})
	}
	t.Run("without a parameter", func(t *testing.T) {
		want := `{"error":{"message":"m","type":"server_error","param":null,"code":"internal_error"}}`
		if got := string(wire.ErrorBody(wire.OpenAI, &wire.Failure{Message: "m"})); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestRetryable(t *testing.T) {
	for kind, want := range map[wire.Kind]bool{
		wire.KindRateLimit: true, wire.KindUpstream: true, wire.KindOverloaded: true, wire.KindTimeout: true, wire.KindInternal: true,
		wire.KindBudget: false, wire.KindPolicy: false, wire.KindInvalid: false, wire.KindAuthentication: false,
		wire.KindPermission: false, wire.KindModelNotFound: false, wire.KindTooLarge: false, wire.KindContextLength: false,
	} {
		if kind.Retryable() != want {
			t.Errorf("%s: retryable %v", kind, !want)
		}
	}
}

func TestKindOfStatus(t *testing.T) {
	for status, want := range map[int]wire.Kind{
		400: wire.KindInvalid, 401: wire.KindAuthentication, 403: wire.KindPermission, 404: wire.KindModelNotFound,
		408: wire.KindTimeout, 413: wire.KindTooLarge, 422: wire.KindInvalid, 429: wire.KindRateLimit, 500: wire.KindUpstream,
		502: wire.KindUpstream, 503: wire.KindOverloaded, 504: wire.KindTimeout, 529: wire.KindOverloaded,
	} {
		if got := wire.KindOfStatus(status); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}
