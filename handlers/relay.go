package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// The most bytes that are read of an answer that is kept in memory, of an
// error, and of a whole stream.
const (
	maxAnswer = 64 << 20
	maxError  = 1 << 20
	maxStream = 256 << 20
)

// relay passes the upstream's answer on.
func (c *call) relay(res *http.Response) error {
	defer func() {
		if res != nil {
			discard(res.Body)
		}
	}()
	body, err := unpack(res)
	if err != nil {
		return err
	}
	switch {
	case res.StatusCode >= http.StatusBadRequest:
		return c.relayError(res, body)
	case res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices:
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "status", Message: fmt.Sprintf("the upstream answered with the unexpected status %d", res.StatusCode)}
	}
	kind := contentKind(res.Header.Get("Content-Type"))
	if c.x.Stream || kind == kindStream {
		stream, err := c.asStream(kind, body)
		if err != nil {
			return err
		}
		if stream != nil {
			owned := res
			res = nil // relayStream closes it, when it has been read to its end
			return c.relayStream(owned, stream)
		}
	}
	c.pulse.enter(phaseBody)
	if c.x.Stream || kind == kindJSON || kind == kindHTML && c.expectsJSON() || kind == kindNone {
		return c.relayAnswer(res, body, kind)
	}
	return c.relayBytes(res, body)
}

// contentKinds that the relay tells apart.
const (
	kindOther = iota
	kindNone
	kindJSON
	kindStream
	kindHTML
	kindText
)

func contentKind(contentType string) int {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	switch {
	case mediaType == "":
		return kindNone
	case mediaType == "text/event-stream":
		return kindStream
	case mediaType == "application/json", strings.HasSuffix(mediaType, "+json"):
		return kindJSON
	case mediaType == "text/html", mediaType == "application/xhtml+xml":
		return kindHTML
	case mediaType == "text/plain", mediaType == "application/octet-stream":
		return kindText
	default:
		return kindOther
	}
}

// expectsJSON reports whether the operation has no answer but JSON.
func (c *call) expectsJSON() bool {
	switch c.route.Operation {
	case wire.Speech, wire.Transcription, wire.Translation:
		return false
	default:
		return true
	}
}

// asStream returns the reader of an event stream, or nil when the answer to a
// request for a stream is none. Some servers label streams as plain text or
// not at all, so there the first byte decides.
func (c *call) asStream(kind int, body io.Reader) (io.Reader, error) {
	switch kind {
	case kindStream:
		return body, nil
	case kindNone, kindText:
		first := make([]byte, 1)
		n, err := io.ReadFull(body, first)
		if err != nil {
			return nil, c.readError(err, "answer")
		}
		if first[0] != '{' && first[0] != '<' && first[0] != '[' {
			return io.MultiReader(bytes.NewReader(first[:n]), body), nil
		}
	}
	return nil, c.notAStream(kind, body)
}

// notAStream words what came instead of a stream. A JSON object with an error
// in it is the upstream's failure, whatever its status says.
func (c *call) notAStream(kind int, body io.Reader) error {
	if kind == kindJSON {
		data, err := io.ReadAll(io.LimitReader(body, maxError))
		if err == nil {
			if failure := c.failureIn(data); failure != nil {
				return c.upstreamFailure(failure)
			}
		}
	}
	return &gateway.Error{Kind: wire.KindUpstream, Phase: "content_type", Message: "the upstream answered a request for a stream with something else"}
}

// failureIn returns the error that a JSON answer reports, if it does.
func (c *call) failureIn(data []byte) *wire.Failure {
	var probe wire.Seen
	if c.source.Observer().Answer(data, &probe) != nil {
		return nil
	}
	return probe.Failure
}

// redact hides the account's key in what an upstream says of an error: some
// quote the key that they refuse.
func (c *call) redact(data []byte) []byte {
	if redactor, ok := c.upstream.(interface{ Redact([]byte) []byte }); ok {
		return redactor.Redact(data)
	}
	return data
}

// upstreamFailure makes a failure that an upstream reported in a 200 answer
// ours to tell.
func (c *call) upstreamFailure(f *wire.Failure) *gateway.Error {
	message := "the upstream reported an error"
	if f.Message != "" {
		message += ": " + string(c.redact([]byte(f.Message)))
	}
	kind := f.Kind
	if kind == wire.KindAuthentication || kind == wire.KindPermission {
		kind = wire.KindUpstream // the gateway's account, not the caller's
	}
	return &gateway.Error{Kind: kind, Phase: "in_band", Message: message}
}

