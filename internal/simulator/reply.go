package simulator

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"
	hexits   = "0123456789abcdef"
)

// mint returns an id that no other request or salt of this simulator has.
func (x *exchange) mint(prefix string, n int, letters string, salt uint64) string {
	id := []byte(prefix)
	v := mix(x.sim.idSeed ^ mix(x.id<<16^salt))
	for i := range n {
		if i%8 == 7 {
			v = mix(v)
		}
		id = append(id, letters[v%uint64(len(letters))])
		v /= uint64(len(letters))
	}
	return string(id)
}

// Salts keep the ids of one request apart.
const (
	saltRequest = iota
	saltAnswer
	saltItem
	saltCall = 1 << 12
)

// header has what every answer of the vendor carries.
func (x *exchange) header(contentType string) http.Header {
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("Date", x.sim.cfg.Clock.Now().UTC().Format(http.TimeFormat))
	if x.dialect == anthropic {
		h.Set("Request-Id", x.mint("req_011C", 20, alphabet, saltRequest))
		h.Set("Anthropic-Organization-Id", "00000000-0000-0000-0000-000000000000")
		return h
	}
	h.Set("X-Request-Id", x.mint("req_", 32, hexits, saltRequest))
	h.Set("Openai-Version", "2020-10-01")
	h.Set("Openai-Processing-Ms", strconv.FormatInt(x.sim.cfg.Clock.Now().Sub(x.start).Milliseconds(), 10))
	return h
}

// The simulator's account: large enough that nobody mistakes it for a limit.
const (
	requestLimit = 10_000
	tokenLimit   = 2_000_000
)

// limits adds the vendor's rate-limit headers; left is how many requests
// remain in this minute.
func (x *exchange) limits(h http.Header, left int) {
	tokens := tokenLimit
	if left == 0 {
		tokens = 0
	}
	if x.dialect == anthropic {
		reset := x.sim.cfg.Clock.Now().Add(time.Second).UTC().Format(time.RFC3339)
		for name, v := range map[string][2]int{
			"Requests": {requestLimit, left}, "Tokens": {tokenLimit, tokens},
			"Input-Tokens": {tokenLimit, tokens}, "Output-Tokens": {tokenLimit, tokens},
		} {
			h.Set("Anthropic-Ratelimit-"+name+"-Limit", strconv.Itoa(v[0]))
			h.Set("Anthropic-Ratelimit-"+name+"-Remaining", strconv.Itoa(v[1]))
			h.Set("Anthropic-Ratelimit-"+name+"-Reset", reset)
		}
		return
	}
	reset := "6ms"
	if left == 0 {
		reset = "1s"
	}
	h.Set("X-Ratelimit-Limit-Requests", strconv.Itoa(requestLimit))
	h.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(left))
	h.Set("X-Ratelimit-Reset-Requests", reset)
	h.Set("X-Ratelimit-Limit-Tokens", strconv.Itoa(tokenLimit))
	h.Set("X-Ratelimit-Remaining-Tokens", strconv.Itoa(tokens))
	h.Set("X-Ratelimit-Reset-Tokens", reset)
}

// respond builds the response; length -1 means that it is not known.
func (x *exchange) respond(status int, h http.Header, body io.ReadCloser, length int) *http.Response {
	if length >= 0 {
		h.Set("Content-Length", strconv.Itoa(length))
	}
	text := http.StatusText(status)
	if text == "" {
		text = "Status"
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + text, StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: body, ContentLength: int64(length), Request: x.req,
	}
}

// whole answers with a complete JSON body of an answer of so many tokens, when
// the last of them is due.
func (x *exchange) whole(tokens int, body []byte) (*http.Response, error) {
	if x.do.stall != off && x.do.stall <= tokens {
		return nil, x.untilGone()
	}
	if err := x.sleep(x.do.due(max(tokens-1, 0))); err != nil {
		return nil, err
	}
	if x.do.errAt != off && x.do.errAt <= tokens {
		return x.fail(statusFailure(x, http.StatusInternalServerError))
	}
	if x.dialect == openAI {
		body = indent(body)
	}
	if x.do.garbage {
		body = body[:len(body)/2]
	}
	end, length := io.EOF, len(body)
	if x.do.cut != off && x.do.cut <= tokens {
		body, end = body[:len(body)/2], io.ErrUnexpectedEOF
	}
	h := x.header("application/json")
	x.limits(h, requestLimit-1)
	return x.respond(http.StatusOK, h, &whole{ctx: x.req.Context(), data: body, end: end}, length), nil
}

// events answers with a stream. Its headers go out at once and its first
// events too, up to the first token.
func (x *exchange) events(failure func([]byte) []byte, segments ...segment) (*http.Response, error) {
	h := x.header("text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	x.limits(h, requestLimit-1)
	return x.respond(http.StatusOK, h, &stream{
		ctx: x.req.Context(), clock: x.sim.cfg.Clock, start: x.start, do: x.do,
		segments: segments, failure: failure, named: x.dialect == anthropic, done: make(chan struct{}),
	}, -1), nil
}

// sleep waits until d after the start of the request.
func (x *exchange) sleep(d time.Duration) error {
	d = x.start.Add(d).Sub(x.sim.cfg.Clock.Now())
	if d <= 0 {
		return nil
	}
	select {
	case <-x.sim.cfg.Clock.After(d):
		return nil
	case <-x.req.Context().Done():
		return context.Cause(x.req.Context())
	}
}

// untilGone waits for the end of the request's context.
func (x *exchange) untilGone() error {
	<-x.req.Context().Done()
	return context.Cause(x.req.Context())
}

func (x *exchange) count(text string) int {
	if text == "" {
		return 0
	}
	return x.sim.cfg.Count(x.name, []byte(text))
}
