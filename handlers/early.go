package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/telemetry"
	"github.com/weirproxy/weir/wire"
)

// refuseEarly answers a request that gets no further than a handler before
// ai_proxy, as ai_proxy would, and makes its record.
func refuseEarly(w http.ResponseWriter, r *http.Request, g *gateway.Gateway, m *telemetry.Metrics, e *gateway.Error) {
	route := wire.Match(r.Method, decodedPath(r.URL), r.Header.Get("Anthropic-Version") != "")
	id := requestID(r)
	if id == "" {
		id = g.NewID()
	}
	h := w.Header()
	setHeader(h, headerRequestID, id)
	if route.Dialect == wire.Anthropic {
		setHeader(h, headerAnthropicID, id)
	}
	setHeader(h, "Cache-Control", "no-store")
	setHeader(h, "X-Content-Type-Options", "nosniff")
	setRetry(func(name, value string) { setHeader(h, name, value) }, e)
	leaveBody(h, r)
	body := wire.ErrorBody(route.Dialect, e.Failure(id))
	setHeader(h, "Content-Type", "application/json")
	setHeader(h, "Content-Length", strconv.Itoa(len(body)))
	status := e.Kind.Status(route.Dialect)
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, which AppendString has quoted

	if route.Operation == nil || route.Operation == wire.ListModels || route.Allow != "" {
		return // costs nothing, whoever asks
	}
	m.Begin()
	x := g.NewExchange(id)
	x.Operation, x.Dialect = route.Operation, route.Dialect
	x.End(func(o *gateway.Outcome) { o.Status, o.Err, o.BytesOut = status, e, int64(len(body)) })
	record := x.Settle()
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.Object("ai", telemetry.Object{Record: record}))
	}
	m.End(record, telemetry.Other)
}

// leaveBody lets a refusal go out before a body that the client holds back until
// it is told to continue (RFC 9110, 10.1.1). net/http would ask for it, to read it
// and throw it away, and answer only then; who sends it without being asked is
// not kept waiting by that.
func leaveBody(h http.Header, r *http.Request) {
	if r.ProtoMajor == 1 && r.Body != http.NoBody && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		setHeader(h, "Connection", "close")
	}
}