// relayError passes an upstream's refusal on as it came: its words are what
// clients of the vendor know. What is no JSON is not shown; it may be some
// proxy's page.
func (c *call) relayError(res *http.Response, body io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(body, maxError))
	if cause := c.cause(); cause != nil {
		return cause
	}
	failure := wire.ReadFailure(res.StatusCode, res.Header.Get("X-Amzn-Errortype"), data)
	if err == nil && c.target.Operation.Dialect != c.route.Dialect {
		return c.translatedFailure(res, failure)
	}
	kind := failure.Kind
	if _, bad := wire.ParseAnswer(data); bad != nil || err != nil {
		e := &gateway.Error{Kind: kind, Phase: "status", Message: fmt.Sprintf("the upstream answered with status %d", res.StatusCode)}
		if res.StatusCode >= http.StatusInternalServerError && e.Kind == wire.KindInvalid || kind == wire.KindAuthentication || kind == wire.KindPermission {
			e.Kind = wire.KindUpstream
		}
		e.RetryAfter = retryAfter(res.Header, c.proxy.gateway.Now())
		return e
	}
	data = c.redact(data)
	e := &gateway.Error{Kind: kind, Phase: "status", Message: fmt.Sprintf("the upstream answered with status %d", res.StatusCode)}
	if c.out.claim() {
		// A heartbeat has opened a stream: the error has to go inside it.
		if failure := c.failureIn(data); failure != nil && failure.Message != "" {
			e.Message += ": " + failure.Message
		}
		return e
	}
	c.x.End(func(o *gateway.Outcome) { o.Err = e })
	c.copyHeader(res.Header)
	c.copyRetry(res.Header)
	h := c.out.w.Header()
	if contentKind(res.Header.Get("Content-Type")) != kindJSON {
		// SDKs read the body only if it says that it is JSON.
		setHeader(h, "Content-Type", "application/json")
	}
	c.setTiming()
	setHeader(h, "Content-Length", strconv.Itoa(len(data)))
	return c.sent(c.out.whole(res.StatusCode, data))
}

// relayAnswer passes a whole JSON answer on, after it has been read for its
// usage: the token headers stand before the body.
func (c *call) relayAnswer(res *http.Response, body io.Reader, kind int) error {
	buf := newPayload()
	defer buf.release()
	if n := res.ContentLength; n > 0 && n <= maxAnswer {
		buf.bytes = grow(buf.bytes, int(n)+bytes.MinRead)
	}
	b := bytes.NewBuffer(buf.bytes)
	n, err := b.ReadFrom(io.LimitReader(body, maxAnswer+1))
	buf.bytes = b.Bytes()
	c.timed(c.upstreamStart, &c.x.Timings.Upstream)
	switch {
	case err != nil:
		return c.readError(err, "answer")
	case n > maxAnswer:
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream's answer is too large"}
	}
	observer := c.source.Observer()
	_, err = c.x.Observe(func(seen *wire.Seen) (wire.Class, error) { return 0, observer.Answer(buf.bytes, seen) })
	seen := c.x.Seen()
	switch {
	case err != nil && c.expectsJSON():
		message := "the upstream's answer is not valid JSON"
		if kind == kindHTML {
			message = "the upstream answered with a web page"
		}
		return &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: message, Cause: err}
	case seen.Failure != nil && c.translator != nil:
		return c.upstreamFailure(seen.Failure)
	case seen.Failure != nil:
		return c.relayInBand(res, buf.bytes, seen.Failure)
	}
	answer := buf.bytes
	c.copyHeader(res.Header)
	h := c.out.w.Header()
	if c.translator != nil {
		translated := newPayload()
		defer translated.release()
		if answer, err = c.translator.answer(translated.bytes, buf.bytes); err != nil {
			return &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream's answer is not what its dialect promises", Cause: err}
		}
		translated.bytes = answer
		setHeader(h, "Content-Type", "application/json")
	}
	if seen.Reported {
		c.setUsage(seen.Usage)
		c.settledLimits(seen.Usage)
	}
	c.setTiming()
	setHeader(h, "Content-Length", strconv.Itoa(len(answer)))
	return c.sent(c.out.whole(res.StatusCode, answer))
}

// translatedFailure is an upstream's refusal for a client of another dialect:
// its kind, its words and its hints for a retry, in the client's form.
func (c *call) translatedFailure(res *http.Response, f *wire.Failure) error {
	wait := retryAfter(res.Header, c.proxy.gateway.Now())
	if wait == 0 {
		wait = f.RetryAfter
	}
	return &gateway.Error{Kind: f.Kind, Phase: "status", Message: string(c.redact([]byte(f.Message))), RetryAfter: wait}
}

// relayInBand passes on an error that came with status 200, with the status
// that it should have had.
func (c *call) relayInBand(res *http.Response, data []byte, failure *wire.Failure) error {
	data = c.redact(data)
	e := c.upstreamFailure(failure)
	c.x.End(func(o *gateway.Outcome) { o.Err = e })
	c.copyHeader(res.Header)
	c.copyRetry(res.Header)
	c.setTiming()
	setHeader(c.out.w.Header(), "Content-Length", strconv.Itoa(len(data)))
	return c.sent(c.out.whole(e.Kind.Status(c.route.Dialect), data))
}

// relayBytes copies an answer that is no JSON, such as speech, as it comes.
func (c *call) relayBytes(res *http.Response, body io.Reader) error {
	c.copyHeader(res.Header)
	c.setTiming()
	h := c.out.w.Header()
	if res.ContentLength >= 0 {
		setHeader(h, "Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	c.out.open(res.StatusCode)
	buf := newPayload()
	defer buf.release()
	chunk := grow(buf.bytes, 32<<10)
	buf.bytes = chunk[:0]
	chunk = chunk[:32<<10]
	for {
		n, err := body.Read(chunk)
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
			c.x.End(func(o *gateway.Outcome) { o.Err = gateway.AsError(c.readError(err, "answer")) })
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

// readError words why an upstream's body ended early. The context knows best:
// whoever ended it said why.
func (c *call) readError(err error, phase string) error {
	if cause := c.cause(); cause != nil {
		return cause
	}
	var known *gateway.Error
	if errors.As(err, &known) {
		return known
	}
	return &gateway.Error{Kind: wire.KindUpstream, Phase: phase, Message: "the upstream broke off its answer", Cause: err}
}

// drainTime is how long the end of a connection's answer is waited for, so
// that the connection can be used again.
const drainTime = 250 * time.Millisecond
