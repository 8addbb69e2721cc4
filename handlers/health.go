package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/internal/inflight"
	"github.com/weirproxy/weir/internal/telemetry"
)

func init() {
	caddy.RegisterModule(&Health{})
}

// Health answers health checks and passes every other request on:
//
//   - `/health/live` (also `/healthz`): the process serves requests;
//   - `/health/ready` (also `/readyz`): the configuration is loaded, the
//     providers' names resolve, each model has a healthy target, and the
//     process is not shutting down;
//   - `/health/deep`: every target answers a prompt of one token. It costs
//     money, so it is off unless enabled, and asks once per minute at most,
//     however often it is asked itself.
type Health struct {
	// Whether `/health/deep` makes real calls. Default: `false`.
	Deep bool `json:"deep,omitempty"`

	// What makes the gateway ready: `all` models with a healthy target, or
	// `any`. Default: `all`.
	Require string `json:"require,omitempty"`

	gateway *gateway.Gateway
	metrics *telemetry.Metrics
}

// CaddyModule returns the Caddy module information.
func (*Health) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.ai_health",
		New: func() caddy.Module { return new(Health) },
	}
}

// Provision implements caddy.Provisioner.
func (h *Health) Provision(ctx caddy.Context) error {
	host, err := hostOf(ctx)
	if err != nil {
		return err
	}
	h.gateway, h.metrics = host.Gateway(), host.Metrics()
	return nil
}

// Validate implements caddy.Validator.
func (h *Health) Validate() error {
	if h.Require != "" && h.Require != "all" && h.Require != "any" {
		return fmt.Errorf("require must be 'all' or 'any', not '%s'", h.Require)
	}
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return next.ServeHTTP(w, r)
	}
	path := r.URL.Path
	switch {
	case strings.HasSuffix(path, "/health/live"), strings.HasSuffix(path, "/healthz"):
		return writeHealth(w, http.StatusOK, map[string]any{"status": "ok"})
	case strings.HasSuffix(path, "/health/ready"), strings.HasSuffix(path, "/readyz"):
		return h.ready(w, r)
	case strings.HasSuffix(path, "/health/deep"):
		return h.deep(w, r)
	default:
		return next.ServeHTTP(w, r)
	}
}

func (h *Health) ready(w http.ResponseWriter, r *http.Request) error {
	reasons := h.gateway.Ready(r.Context(), h.Require == "any")
	if inflight.Process.Exiting() {
		reasons = append(reasons, "the process is shutting down")
	}
	if len(reasons) > 0 {
		return writeHealth(w, http.StatusServiceUnavailable, map[string]any{"status": "unavailable", "reasons": reasons})
	}
	return writeHealth(w, http.StatusOK, map[string]any{"status": "ok"})
}

// deepEvery is how long a target's result stands, for all sites together and
// across reloads: each costs money.
const deepEvery = time.Minute

// deepTimeout bounds one call.
const deepTimeout = 30 * time.Second

type deepReport struct {
	Status  string            `json:"status"`
	Checked time.Time         `json:"checked"`
	Targets map[string]string `json:"targets"`
}

func (h *Health) deep(w http.ResponseWriter, r *http.Request) error {
	if !h.Deep {
		return writeHealth(w, http.StatusNotFound, map[string]any{"status": "disabled", "reasons": []string{"deep checks are off; ai_health { deep } turns them on"}})
	}
	report := deepReport{Status: "ok", Targets: make(map[string]string)}
	// The next check must not find a result that was cut short by this client.
	ctx := context.WithoutCancel(r.Context())
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, t := range h.gateway.Targets() {
		wg.Go(func() {
			result, checked := h.gateway.Health.Deep(health.Target(t), deepEvery, func() string { return h.checkTarget(ctx, t) })
			mu.Lock()
			defer mu.Unlock()
			report.Targets[t.String()] = result
			if result != "ok" {
				report.Status = "unavailable"
			}
			if report.Checked.IsZero() || checked.Before(report.Checked) {
				report.Checked = checked.UTC()
			}
		})
	}
	wg.Wait()
	status := http.StatusOK
	if report.Status != "ok" {
		status = http.StatusServiceUnavailable
	}
	return writeHealth(w, status, report)
}

// checkTarget asks a target for one token, whatever its state is.
func (h *Health) checkTarget(ctx context.Context, t gateway.Target) string {
	check, ok := h.gateway.Check(t)
	if !ok {
		return "its provider has no conversation"
	}
	return Ask(ctx, check, deepTimeout, h.metrics)
}

func writeHealth(w http.ResponseWriter, status int, report any) error {
	body, err := json.Marshal(report)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("encoding health report: %w", err))
	}
	h := w.Header()
	setHeader(h, "Content-Type", "application/json")
	setHeader(h, "Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Health)(nil)
	_ caddy.Validator             = (*Health)(nil)
	_ caddyhttp.MiddlewareHandler = (*Health)(nil)
)
