package handlers

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/http1"
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// wholeAnswer is a JSON answer that has been read to its end.
type wholeAnswer struct {
	*attempt
	res  *http.Response
	body *payload

	// translated is its form in the client's dialect, nil where that is the
	// upstream's.
	translated *payload
}

// understand reads the answer, and translates it.
func (w *wholeAnswer) understand(kind int) error {
	c := w.call
	observer := w.source.Observer()
	_, err := w.told.Observe(func(seen *wire.Seen) (wire.Class, error) { return 0, observer.Answer(w.body.bytes, seen) })
	seen := w.told.Seen()
	switch {
	case err != nil && c.expectsJSON():
		message := "the upstream's answer is not valid JSON"
		if kind == kindHTML {
			message = "the upstream answered with a web page"
		}
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: message, Cause: err}
	case seen.Failure != nil && (w.translator != nil || failedInside(w.body.bytes)):
		return w.upstreamFailure(seen.Failure)
	case seen.Failure != nil:
		// An error that came with status 200 gets the one that it should have
		// had.
		e := w.upstreamFailure(seen.Failure)
		body := append([]byte(nil), redact(w.route.Provider, w.body.bytes)...)
		return &refusal{failure: e, provider: w.route.Provider, source: w.source, status: e.Kind.Status(c.route.Dialect), header: w.res.Header, body: body}
	case w.translator == nil:
		return nil
	}
	w.translated = newPayload()
	if w.translated.bytes, err = w.translator.answer(w.translated.bytes, w.body.bytes); err != nil {
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream's answer is not what its dialect promises", Cause: err}
	}
	return nil
}

// failedInside reports whether an answer tells of its failure in one of its choices,
// where the clients that get an error do not look for it.
func failedInside(answer []byte) bool {
	root, err := wire.ParseAnswer(answer)
	return err == nil && jsonscan.Lookup(answer, root, "choices").Exists() && !jsonscan.Lookup(answer, root, "error").Exists()
}

func (w *wholeAnswer) drop() {
	w.body.release()
	w.translated.release()
}

// recycle gives back what the upstream's answer was read into. Those that several
// calls share are left alone.
func (w *wholeAnswer) recycle() {
	if r, ok := w.res.Body.(http1.Recycler); ok && w.joint.Response == nil {
		r.Recycle()
	}
}

func (w *wholeAnswer) show() error {
	defer w.drop()
	defer w.recycle()
	w.settled()
	c, answer := w.call, w.body.bytes
	c.copyHeader(w.res.Header, w.upstreamID)
	if w.translated != nil {
		answer = w.translated.bytes
		c.out.set("Content-Type", "application/json")
	}
	t := newTexts()
	seen := w.told.Seen()
	if c.x.Operation.Free {
		seen.Usage, seen.Reported = wire.Usage{}, true
	}
	if seen.Reported {
		c.appendUsage(t, seen.Usage)
		c.settledLimits(t, seen.Usage)
	}
	t.number("Content-Length", int64(len(answer)))
	c.tapeWhole(w.attempt, answer)
	c.tellIn(t)
	return c.sent(c.writes(func() error { return c.out.whole(w.res.StatusCode, answer) }))
}

// byteAnswer is an answer that is no JSON, such as speech.
type byteAnswer struct {
	*attempt
	res  *http.Response
	body io.Reader
}

func (b *byteAnswer) drop() { discard(b.res.Body) }

// show copies the answer as it comes.
func (b *byteAnswer) show() error {
	defer b.drop()
	b.settled()
	c, res := b.call, b.res
	c.copyHeader(res.Header, b.upstreamID)
	t := newTexts()
	if res.ContentLength >= 0 {
		t.number("Content-Length", res.ContentLength)
	}
	c.tellIn(t)
	c.out.open(res.StatusCode)
	buf := newPayload()
	defer buf.release()
	chunk := grow(buf.bytes, 32<<10)
	buf.bytes = chunk[:0]
	chunk = chunk[:32<<10]
	for {
		n, err := b.body.Read(chunk)
		if n > 0 {
			if werr := c.out.write(chunk[:n], res.ContentLength < 0); werr != nil {
				return gateway.ErrClientGone
			}
		}
		if err != nil {
			c.timed(c.upstreamStart, &c.x.Timings.Upstream)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if c.absent() {
				return gateway.ErrClientGone
			}
			c.x.End(func(o *gateway.Outcome) { o.Err = gateway.AsError(b.readError(err, "answer")) })
			_ = c.out.write(nil, true) // what has come so far
			c.letRead()
			panic(http.ErrAbortHandler) // a body of bytes has no place for an error
		}
	}
}

// sent makes an error of the client's connection the client's leaving.
func (c *call) sent(err error) error {
	if err != nil {
		return gateway.ErrClientGone
	}
	return nil
}

// drainTime is how long the end of a connection's answer is waited for, so
// that the connection can be used again.
const drainTime = 250 * time.Millisecond
