package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// explain words a transport's error. The client must not learn addresses, so
// they stay in the cause. The phase tells more than a label: see
// gateway.Unsent.
func explain(ctx context.Context, f *flight, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	e := &gateway.Error{Kind: wire.KindUpstream, Phase: gateway.PhaseRoundTrip, Cause: err}
	text := err.Error()
	var dial *dialError
	var foreign reverseproxy.DialError
	switch {
	case errors.As(err, &dial):
		e.Phase = dial.phase
		if dial.timeout {
			e.Kind = wire.KindTimeout
		}
	case errors.As(err, &foreign):
		e.Phase = gateway.PhaseConnect
	case f.unshaken(err):
		e.Phase = gateway.PhaseTLS
		if timedOut(err) {
			e.Kind = wire.KindTimeout
		}
	case f.unsent(err):
		e.Phase, e.Message = gateway.PhaseConnect, "the upstream closed the connection before it took the request"
	case timedOut(err):
		e.Kind, e.Message = wire.KindTimeout, "the upstream did not answer in time"
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "response header list"):
		e.Message = "the headers of the upstream's answer are too large"
	case !errors.Is(err, io.EOF) && strings.Contains(text, "malformed"):
		e.Message = "the upstream's answer is not valid HTTP"
	default:
		e.Message = "the upstream closed the connection before it answered"
	}
	if e.Message == "" {
		e.Message = failures[e.Phase]
		if e.Kind == wire.KindTimeout {
			e.Message = timeouts[e.Phase]
		}
	}
	return e
}

// unshaken reports whether the TLS handshake failed, after which the upstream can
// have read nothing.
func (f *flight) unshaken(err error) bool {
	text := err.Error()
	if !f.generation.traced {
		return strings.Contains(text, "tls:") || strings.Contains(text, "TLS handshake") || strings.Contains(text, "x509:")
	}
	if !f.connected {
		return true // between a dial and a connection there is nothing else, but a proxy that said no
	}
	// The client's handshake of TLS 1.3 is over before the server has seen its
	// certificate. Other words of TLS on a connection that was made are no reason to
	// think that the request was not read.
	var alert *net.OpError
	return !f.reused && errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Err.Error(), "certificate")
}

var (
	failures = map[string]string{
		gateway.PhaseDNS:     "the upstream's name could not be resolved",
		gateway.PhaseConnect: "connecting to the upstream failed",
		gateway.PhaseTLS:     "the TLS handshake with the upstream failed",
	}
	timeouts = map[string]string{
		gateway.PhaseDNS:     "resolving the upstream's name timed out",
		gateway.PhaseConnect: "connecting to the upstream timed out",
		gateway.PhaseTLS:     "the TLS handshake with the upstream timed out",
	}
)
