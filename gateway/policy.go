package gateway

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/wire"
)

// Policy is what a site or a model demands of requests. The zero value
// demands nothing. Where both have a rule, both hold.
type Policy struct {
	// MaxOutputTokens caps generated tokens: a request that asks for more is
	// refused, one that names no cap gets this one written into it. 0: none.
	MaxOutputTokens int64

	// OnExceed is what becomes of a stream that goes on beyond its cap, which
	// an upstream may ignore: ExceedFinish or ExceedCut. Empty: not said.
	OnExceed string

	// MaxInputTokens caps the prompt. 0: none.
	MaxInputTokens int64

	// MinTemperature and MaxTemperature bound `temperature`; nil: none.
	MinTemperature, MaxTemperature *float64

	// AllowParams, if not empty, names the only members that a body may have
	// besides those that every request needs; DenyParams those that none may
	// have. Case does not matter, since some upstreams ignore it.
	AllowParams, DenyParams []string
}

// The values of Policy.OnExceed.
const (
	ExceedFinish = "finish"
	ExceedCut    = "cut"
)

// CheckExceed refuses a value of OnExceed that is none.
func CheckExceed(value string) error {
	if value != "" && value != ExceedFinish && value != ExceedCut {
		return fmt.Errorf("on_exceed must be 'finish' or 'cut', not '%s'%s", value, typo.Suggest(value, ExceedFinish, ExceedCut))
	}
	return nil
}

// Cuts reports whether streams end at their cap. What p leaves open, site says.
func (p *Policy) Cuts(site *Policy) bool {
	if p.OnExceed != "" {
		return p.OnExceed == ExceedCut
	}
	return site.OnExceed == ExceedCut
}

// Timeouts bound the phases of a call. 0 means the default, negative none.
type Timeouts struct {
	// ResponseHeader bounds the wait for the upstream's headers.
	ResponseHeader time.Duration

	// FirstToken bounds the wait for the first content of a stream, Idle the
	// silence between two, and Total the whole exchange.
	FirstToken, Idle, Total time.Duration
}

// Defaults of [Timeouts].
const (
	DefaultHeaderTimeout     = 10 * time.Minute
	DefaultFirstTokenTimeout = time.Minute
	DefaultIdleTimeout       = 2 * time.Minute
	DefaultTotalTimeout      = time.Hour
)

// Over returns t with what it leaves open taken from base.
func (t Timeouts) Over(base Timeouts) Timeouts {
	pick := func(a, b time.Duration) time.Duration {
		if a != 0 {
			return a
		}
		return b
	}
	return Timeouts{
		ResponseHeader: pick(t.ResponseHeader, base.ResponseHeader),
		FirstToken:     pick(t.FirstToken, base.FirstToken),
		Idle:           pick(t.Idle, base.Idle),
		Total:          pick(t.Total, base.Total),
	}
}

// WithDefaults fills in the defaults.
func (t Timeouts) WithDefaults() Timeouts {
	return t.Over(Timeouts{
		ResponseHeader: DefaultHeaderTimeout,
		FirstToken:     DefaultFirstTokenTimeout,
		Idle:           DefaultIdleTimeout,
		Total:          DefaultTotalTimeout,
	})
}

// basic are members without which no request makes sense; an allow-list need
// not name them.
var basic = []string{"model", "messages", "input", "prompt", "stream", "query", "documents", "file", "image", "image[]"}

// Check refuses a request that breaks the policy. scope and name are whose rule it
// is, for the message; see [ScopeName].
func (p *Policy) Check(scope, name string, env *wire.Envelope) error {
	if p.MaxOutputTokens > 0 && env.CapParam != "" {
		if env.CapInvalid {
			return Invalid(env.CapParam, "'%s' must be a whole number that is not negative, since %s limits it", env.CapParam, ScopeName(scope, name))
		}
		if env.OutputCap > p.MaxOutputTokens {
			return Invalid(env.CapParam, "'%s' is %d, but %s allows %d at most (max_output_tokens)", env.CapParam, env.OutputCap, ScopeName(scope, name), p.MaxOutputTokens)
		}
	}
	if err := p.checkTemperature(scope, name, env); err != nil {
		return err
	}
	return p.checkParams(scope, name, env)
}

func (p *Policy) checkTemperature(scope, name string, env *wire.Envelope) error {
	if env.TemperatureInvalid && (p.MinTemperature != nil || p.MaxTemperature != nil) {
		return Invalid("temperature", "'temperature' must be a number, since %s allows %s (temperature)", ScopeName(scope, name), p.temperatureRange())
	}
	if !env.HasTemperature {
		return nil
	}
	if p.MinTemperature != nil && env.Temperature < *p.MinTemperature || p.MaxTemperature != nil && env.Temperature > *p.MaxTemperature {
		return Invalid("temperature", "'temperature' is %g, but %s allows %s (temperature)", env.Temperature, ScopeName(scope, name), p.temperatureRange())
	}
	return nil
}

func (p *Policy) temperatureRange() string {
	switch {
	case p.MinTemperature == nil:
		return fmt.Sprintf("%g at most", *p.MaxTemperature)
	case p.MaxTemperature == nil:
		return fmt.Sprintf("%g at least", *p.MinTemperature)
	default:
		return fmt.Sprintf("%g to %g", *p.MinTemperature, *p.MaxTemperature)
	}
}

func (p *Policy) checkParams(scope, name string, env *wire.Envelope) (err error) {
	if len(p.AllowParams) == 0 && len(p.DenyParams) == 0 {
		return nil
	}
	env.Params(func(param string) bool {
		switch {
		case contains(p.DenyParams, param):
			err = Invalid(param, "'%s' is not allowed by %s (deny_params)", param, ScopeName(scope, name))
		case len(p.AllowParams) > 0 && !contains(p.AllowParams, param) && !contains(basic, param):
			err = Invalid(param, "'%s' is not among the parameters that %s allows (allow_params)", param, ScopeName(scope, name))
		}
		return err == nil
	})
	return err
}

func contains(list []string, name string) bool {
	for _, s := range list {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

// CheckInput refuses a prompt that is longer than limit allows or than the
// model's context window.
func (g *Gateway) CheckInput(x *Exchange, route *Route, site *Policy) error {
	for i, limit := range [...]int64{site.MaxInputTokens, route.Policy.MaxInputTokens} {
		if limit <= 0 {
			continue
		}
		if n, _ := g.tokens.Bound(x.countedModel(), x.Operation, &x.Envelope, int(limit)); int64(n) > limit {
			owner := ScopeName(ScopeSite, "")
			if i > 0 {
				owner = ScopeName(ScopeModel, route.Name)
			}
			return Invalid("messages", "the prompt has %d tokens, but %s allows %d at most (max_input_tokens)", n, owner, limit)
		}
	}
	if route.ContextWindow <= 0 || x.Operation == wire.Embeddings {
		return nil
	}
	n, exact := g.tokens.Bound(x.countedModel(), x.Operation, &x.Envelope, int(route.ContextWindow))
	if !exact {
		// An estimate may be high; only the vendor may refuse what might fit.
		n = n * 3 / 4
	}
	if int64(n) > route.ContextWindow {
		return &Error{Kind: wire.KindContextLength, Param: "messages", Message: fmt.Sprintf(
			"the prompt has %d tokens, which is more than the context window of '%s' (%d tokens)", n, route.Target.Model, route.ContextWindow)}
	}
	return nil
}
