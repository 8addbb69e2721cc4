package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

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

// receive reads an answer up to the point from which it can be shown.
func (a *attempt) receive(res *http.Response) (answer, error) {
	defer func() {
		if res != nil {
			discard(res.Body)
		}
	}()
	body, err := unpack(res)
	if err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode >= http.StatusBadRequest:
		return nil, a.refusal(res, body)
	case res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices:
		return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "status", Message: fmt.Sprintf("the upstream answered with the unexpected status %d", res.StatusCode)}
	}
	c := a.call
	kind := contentKind(res.Header.Get("Content-Type"))
	owned := res
	if a.outgoing.Stream || kind == kindStream {
		events, err := a.asStream(kind, body)
		if err != nil {
			return nil, err
		}
		res = nil // the stream closes it, when it has been read to its end
		return a.openStream(owned, events)
	}
	a.watch.enter(phaseBody)
	if kind == kindJSON || kind == kindHTML && c.expectsJSON() || kind == kindNone {
		return a.readWhole(res, body, kind)
	}
	res = nil
	return &byteAnswer{attempt: a, res: owned, body: body}, nil
}

// contentKinds that are told apart.
const (
	kindOther = iota
	kindNone
	kindJSON
	kindStream
	kindHTML
	kindText
)

func contentKind(contentType string) int {
	mediaType, _, _ := parseMediaType(contentType)
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

// parseMediaType is mime.ParseMediaType, with no work for what is sent most.
func parseMediaType(value string) (mediaType string, params map[string]string, err error) {
	switch value {
	case "application/json", "text/event-stream":
		return value, nil, nil
	case "application/json; charset=utf-8":
		return "application/json", nil, nil
	case "text/event-stream; charset=utf-8":
		return "text/event-stream", nil, nil
	default:
		return mime.ParseMediaType(value)
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

// asStream returns the reader of an event stream; an answer that is none to a
// request for one is an error. Some servers label streams as plain text or not
// at all, so there the first byte decides.
func (a *attempt) asStream(kind int, body io.Reader) (io.Reader, error) {
	switch kind {
	case kindStream:
		return body, nil
	case kindNone, kindText:
		first := make([]byte, 1)
		n, err := io.ReadFull(body, first)
		if err != nil {
			return nil, a.readError(err, "answer")
		}
		if first[0] != '{' && first[0] != '<' && first[0] != '[' {
			return io.MultiReader(bytes.NewReader(first[:n]), body), nil
		}
	}
	return nil, a.notAStream(kind, body)
}

// notAStream words what came instead of a stream. A JSON object with an error
// in it is the upstream's failure, whatever its status says.
func (a *attempt) notAStream(kind int, body io.Reader) error {
	if kind == kindJSON {
		data, err := io.ReadAll(io.LimitReader(body, maxError))
		if err == nil {
			if failure := failureIn(a.source, data); failure != nil {
				return a.upstreamFailure(failure)
			}
		}
	}
	return &gateway.Error{Kind: wire.KindUpstream, Phase: "content_type", Message: "the upstream answered a request for a stream with something else"}
}

// failureIn returns the error that a JSON answer of source's dialect reports, if
// it does.
func failureIn(source wire.Door, data []byte) *wire.Failure {
	var probe wire.Seen
	if source.Observer().Answer(data, &probe) != nil {
		return nil
	}
	return probe.Failure
}

// readWhole reads a whole JSON answer, also for its usage: the token headers
// stand before the body.
func (a *attempt) readWhole(res *http.Response, body io.Reader, kind int) (answer, error) {
	c := a.call
	w := &a.whole
	*w = wholeAnswer{attempt: a, res: res, body: newPayload()}
	buf := w.body
	if n := res.ContentLength; n > 0 && n <= maxAnswer {
		buf.bytes = grow(buf.bytes, int(n)+bytes.MinRead)
	}
	b := bytes.NewBuffer(buf.bytes)
	a.limited = io.LimitedReader{R: body, N: maxAnswer + 1}
	n, err := b.ReadFrom(&a.limited)
	buf.bytes = b.Bytes()
	c.timed(c.upstreamStart, &c.x.Timings.Upstream)
	if err != nil {
		err = a.readError(err, "answer")
	} else if n > maxAnswer {
		err = &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream's answer is too large"}
	} else {
		err = w.understand(kind)
	}
	if err != nil {
		w.drop()
		return nil, err
	}
	return w, nil
}

// readError words why an upstream's body ended early. The context knows best:
// whoever ended it said why.
func (a *attempt) readError(err error, phase string) error {
	if cause := a.cause(); cause != nil {
		return cause
	}
	var known *gateway.Error
	if errors.As(err, &known) {
		return known
	}
	return &gateway.Error{Kind: wire.KindUpstream, Phase: phase, Message: "the upstream broke off its answer", Cause: err}
}
