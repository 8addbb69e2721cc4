package gemini

import (
	"strings"
	"time"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// kinds are google.rpc.Code's words.
var kinds = map[string]wire.Kind{
	"INVALID_ARGUMENT":    wire.KindInvalid,
	"FAILED_PRECONDITION": wire.KindInvalid,
	"OUT_OF_RANGE":        wire.KindInvalid,
	"UNAUTHENTICATED":     wire.KindAuthentication,
	"PERMISSION_DENIED":   wire.KindPermission,
	"NOT_FOUND":           wire.KindModelNotFound,
	"RESOURCE_EXHAUSTED":  wire.KindRateLimit,
	"UNAVAILABLE":         wire.KindOverloaded,
	"DEADLINE_EXCEEDED":   wire.KindTimeout,
	"INTERNAL":            wire.KindUpstream,
	"UNKNOWN":             wire.KindUpstream,
	"ABORTED":             wire.KindUpstream,
	"CANCELLED":           wire.KindUpstream,
}

// readError reads {code, message, status, details}. A quota for a day is
// spent: to try again soon is no use.
func readError(d *wire.Doc, v jsonscan.Value) *wire.Failure {
	f := &wire.Failure{Kind: wire.KindUpstream}
	if v.Kind == jsonscan.String {
		f.Message = d.Str(v)
		return f
	}
	f.Message = d.StrAt(v, "message")
	if n := d.IntAt(v, "code"); n >= 400 && n < 600 {
		f.Kind = wire.KindOfStatus(int(n))
	}
	status := d.StrAt(v, "status")
	if kind, ok := kinds[status]; ok {
		f.Kind = kind
	}
	words := status
	for detail := range d.Elements(d.Get(v, "details")) {
		words += " " + d.StrAt(detail, "reason")
		if wait, err := time.ParseDuration(d.StrAt(detail, "retryDelay")); err == nil && wait > 0 {
			f.RetryAfter = wait
		}
		for violation := range d.Elements(d.Get(detail, "violations")) {
			if f.Kind == wire.KindRateLimit && strings.Contains(d.StrAt(violation, "quotaId"), "PerDay") {
				f.Kind = wire.KindBudget
			}
		}
	}
	// Google words every limit as "exceeded your current quota", which is
	// another vendor's way to say that the money is gone.
	if f.Kind != wire.KindRateLimit {
		f.Kind = wire.Classify(f.Kind, words, f.Message)
	}
	return f
}
