package batch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/embedding"
)

// The most bytes that are read of an answer, and of an error.
const (
	maxAnswer = 64 << 20
	maxError  = 1 << 20
)

// part is the answer to one upstream call: vectors, or a failure with the body
// that told of it.
type part struct {
	*embedding.Answer
	status  int
	header  http.Header
	failure *wire.Failure
	body    []byte
}

// ask asks c's provider for the inputs of lists, which are requests like r, and
// reads an answer of at most so many bytes.
func ask(ctx context.Context, c *Call, r *embedding.Request, inputs, most int, lists ...[]byte) (*part, error) {
	body := r.Append(nil, lists...)
	out := *c.Outgoing
	out.Operation = r.Operation
	if out.Operation != c.Outgoing.Operation {
		out.Path = out.Operation.Path
	}
	out.Body, out.Length = bytes.NewBuffer(body), int64(len(body)) // which can be sent as it lies
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	res, err := c.Provider.Do(ctx, &out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	p := &part{status: res.StatusCode, header: res.Header}
	if res.StatusCode >= http.StatusBadRequest {
		most = maxError
	}
	if p.body, err = read(ctx, c, res, most); err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode >= http.StatusBadRequest:
		p.failure = wire.ReadFailure(res.StatusCode, res.Header.Get("X-Amzn-Errortype"), p.body)
		return p, nil
	case res.StatusCode != http.StatusOK:
		return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "status", Message: "the upstream answered with the unexpected status " + strconv.Itoa(res.StatusCode)}
	}
	if p.Answer, err = embedding.ParseAnswer(r.Operation, p.body, inputs); err == nil {
		return p, nil
	}
	var seen wire.Seen
	if doors.Of(r.Operation).Observer().Answer(p.body, &seen) == nil && seen.Failure != nil {
		// An error with status 200 gets the one that it should have had.
		p.failure, p.status = seen.Failure, seen.Failure.Kind.Status(r.Operation.Dialect)
		return p, nil
	}
	return nil, malformed(err)
}

// read reads a body of at most so many bytes. The context knows best why one
// broke off.
func read(ctx context.Context, c *Call, res *http.Response, most int) ([]byte, error) {
	unpacked, err := c.Unpack(res)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if n := res.ContentLength; n > 0 && n <= int64(most) {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(unpacked, int64(most)+1))
	var known *gateway.Error
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &known):
		return nil, known
	case err != nil:
		return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream broke off its answer", Cause: err}
	case n > int64(most):
		return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "answer", Message: "the upstream's answer is too large"}
	}
	return b.Bytes(), nil
}

// synthetic is an answer that is made here.
func synthetic(status int, header http.Header, body []byte) *http.Response {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Transfer-Encoding", "Trailer", "Etag", "Digest"} {
		header.Del(name)
	}
	header["Content-Type"] = []string{"application/json"}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
