// Package simulator is the provider `simulator`: an upstream inside Weir that
// needs no key and no network.
package simulator

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/simulator"
	"github.com/weirproxy/weir/internal/tokens"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

func init() {
	caddy.RegisterModule(&Provider{})
}

// Provider answers by itself, as OpenAI and Anthropic do, with deterministic
// text and exact usage. The model's name can ask for behaviours and faults:
// `sim/echo`, `sim/slow`, `sim/err-429`, `sim/cut-20`, `sim/tool` and others.
type Provider struct {
	// Makes another text of the same prompt. Default: `0`.
	Seed uint64 `json:"seed,omitempty"`

	// Time to the first token. Default: `0`.
	TTFT caddy.Duration `json:"ttft,omitempty"`

	// Pace of the tokens after the first. Default: `0`, as fast as possible.
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`

	// Length of a text in tokens. Default: `64`.
	OutputTokens int `json:"output_tokens,omitempty"`

	// Share of requests that fail, 0 to 1. Default: `0`.
	ErrorRate float64 `json:"error_rate,omitempty"`

	// HTTP status of those failures. Default: `500`.
	ErrorStatus int `json:"error_status,omitempty"`

	// Tokens after which the connection is cut. Default: `0`, never.
	CutAfter int `json:"cut_after,omitempty"`

	// Tokens after which nothing more comes. Default: `0`, never.
	StallAfter int `json:"stall_after,omitempty"`

	// Calls to answer with when a request offers tools. Default: none.
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`

	// The operations that it has: `chat`, `messages` and so on; the others are
	// translated into these. Default: all of OpenAI's and Anthropic's.
	Serves []string `json:"serves,omitempty"`

	upstream.Common

	*upstream.Client `json:"-"`
}

// ToolCall is one call of a script.
type ToolCall struct {
	// The tool's name. Default: the first that the request offers.
	Name string `json:"name,omitempty"`

	// The arguments, a JSON object. Default: one that satisfies the tool's
	// schema.
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "ai.providers.simulator",
		New: func() caddy.Module { return new(Provider) },
	}
}

// countsAs is the model whose tokens the simulator speaks: its words are one
// token each.
const countsAs = "gpt-4o"

var vendor = upstream.Vendor{
	Operations: append(append([]*wire.Operation(nil), upstream.OpenAIOperations...), upstream.AnthropicOperations...),
	Forward:    []string{"Anthropic-", "Openai-"},
	Traits:     gateway.Traits{CapParam: "max_completion_tokens", CountsAs: countsAs},
}

// Provision implements caddy.Provisioner.
func (p *Provider) Provision(caddy.Context) (err error) {
	cfg := simulator.Config{
		Seed:            p.Seed,
		TTFT:            time.Duration(p.TTFT),
		TokensPerSecond: p.TokensPerSecond,
		OutputTokens:    p.OutputTokens,
		ErrorRate:       p.ErrorRate,
		ErrorStatus:     p.ErrorStatus,
		CutAfter:        p.CutAfter,
		StallAfter:      p.StallAfter,
		Count:           func(_ string, text []byte) int { return tokens.Text(countsAs, text) },
	}
	for _, call := range p.ToolCalls {
		cfg.ToolCalls = append(cfg.ToolCalls, simulator.ToolCall{Name: call.Name, Arguments: call.Arguments})
	}
	vendor, err := vendor.Only(p.Serves)
	if err != nil {
		return err
	}
	p.Client, err = upstream.NewClient(vendor, "http://simulator.invalid/v1", simulator.New(cfg))
	return err
}

// Matters implements gateway.Forwarder. The version that SDKs of Messages send with
// each request only says whose shape an error has: cached answers are shared with
// clients of other dialects.
func (p *Provider) Matters(name string, values []string) bool {
	return name != "Anthropic-Version" && p.Client.Matters(name, values)
}

// Validate implements caddy.Validator.
func (p *Provider) Validate() error {
	if err := p.Check(); err != nil {
		return err
	}
	return p.checkNumbers()
}

