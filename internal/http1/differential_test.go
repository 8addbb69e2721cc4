package http1

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// piece is a part of an answer. Of one that is refused, why says by which rule;
// net/http takes some of those.
type piece struct{ text, why string }

var (
	lines = []piece{
		{text: "HTTP/1.1 200 OK"},
		{text: "HTTP/1.1 200"},
		{text: "HTTP/1.1 200 "},
		{text: "HTTP/1.1 503 \xc3\xa9"},
		{text: "HTTP/1.1 204 No Content"},
		{text: "HTTP/1.1 304 x"},
		{text: "HTTP/1.0 200 OK"},
		{text: "HTTP/1.1 999 x"},
		{text: "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK"},
		{text: "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 102 y\r\n\r\nHTTP/1.1 200 OK"},
		{"HTTP/1.1 2000 OK", "RFC 9112, 4: a status has three digits"},
		{"HTTP/1.1 20 OK", "the same"},
		{"HTTP/1.1 2x0 OK", "the same"},
		{"HTTP/1.1 +20 OK", "the same"},
		{"HTTP/1.1  200 OK", "RFC 9112, 4: one space"},
		{"HTTP/2.0 200 OK", "another version"},
		{"HTTP/11 200 OK", "no version"},
		{"http/1.1 200 OK", "RFC 9112, 2.3: versions have capitals"},
		{" HTTP/1.1 200 OK", "RFC 9112, 4"},
		{"\r\nHTTP/1.1 200 OK", "RFC 9112, 2.2 speaks of servers only"},
	}
	headers = []piece{
		{text: ""},
		{text: "X: y\r\n"},
		{text: "x-a: b\r\nX-A: c\r\n"},
		{text: "X:\t y \t\r\n"},
		{text: "X:\r\n"},
		{text: "X: y\n"},
		{text: "X: \xff\r\n"},
		{text: "!#$%&'*+-.^_`|~9: y\r\n"},
		{text: "Content-Length: 5\r\n"},
		{text: "Content-Length:  5 \r\n"},
		{text: "content-length: 5\r\nContent-Length: 5\r\n"},
		{text: "Content-Length: 0\r\n"},
		{text: "Content-Length: 005\r\n"},
		{text: "Transfer-Encoding: chunked\r\n"},
		{text: "transfer-encoding:\tCHUNKED\r\n"},
		{text: "Connection: close\r\n"},
		{text: "Connection: x, Close\r\n"},
		{text: "Connection: keep-alive\r\n"},
		{"Content-Length: 5\r\nContent-Length: 6\r\n", "RFC 9110, 8.6"},
		{"Content-Length: 5, 5\r\n", "RFC 9110, 8.6 lets one refuse it"},
		{"Content-Length: +5\r\n", "digits only"},
		{"Content-Length: -5\r\n", "digits only"},
		{"Content-Length: 5 5\r\n", "digits only"},
		{"Content-Length: 0x5\r\n", "digits only"},
		{"Content-Length: 99999999999999999999\r\n", "too much"},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "RFC 9112, 6.1: once"},
		{"Transfer-Encoding: gzip, chunked\r\n", "not understood"},
		{"Transfer-Encoding: chunked, identity\r\n", "not understood"},
		{"Transfer-Encoding: \x0bchunked\r\n", "RFC 9110, 5.5"},
		{"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "RFC 9112, 6.3"},
		{"X : y\r\n", "RFC 9112, 5.1"},
		{": y\r\n", "no name"},
		{"X\r\n", "no colon"},
		{"X: y\r\n z\r\n", "RFC 9112, 5.2"},
		{"X: a\x00b\r\n", "RFC 9110, 5.5"},
		{"X: a\rb\r\n", "RFC 9112, 2.2"},
		{"X: a\r\r\n", "RFC 9112, 2.2"},
		{"X(: y\r\n", "RFC 9110, 5.6.2"},
		{"\xc3\xa9: y\r\n", "RFC 9110, 5.6.2"},
	}
	bodies = []string{
		"", "hello", "hell", "hello, world", "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "5;a=b\r\nhello\r\n1 \r\n!\r\n0;x\r\n\r\n", "00000005\r\nhello\r\n000\r\n\r\n",
		"5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 3\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\nhello\n0\n\n", "5\r\nhello\r\n0\r\n", "5\r\nhello", "5\r\nhell", "+5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
		"10000000000000005\r\nhello\r\n0\r\n\r\n", "fffffffffffffffff\r\nhello\r\n", "7fffffffffffffff\r\nhello", "\r\n5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5\r\rhello\r\n0\r\n\r\n",
	}
)

// TestDifferential puts answers together of pieces, good and bad. Those without a bad
// one are to us what they are to net/http; the others are refused, by a rule, and
// never taken where net/http refuses.
func TestDifferential(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9112, 9110))
	pick := func(from []piece) piece { return from[rnd.IntN(len(from))] }
	taken, refused := 0, 0
	for range 8000 {
		parts := []piece{pick(lines), pick(headers), pick(headers)}
		if rnd.IntN(2) == 0 { // else hardly any would be good
			for i := range parts {
				for parts[i].why != "" {
					parts[i] = pick([][]piece{lines, headers, headers}[i])
				}
			}
		}
		data := []byte(parts[0].text + "\r\n" + parts[1].text + parts[2].text + "\r\n" + bodies[rnd.IntN(len(bodies))])
		ours, x, err := replay(data, 1+rnd.IntN(60), http.MethodGet)
		theirs, theirErr := final(data)
		bad := slices.ContainsFunc(parts, func(p piece) bool { return p.why != "" })
		switch {
		case bad && err == nil:
			t.Errorf("taken: %q", data)
		case err != nil:
			if refused++; !bad && theirErr == nil && !clash(parts) {
				t.Errorf("refused: %q: %v", data, err)
			}
		case theirErr != nil:
			t.Errorf("taken: %q, net/http: %v", data, theirErr)
		default:
			taken++
			body, bodyErr := readIn(ours.Body, 1+rnd.IntN(600))
			compare(t, ours, theirs, body, bodyErr, x)
		}
		if t.Failed() {
			t.Fatalf("of %q", data)
		}
	}
	if taken < 1000 || refused < 1000 {
		t.Errorf("%d were taken, %d refused", taken, refused)
	}
}

// clash reports whether pieces that are good by themselves are bad together: lengths
// that differ in their digits, a length and chunks, chunks twice or in HTTP/1.0.
func clash(parts []piece) bool {
	lengths := map[string]bool{}
	chunks := 0
	for _, p := range parts[1:] {
		for line := range strings.Lines(strings.ToLower(p.text)) {
			if value, ok := strings.CutPrefix(line, "content-length:"); ok {
				lengths[strings.TrimSpace(value)] = true
			}
			if strings.HasPrefix(line, "transfer-encoding:") {
				chunks++
			}
		}
	}
	return len(lengths) > 1 || chunks > 1 || chunks == 1 && (len(lengths) > 0 || strings.HasPrefix(parts[0].text, "HTTP/1.0"))
}

// final is what net/http makes of data, behind 1xx.
func final(data []byte) (*http.Response, error) {
	br := bufio.NewReader(bytes.NewReader(data))
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
		if err != nil || res.StatusCode >= 200 {
			return res, err
		}
	}
}
