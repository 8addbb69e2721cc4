package http1

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The errors of an answer's head. They are worded as net/http's are, which
// whoever explains them has to know besides.
var (
	errStatusLine = errors.New("malformed HTTP response")
	errHeader     = errors.New("malformed HTTP response header")
	errFraming    = errors.New("malformed HTTP response: its length is not clear")
	errSwitch     = errors.New("malformed HTTP response: it switches to another protocol")
)

func tooLarge(limit int) error { return fmt.Errorf("response headers exceeded %d bytes", limit) }

// headEnd returns where the head in b ends, -1 if it does not. Lines end in
// LF, with a CR before it or not (RFC 9112, 2.2). Of b, from bytes were looked
// at before.
func headEnd(b []byte, from int) int {
	for i := max(from-2, 0); ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

// cutLine returns b's first line without its end, and what follows.
func cutLine[T string | []byte](b T) (line, rest T) {
	i := 0
	for i < len(b) && b[i] != '\n' {
		i++
	}
	line, rest = b[:i], b[min(i+1, len(b)):]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

// parseHead reads a whole head, and writes its names in canonical form. All
// strings in res share one copy of it, the rest is in memory.
func parseHead(b []byte, res *http.Response, memory *fields) error {
	line, rest := cutLine(b)
	if err := checkStatusLine(line); err != nil {
		return err
	}
	count := 0
	for len(rest) > 0 {
		var field []byte
		if field, rest = cutLine(rest); len(field) == 0 {
			break
		}
		// A line that begins with white space would go on with the one before;
		// RFC 9112, 5.2 lets nobody send that.
		i := bytes.IndexByte(field, ':')
		if i <= 0 || !isToken(field[:i]) || !isValue(field[i+1:]) {
			return errHeader
		}
		canonical(field[:i])
		count++
	}
	text := string(b)
	first, more := cutLine(text)
	res.Proto, res.ProtoMajor, res.ProtoMinor = first[:8], 1, int(first[7]-'0')
	res.Status = first[9:]
	res.StatusCode, _ = strconv.Atoi(first[9:12])
	header, values := memory.of(count)
	res.Header = header
	for range count {
		var field string
		field, more = cutLine(more)
		name, value, _ := strings.Cut(field, ":")
		value = trim(value)
		if before, ok := header[name]; ok {
			header[name] = append(before, value)
			continue
		}
		values[0] = value
		header[name] = values[:1:1]
		values = values[1:]
	}
	return nil
}

// checkStatusLine wants `HTTP/1.x nnn` and perhaps a reason.
func checkStatusLine(line []byte) error {
	digit := func(i int) bool { return '0' <= line[i] && line[i] <= '9' }
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || !digit(7) || line[8] != ' ' ||
		!digit(9) || line[9] == '0' || !digit(10) || !digit(11) || len(line) > 12 && line[12] != ' ' || !isValue(line) {
		return errStatusLine
	}
	return nil
}

// The values of http.Response.TransferEncoding.
var chunkedCoding = []string{"chunked"}

// frame finds out how the answer's body is delimited (RFC 9112, 6.3): -1 for
// chunks, -2 for the connection's end, else its length. What is said twice
// must be the same: whoever believes the one would find the next answer
// elsewhere than whoever believes the other.
func frame(res *http.Response, head bool) (int64, error) {
	length, err := contentLength(res.Header["Content-Length"])
	if err != nil {
		return 0, err
	}
	chunks := false
	if codings := res.Header["Transfer-Encoding"]; codings != nil {
		chunks = len(codings) == 1 && strings.EqualFold(codings[0], "chunked")
		if !chunks || length >= 0 || res.ProtoMinor == 0 {
			return 0, errFraming
		}
		delete(res.Header, "Transfer-Encoding")
		res.TransferEncoding = chunkedCoding[:1:1]
	}
	connection := res.Header["Connection"]
	res.Close = hasToken(connection, "close") || res.ProtoMinor == 0 && !hasToken(connection, "keep-alive")
	switch {
	case head:
		res.ContentLength = length
		return 0, nil
	case res.StatusCode == http.StatusNoContent:
		// A server that announces a body all the same may send one yet.
		res.Close = res.Close || chunks || length > 0
		return 0, nil
	case res.StatusCode == http.StatusNotModified:
		return 0, nil
	case chunks:
		res.ContentLength = -1
		return inChunks, nil
	case length < 0:
		res.ContentLength, res.Close = -1, true
		return untilEnd, nil
	}
	res.ContentLength = length
	return length, nil
}

const (
	inChunks = -1
	untilEnd = -2
)

// contentLength returns -1 for none. Several must say the same (RFC 9110, 8.6).
func contentLength(values []string) (int64, error) {
	if len(values) == 0 {
		return -1, nil
	}
	for i, v := range values {
		if i > 0 && v != values[0] {
			return 0, errFraming
		}
		for j := range len(v) {
			if v[j] < '0' || v[j] > '9' {
				return 0, errFraming
			}
		}
	}
	n, err := strconv.ParseInt(values[0], 10, 63)
	if err != nil {
		return 0, errFraming
	}
	return n, nil
}
