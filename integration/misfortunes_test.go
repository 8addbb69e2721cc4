package integration

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

// damage is how far an upstream came before it failed, which decides what the
// client can still be spared and what the call has cost.
type damage int

const (
	untaken   damage = iota // the upstream did no work: it could not be reached, or said no
	taken                   // it had the request, and nothing came back that counts
	preluded                // role chunk, message_start and the like came
	committed               // two words were shown
)

// misfortune is a fault in the matrix: what the upstream of a first call does,
// and what follows from that by the rules. Nothing of it depends on what the
// gateway does.
type misfortune struct {
	name string

	// stream and whole answer a request for a stream and for a whole answer;
	// one that is nil has no such case.
	stream, whole func(d *door) answerer

	// dead says that nobody listens.
	dead bool

	damage damage

	// class is the class of errors that it belongs to, err what it is called.
	// status is the upstream's own; an error that is told by it passes as it
	// came, with body.
	class  gateway.Class
	err    *gateway.Error
	status int
	body   func(d *door) string

	// wholeErr and wholePasses are for whole answers, where those differ: the
	// upstream's words pass with the status that they should have had.
	wholeErr    *gateway.Error
	wholePasses bool

	// patience is the timeout that ends it.
	patience string

	// wait says that the upstream has asked for a longer pause than anybody
	// waits for.
	wait bool
}

