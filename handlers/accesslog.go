package handlers

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// logsAccess reports whether the server of r writes access logs, so that a field for
// one may be of use. Where that is not known, it may be.
func logsAccess(r *http.Request) bool {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return !ok || server.Logs != nil
}

// addLog puts a field into the request's access log line, unless that has been
// written: then the handler has gone.
func (c *call) addLog(field zap.Field) {
	extra, ok := c.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if !c.out.detached {
		extra.Set(field)
	}
}
