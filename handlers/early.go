package handlers

import (
	"net/http"
	"strconv"

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
	setRetry(h, e)
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
