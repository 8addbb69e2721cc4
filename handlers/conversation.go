package handlers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// conversation translates chat in any of its dialects.
type conversation struct {
	client   wire.Codec
	upstream wire.Codec

	// asked is the client's request, sent the one that goes out, which has the
	// upstream's model and the gateway's cap.
	asked *wire.Request
	reply wire.Reply

	// native says that the upstream speaks the client's dialect after all, names
	// is what stands in for tools that it refuses otherwise.
	native bool
	names  *wire.ToolNames

	decoder wire.StreamDecoder
	encoder wire.StreamEncoder
	started bool
	choices []progress
	redact  func([]byte) []byte

	// cap is the client's own on generated tokens, 0 for none. script is what
	// the client has been shown, where another target may have to go on with
	// it, and passed follows what of it was not encoded here; join makes the
	// answer of one that does so fit.
	cap    int64
	script *script
	passed wire.Ending
	join   *joiner

	// gather puts the answer together before it is translated, and answered is the
	// one that was no stream, for a call whose answer may be kept.
	gather   *wire.Collector
	answered *wire.Response

	// opening are events before the first content that a failure has kept back.
	// A client that a heartbeat has opened a stream for needs them: without
	// them the error has no response to belong to. told says that the upstream's
	// own error has been translated.
	opening []byte
	told    bool
	out     []byte
}

func newConversation(c *call, route *gateway.Route, body []byte) (*conversation, error) {
	t := &conversation{
		client:   doors.Codec(c.route.Operation),
		upstream: upstreamCodec(route, wire.PrefillNone),
		redact:   redactor(route.Provider),
		native:   route.Operation == c.route.Operation,
	}
	var err error
	if t.asked, err = t.client.DecodeRequest(body); err != nil {
		return nil, err
	}
	t.asked.Model = route.Target.Model
	t.asked.Stream = c.x.Stream
	if t.cap = t.asked.MaxTokens; t.cap == 0 {
		t.asked.MaxTokens = c.capToWrite(route)
	}
	t.reply = wire.Reply{
		Request: t.asked,
		ID:      plainID(c.proxy.gateway.NewID()),
		Created: c.x.Start.Unix(),
		Model:   route.Target.Model,
	}
	return t, nil
}

// plainID keeps of an id what every vendor allows in one.
func plainID(id string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, id)
}

func (t *conversation) request(dst []byte, loss *wire.Loss) ([]byte, error) {
	if !t.native {
		t.names = wire.NameTools(t.asked, t.upstream)
	}
	dst, err := t.upstream.EncodeRequest(dst, t.names.Request(t.asked), loss)
	t.names.Loss(loss)
	return dst, err
}

// written lets go of the prompt when the body for the upstream has been made,
// unless it may be needed for the rest of an answer.
func (t *conversation) written() {
	if t != nil && t.script == nil {
		t.asked.Forget()
	}
}

func (t *conversation) answer(dst, body []byte) ([]byte, error) {
	res, err := t.upstream.DecodeResponse(body)
	if err != nil {
		return nil, err
	}
	if len(res.Choices) == 0 && res.Failure == nil { // clients look at the first
		return nil, fmt.Errorf("reading answer: %w: nothing was generated", wire.ErrMalformed)
	}
	t.names.Response(res)
	t.answered = res
	wire.UnwrapCustom(t.asked, res)
	return t.client.EncodeResponse(dst, res, &t.reply), nil
}

// collect prepares to put the answer together. Calls of custom tools are put
// together for the client alone.
func (t *conversation) collect() {
	if !slices.ContainsFunc(t.asked.Tools, func(tool wire.Tool) bool { return tool.Custom }) {
		t.gather = new(wire.Collector)
	}
}

// open makes the conversation ready for a stream.
func (t *conversation) open() {
	if t.decoder = t.upstream.StreamDecoder(); t.encoder != nil {
		return // it goes on with another stream
	}
	t.encoder = wire.CustomCalls(t.asked, t.client.StreamEncoder(&t.reply))
}

// event translates one event of the upstream. The bytes are valid until the
// next call.
func (t *conversation) event(ev *sse.Event) ([]byte, error) {
	t.out = t.out[:0]
	err := t.decoder.Decode(ev, t.emit)
	if t.passed != nil {
		t.passed.Pass(ev)
	}
	if t.join != nil && t.join.err != nil {
		err = t.join.err
	}
	return t.out, err
}

// end translates the clean end of a body whose dialect has no terminator.
func (t *conversation) end() []byte {
	t.out = t.out[:0]
	t.decoder.End(t.emit)
	return t.out
}

func (t *conversation) emit(ev *wire.Event) {
	ev = t.names.Event(ev)
	if t.join != nil {
		t.join.pass(ev)
		return
	}
	t.write(ev)
}

// write encodes an event for the client.
func (t *conversation) write(ev *wire.Event) {
	t.started = true
	t.follow(ev)
	if t.script != nil {
		t.script.note(ev)
	}
	if t.gather != nil {
		t.gather.Add(ev)
	}
	if t.passed != nil {
		return // the client gets the upstream's own events
	}
	if ev.Kind == wire.EventFail {
		t.told = true
		f := *ev.Failure
		f.Message = string(t.redact([]byte(f.Message)))
		t.out = t.encoder.Encode(t.out, &wire.Event{Kind: wire.EventFail, Failure: &f})
		return
	}
	t.out = t.encoder.Encode(t.out, ev)
}

// fail is the event that ends a stream which the client has seen the
// beginning of.
func (t *conversation) fail(f *wire.Failure) []byte {
	if t.told {
		return t.opening
	}
	return t.encoder.Encode(t.opening, &wire.Event{Kind: wire.EventFail, Failure: f})
}
