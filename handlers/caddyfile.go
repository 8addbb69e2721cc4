package handlers

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
)

// ParseProxy reads the directive ai_proxy. Syntax:
//
//	ai_proxy [<matcher>] {
//		max_body <size>
//		max_upload <size>
//		heartbeat <duration>|off
//		write_timeout <duration>|off
//		response_header_timeout <duration>|off
//		first_token_timeout <duration>|off
//		idle_timeout <duration>|off
//		total_timeout <duration>|off
//		max_output_tokens <number>
//		on_exceed finish|cut
//		max_input_tokens <number>
//		temperature <min> <max>
//		allow_params <names...>
//		deny_params <names...>
//		unmapped drop|reject
//		stream_metadata [on|off]
//		resume <duration>|off
//		resume_buffer <size>
//		batch_embeddings [on|off] | {
//			wait <duration>
//			max <inputs>
//			scope key|team|global
//		}
//		errors dialect|caddy
//	}
//
// Each option may be given once.
func ParseProxy(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	p := new(Proxy)
	return p, p.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (p *Proxy) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return eachOption(d, func(d *caddyfile.Dispenser, option string) error {
		if known, err := p.unmarshalOption(d, option); known {
			return err
		}
		return d.Errf("unrecognized option '%s'%s", option, typo.Suggest(option, proxyOptions...))
	})
}

// eachOption calls use with each option of a directive's block.
func eachOption(d *caddyfile.Dispenser, use func(*caddyfile.Dispenser, string) error) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	return eachInBlock(d, use)
}

// eachInBlock calls use with each option of the block that follows; only those in
// repeat may be given more than once.
func eachInBlock(d *caddyfile.Dispenser, use func(*caddyfile.Dispenser, string) error, repeat ...string) error {
	return words.Options(d, nil, func(option string) error { return use(d, option) }, repeat...)
}

// proxyOptions are those of ai_proxy.
var proxyOptions = []string{
	"max_body", "max_upload", "heartbeat", "write_timeout", "response_header_timeout", "first_token_timeout",
	"idle_timeout", "total_timeout", "max_output_tokens", "on_exceed", "max_input_tokens", "temperature", "allow_params",
	"deny_params", "unmapped", "stream_metadata", "resume", "resume_buffer", "batch_embeddings", "errors",
}

// unmarshalOption reads an option of ai_proxy; known is false for others.
func (p *Proxy) unmarshalOption(d *caddyfile.Dispenser, option string) (known bool, err error) {
	switch option {
	case "max_body":
		return true, words.Size(d, &p.MaxBody)
	case "max_upload":
		return true, words.Size(d, &p.MaxUpload)
	case "heartbeat":
		return true, words.Duration(d, &p.Heartbeat)
	case "write_timeout":
		return true, words.Duration(d, &p.WriteTimeout)
	case "response_header_timeout":
		return true, words.Duration(d, &p.ResponseHeaderTimeout)
	case "first_token_timeout":
		return true, words.Duration(d, &p.FirstTokenTimeout)
	case "idle_timeout":
		return true, words.Duration(d, &p.IdleTimeout)
	case "total_timeout":
		return true, words.Duration(d, &p.TotalTimeout)
	case "max_output_tokens":
		return true, words.Count(d, &p.MaxOutputTokens)
	case "on_exceed":
		return true, words.Choice(d, &p.OnExceed, gateway.ExceedFinish, gateway.ExceedCut)
	case "max_input_tokens":
		return true, words.Count(d, &p.MaxInputTokens)
	case "temperature":
		return true, words.Range(d, &p.MinTemperature, &p.MaxTemperature)
	case "allow_params":
		return true, words.List(d, &p.AllowParams)
	case "deny_params":
		return true, words.List(d, &p.DenyParams)
	case "unmapped":
		return true, words.Choice(d, &p.Unmapped, unmappedDrop, unmappedReject)
	case "stream_metadata":
		return true, words.Switch(d, &p.StreamMetadata)
	case "resume":
		return true, words.Duration(d, &p.Resume)
	case "resume_buffer":
		return true, words.Size(d, &p.ResumeBuffer)
	case "batch_embeddings":
		return true, unmarshalBatch(d, &p.BatchEmbeddings)
	case "errors":
		return true, words.Choice(d, &p.Errors, "dialect", "caddy")
	default:
		return false, nil
	}
}

// ParseGateway reads the options of ai_gateway: those of ai_auth and ai_proxy, and
// what may be kept. The Cache is nil where nothing is. Syntax:
//
//	cache exact|semantic {
//		...
//	}
func ParseGateway(h httpcaddyfile.Helper) (*Auth, *Cache, *Proxy, error) {
	a, p := new(Auth), new(Proxy)
	var c *Cache
	h.Next()
	if h.NextArg() {
		return nil, nil, nil, h.ArgErr()
	}
	err := eachInBlock(h.Dispenser, func(d *caddyfile.Dispenser, option string) error {
		if option == "cache" {
			if c == nil {
				c = new(Cache)
			}
			return c.unmarshalKind(d)
		}
		if known, err := a.unmarshalOption(d, option); known {
			return err
		}
		if known, err := p.unmarshalOption(d, option); known {
			return err
		}
		return d.Errf("unrecognized option '%s'%s", option, typo.Suggest(option, gatewayOptions...))
	}, "cache")
	return a, c, p, err
}

// gatewayOptions are those of ai_gateway.
var gatewayOptions = slices.Concat(authOptions, []string{"cache"}, proxyOptions)

// ParseHealth reads the directive ai_health. Syntax:
//
//	ai_health [<matcher>] {
//		deep [on|off]
//		require all|any
//	}
func ParseHealth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	health := new(Health)
	return health, health.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile implements caddyfile.Unmarshaler.
func (h *Health) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return eachOption(d, func(d *caddyfile.Dispenser, option string) error {
		switch option {
		case "deep":
			return words.Switch(d, &h.Deep)
		case "require":
			return words.Choice(d, &h.Require, "all", "any")
		default:
			return d.Errf("unrecognized ai_health option '%s'%s", option, typo.Suggest(option, "deep", "require"))
		}
	})
}

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*Proxy)(nil)
	_ caddyfile.Unmarshaler = (*Health)(nil)
)