func (p *Provider) checkNumbers() error {
	switch {
	case !(p.ErrorRate >= 0 && p.ErrorRate <= 1): // NaN is not
		return fmt.Errorf("error_rate must be between 0 and 1, not %g", p.ErrorRate)
	case p.ErrorStatus != 0 && (p.ErrorStatus < 400 || p.ErrorStatus > 599):
		return fmt.Errorf("error_status must be between 400 and 599, not %d", p.ErrorStatus)
	case math.IsNaN(p.TokensPerSecond) || math.IsInf(p.TokensPerSecond, 0):
		return fmt.Errorf("tokens_per_second must be a number, not %g", p.TokensPerSecond)
	case p.TokensPerSecond < 0 || p.OutputTokens < 0 || p.CutAfter < 0 || p.StallAfter < 0 || p.TTFT < 0:
		return fmt.Errorf("numbers must not be negative")
	}
	return nil
}

// UnmarshalCaddyfile reads the provider's block. Syntax:
//
//	provider <name> simulator {
//		seed <number>
//		ttft <duration>
//		tokens_per_second <number>
//		output_tokens <number>
//		error_rate <0..1>
//		error_status <status>
//		cut_after <tokens>
//		stall_after <tokens>
//		serves <operations...>
//		max_in_flight <calls>
//		queue <duration> [<calls>]
//		health_interval <duration>
//		health_timeout <duration>
//		tool_call [<name> [<arguments>]]
//	}
//
// Scalars may be given once, tool_call as often as there are calls.
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if option != "tool_call" && given[option] {
			return d.Errf("%s is given twice", option)
		}
		given[option] = true
		if err := p.unmarshalOption(d, option); err != nil {
			return err
		}
	}
	if err := p.Check(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (p *Provider) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "tool_call":
		return p.unmarshalToolCall(d)
	case "serves":
		if p.Serves = d.RemainingArgs(); len(p.Serves) == 0 {
			return d.ArgErr()
		}
		if _, err := vendor.Only(p.Serves); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
	if known, err := p.Common.Unmarshal(d); known {
		return err
	}
	var value string
	set, known := map[string]func() error{
		"seed":              func() (err error) { p.Seed, err = strconv.ParseUint(value, 10, 64); return err },
		"tokens_per_second": func() (err error) { p.TokensPerSecond, err = strconv.ParseFloat(value, 64); return err },
		"output_tokens":     func() (err error) { p.OutputTokens, err = strconv.Atoi(value); return err },
		"error_rate":        func() (err error) { p.ErrorRate, err = strconv.ParseFloat(value, 64); return err },
		"error_status":      func() (err error) { p.ErrorStatus, err = strconv.Atoi(value); return err },
		"cut_after":         func() (err error) { p.CutAfter, err = strconv.Atoi(value); return err },
		"stall_after":       func() (err error) { p.StallAfter, err = strconv.Atoi(value); return err },
		"ttft": func() error {
			ttft, err := caddy.ParseDuration(value)
			p.TTFT = caddy.Duration(ttft)
			return err
		},
	}[option]
	if !known {
		return d.Errf("unrecognized simulator option '%s'%s", option, typo.Suggest(option, append([]string{
			"seed", "ttft", "tokens_per_second", "output_tokens", "error_rate", "error_status", "cut_after", "stall_after", "serves", "tool_call",
		}, upstream.CommonOptions...)...))
	}
	if !d.AllArgs(&value) {
		return d.ArgErr()
	}
	if err := set(); err != nil {
		return d.Errf("%s: '%s' is not a valid value", option, value)
	}
	if err := p.checkNumbers(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (p *Provider) unmarshalToolCall(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) > 2 {
		return d.ArgErr()
	}
	var call ToolCall
	if len(args) > 0 {
		call.Name = args[0]
	}
	if len(args) > 1 {
		if !json.Valid([]byte(args[1])) {
			return d.Errf("tool_call: the arguments of '%s' are not valid JSON", args[0])
		}
		call.Arguments = json.RawMessage(args[1])
	}
	p.ToolCalls = append(p.ToolCalls, call)
	return nil
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*Provider)(nil)
	_ caddy.Validator       = (*Provider)(nil)
	_ caddyfile.Unmarshaler = (*Provider)(nil)
	_ gateway.Provider      = (*Provider)(nil)
	_ gateway.Forwarder     = (*Provider)(nil)
)