// upstreamError is an error of a vendor with its own words.
func upstreamError(d *door, code, message string) string {
	switch d.dialect {
	case wire.Anthropic:
		return fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q}}`, code, message)
	case wire.Gemini:
		return fmt.Sprintf(`{"error":{"code":400,"message":%q,"status":%q}}`, message, strings.ToUpper(code))
	default:
		return fmt.Sprintf(`{"error":{"message":%q,"type":%q,"param":null,"code":%q}}`, message, code, code)
	}
}

// refused is an upstream that says no, with a status and its own words.
func refused(name string, status int, class gateway.Class, kind wire.Kind, code, message string, headers ...string) *misfortune {
	body := func(d *door) string { return upstreamError(d, code, message) }
	answer := func(d *door) answerer {
		return whole(status, body(d), append([]string{"X-Request-Id", "failed-1", "Set-Cookie", "upstream=1", "X-Secret-Region", "eu-7"}, headers...)...)
	}
	return &misfortune{
		name: name, stream: answer, whole: answer, damage: untaken, class: class, status: status, body: body,
		err: failed(kind, "status", ""),
	}
}

// patient is m with a pause that its upstream asks for.
func patient(m *misfortune) *misfortune {
	m.wait = true
	return m
}

// resettingWhole sends half of a JSON answer, and then a TCP reset.
func resettingWhole(half string) answerer {
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(half))
		weirtest.Flush(w)
		weirtest.Reset(w)
	}
}

// misfortunes are the rows of the matrix.
var misfortunes = []*misfortune{
	{
		name: "connection refused", stream: constant(nil), whole: constant(nil), dead: true, damage: untaken,
		class: gateway.ClassUpstream, err: failed(wire.KindUpstream, "connect", "connecting to the upstream failed"),
	},
	{
		name: "reset before headers", damage: taken, class: gateway.ClassUpstream, err: errNoAnswer,
		stream: constant(func(w http.ResponseWriter, _ *weirtest.Request) { weirtest.Reset(w) }),
		whole:  constant(func(w http.ResponseWriter, _ *weirtest.Request) { weirtest.Reset(w) }),
	},
	{
		name: "reset after headers", damage: taken, class: gateway.ClassUpstream, err: errBrokeOff, wholeErr: errAnswerCut,
		stream: constant(resetAfter("")),
		whole:  func(d *door) answerer { return resettingWhole(d.answer[:30]) },
	},
	{
		name: "reset after the role chunk", damage: preluded, class: gateway.ClassUpstream, err: errBrokeOff,
		stream: func(d *door) answerer { return resetAfter(d.prelude) },
	},
	{
		name: "reset after two tokens", damage: committed, class: gateway.ClassUpstream, err: errBrokeOff,
		stream: func(d *door) answerer { return resetAfter(d.prelude + d.words(2)) },
	},
	refused("429, come back in 50 ms", 429, gateway.ClassRateLimit, wire.KindRateLimit, "rate_limited", "slow down", "Retry-After-Ms", "50"),
	patient(refused("429, come back in 30 s", 429, gateway.ClassRateLimit, wire.KindRateLimit, "rate_limited", "slow down", "Retry-After", "30")),
	refused("429 without a word", 429, gateway.ClassRateLimit, wire.KindRateLimit, "rate_limited", "slow down"),
	refused("500", 500, gateway.ClassUpstream, wire.KindUpstream, "server_error", "it broke"),
	refused("503", 503, gateway.ClassOverloaded, wire.KindOverloaded, "unavailable", "try later"),
	refused("529", 529, gateway.ClassOverloaded, wire.KindOverloaded, "overloaded_error", "overloaded"),
	refused("401 for the provider's key", 401, gateway.ClassAuth, wire.KindAuthentication, "bad_key", "no such key"),
	refused("prompt too long", 400, gateway.ClassContextLength, wire.KindContextLength, "context_length_exceeded", "the prompt is too long: maximum context length is 10 tokens"),
	refused("content policy", 400, gateway.ClassContentPolicy, wire.KindPolicy, "content_policy_violation", "this breaks our content policy"),
	refused("400", 400, own, wire.KindInvalid, "invalid_request_error", "unknown parameter"),
	{
		name: "slow headers", damage: taken, class: gateway.ClassTimeout, err: gateway.ErrHeaders, patience: "response_header_timeout",
		stream: constant(stall), whole: constant(stall),
	},
	{
		name: "slow first token", damage: preluded, class: gateway.ClassTimeout, err: gateway.ErrFirstToken, patience: "first_token_timeout",
		stream: func(d *door) answerer { return stallAfter(d.prelude) },
	},
	{
		name: "stall after two tokens", damage: committed, class: gateway.ClassTimeout, err: gateway.ErrIdle, patience: "idle_timeout",
		stream: func(d *door) answerer { return stallAfter(d.prelude + d.words(2)) },
	},
	{
		name: "garbage", damage: taken, class: gateway.ClassUpstream, err: failed(wire.KindUpstream, "round_trip", "the upstream's answer is not valid HTTP"),
		stream: constant(bytesOnWire("\x00\x01\x02hello\r\n\r\n")),
		whole:  constant(bytesOnWire("\x00\x01\x02hello\r\n\r\n")),
	},
	{
		name: "malformed JSON with 200", damage: taken, class: gateway.ClassUpstream, err: errMalformed,
		wholeErr: failed(wire.KindUpstream, "answer", "the upstream's answer is not valid JSON"),
		stream:   constant(events("data: {\"choices\":\n\n")),
		whole:    func(d *door) answerer { return whole(200, d.answer[:40]) },
	},
	{
		name: "200 + error event before content", damage: preluded, class: gateway.ClassUpstream,
		err:    failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke"),
		stream: func(d *door) answerer { return events(d.prelude + d.failure) },
	},
	{
		name: "200 + error event after two tokens", damage: committed, class: gateway.ClassUpstream,
		err:    failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke"),
		stream: func(d *door) answerer { return events(d.prelude + d.words(2) + d.failure) },
		body:   func(d *door) string { return d.failure },
	},
	{
		name: "200 + JSON error", damage: taken, class: gateway.ClassUpstream,
		err:    failed(wire.KindUpstream, "in_band", "the upstream reported an error: it broke"),
		stream: func(d *door) answerer { return whole(200, d.errorBody) },
		whole:  func(d *door) answerer { return whole(200, d.errorBody) },
		body:   func(d *door) string { return d.errorBody }, wholePasses: true,
	},
	{
		name: "200 + web page", damage: taken, class: gateway.ClassUpstream, err: errNoStream,
		wholeErr: failed(wire.KindUpstream, "answer", "the upstream answered with a web page"),
		stream:   constant(whole(200, "<html>hi</html>", "Content-Type", "text/html")),
		whole:    constant(whole(200, "<html>hi</html>", "Content-Type", "text/html")),
	},
	{
		// A stream that nobody asked for must not change what the next
		// upstream is asked for.
		name: "wrong content type", damage: taken, class: gateway.ClassUpstream, err: errNoStream, wholeErr: errMalformed,
		stream: func(d *door) answerer { return whole(200, d.answer) },
		whole:  constant(events("data: {\"choices\":\n\n")),
	},
}

// own is the class of errors that are the request's own: no rule names it.
const own = gateway.Class(200)

// errorOf is what m is called in a stream or a whole answer.
func (m *misfortune) errorOf(stream bool) *gateway.Error {
	if !stream && m.wholeErr != nil {
		return m.wholeErr
	}
	return m.err
}

// wasted is the usage of a call that m ended: what the upstream reported, else
// the prompt if it had that.
func (m *misfortune) wasted(d *door, stream bool) (source string, input, output int64) {
	switch {
	case m.damage == untaken:
		return gateway.SourceNone, 0, 0
	case m.damage == preluded && stream:
		return usageAt(d, 0)
	case m.damage == committed:
		return usageAt(d, 2)
	}
	return gateway.SourceEstimated, d.prompt, 0
}

// told is the answer of a client that is not spared m.
func (m *misfortune) told(d *door, stream bool, id string) *reply {
	e := m.errorOf(stream)
	switch {
	case m.damage == committed && m.body != nil:
		return &reply{status: 200, cut: true, body: d.prelude + d.words(2) + m.body(d)}
	case m.damage == committed:
		return &reply{status: 200, cut: true, body: d.prelude + d.words(2) + strings.ReplaceAll(d.errorEvent(e, 2), requestID, id)}
	case m.status != 0:
		return &reply{status: m.status, body: m.body(d)}
	case m.wholePasses && !stream:
		return &reply{status: 502, body: m.body(d)}
	default:
		return &reply{status: e.Kind.Status(d.dialect), body: string(wire.ErrorBody(d.dialect, e.Failure(id)))}
	}
}
