package handlers

import (
	"net/http"
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
	t := newTexts()
	t.value(headerRequestID, id)
	if route.Dialect == wire.Anthropic {
		t.value(headerAnthropicID, id)
	}
	t.value("Cache-Control", "no-store")
	t.value("X-Content-Type-Options", "nosniff")
	appendRetry(t, e)
	body := newPayload()
	defer body.release()
	body.bytes = wire.AppendErrorBody(body.bytes, route.Dialect, e.Failure(id))
	size := len(body.bytes)
	t.value("Content-Type", "application/json")
	t.number("Content-Length", int64(size))
	h := w.Header()
	t.into(h)
	leaveBody(h, r)
	status := e.Kind.Status(route.Dialect)
	w.WriteHeader(status)
	_, _ = w.Write(body.bytes) //nolint:gosec // JSON, which AppendString has quoted

	if route.Operation == nil || route.Operation == wire.ListModels || route.Allow != "" {
		return // costs nothing, whoever asks
	}
	m.Begin()
	x := g.NewExchange(id)
	x.Operation, x.Dialect = route.Operation, route.Dialect
	x.End(func(o *gateway.Outcome) { o.Status, o.Err, o.BytesOut = status, e, int64(size) })
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
