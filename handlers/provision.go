package handlers

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/limits"
)

// The values of Proxy.Unmapped.
const (
	unmappedDrop   = "drop"
	unmappedReject = "reject"
)

// Defaults of Proxy's settings.
const (
	defaultMaxBody      = 32 << 20
	defaultMaxUpload    = 200 << 20
	defaultHeartbeat    = 15 * time.Second
	defaultWriteTimeout = 30 * time.Second
	defaultResumeBuffer = 4 << 20
)

// Provision implements caddy.Provisioner.
func (p *Proxy) Provision(ctx caddy.Context) error {
	p.logger = ctx.Logger()
	host, err := hostOf(ctx)
	if err != nil {
		return err
	}
	p.host, p.gateway, p.metrics, p.tokens = host, host.Gateway(), host.Metrics(), host.Tokens()
	p.rules, p.limits, p.queues, p.margins = host.Rules(), host.LimitStore(), host.Queues(), host.Margins()
	p.overload, p.kept = host.Guard(), host.Kept()
	_, near := p.limits.(limits.LocalStore)
	p.far = !near
	p.auth = Auth{gateway: p.gateway, keys: host.VirtualKeys()}
	setDefault(&p.MaxBody, defaultMaxBody)
	setDefault(&p.MaxUpload, defaultMaxUpload)
	setDefault(&p.Heartbeat, caddy.Duration(defaultHeartbeat))
	setDefault(&p.ResumeBuffer, defaultResumeBuffer)
	setDefault(&p.WriteTimeout, caddy.Duration(defaultWriteTimeout))
	p.policy = gateway.Policy{
		MaxOutputTokens: p.MaxOutputTokens,
		OnExceed:        p.OnExceed,
		MaxInputTokens:  p.MaxInputTokens,
		MinTemperature:  p.MinTemperature,
		MaxTemperature:  p.MaxTemperature,
		AllowParams:     p.AllowParams,
		DenyParams:      p.DenyParams,
	}
	p.timeouts = gateway.Timeouts{
		ResponseHeader: time.Duration(p.ResponseHeaderTimeout),
		FirstToken:     time.Duration(p.FirstTokenTimeout),
		Idle:           time.Duration(p.IdleTimeout),
		Total:          time.Duration(p.TotalTimeout),
	}
	p.batcher = p.BatchEmbeddings.batcher()
	// The http app is only half built here, but its own settings are there.
	if app, err := ctx.AppIfConfigured("http"); err == nil {
		server := app.(*caddyhttp.App)
		host.LimitDrain(time.Duration(server.ShutdownDelay), time.Duration(server.GracePeriod))
	}
	return nil
}

func setDefault[T int64 | caddy.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Validate implements caddy.Validator.
func (p *Proxy) Validate() error {
	switch {
	case p.Unmapped != "" && p.Unmapped != unmappedDrop && p.Unmapped != unmappedReject:
		return fmt.Errorf("unmapped must be 'drop' or 'reject', not '%s'", p.Unmapped)
	case p.Errors != "" && p.Errors != "dialect" && p.Errors != "caddy":
		return fmt.Errorf("errors must be 'dialect' or 'caddy', not '%s'", p.Errors)
	case p.MaxBody < 0 || p.MaxUpload < 0 || p.ResumeBuffer < 0 || p.MaxOutputTokens < 0 || p.MaxInputTokens < 0:
		return fmt.Errorf("limits must not be negative")
	case p.MinTemperature != nil && p.MaxTemperature != nil && *p.MinTemperature > *p.MaxTemperature:
		return fmt.Errorf("temperature: the lower bound is above the upper one")
	}
	if err := p.BatchEmbeddings.validate(); err != nil {
		return err
	}
	return gateway.CheckExceed(p.OnExceed)
}
