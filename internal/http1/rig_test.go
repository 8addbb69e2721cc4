package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/scripttest"
	"github.com/weirproxy/weir/internal/waittest"
)

// again answers every request of a connection with text.
func again(text string) scripttest.Script {
	return func(_ int64, c net.Conn, br *bufio.Reader) {
		for take(br) != nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// take reads a request to its end; nil when there is none.
func take(br *bufio.Reader) *http.Request {
	req, err := http.ReadRequest(br)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return req
}

// client is a transport of which nothing is left after the test.
func client(t *testing.T) *Transport {
	t.Helper()
	tr := &Transport{
		Dial:           new(net.Dialer).DialContext,
		MaxIdlePerHost: 16,
		MaxHead:        64 << 10,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// request makes one that ends with the test.
func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// get makes a call and returns its answer's body.
func get(t *testing.T, tr *Transport, url string) string {
	t.Helper()
	return whole(t, tr, request(t, http.MethodGet, url, nil))
}

func whole(t *testing.T, tr *Transport, req *http.Request) string {
	t.Helper()
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// source is a body that is no memory, and says when it was closed.
type source struct {
	io.Reader
	closed waittest.Count
}

func (s *source) Close() error {
	s.closed.Add(1)
	return nil
}

// held is a body in memory that says when it was closed.
type held struct {
	*strings.Reader
	text   string
	cuts   []int // where its parts end but the last one, if nothing was read
	closed waittest.Count
}

func hold(text string, cuts ...int) *held {
	return &held{Reader: strings.NewReader(text), text: text, cuts: cuts}
}

func (h *held) Parts(dst [][]byte) [][]byte {
	rest := []byte(h.text[len(h.text)-h.Len():])
	at := 0
	for _, cut := range h.cuts {
		dst = append(dst, rest[at:cut])
		at = cut
	}
	return append(dst, rest[at:])
}

func (h *held) Close() error {
	h.closed.Add(1)
	return nil
}

// failure returns how far a round trip came that failed.
func failure(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	return e
}
