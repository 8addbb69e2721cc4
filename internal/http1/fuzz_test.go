package http1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replayed is a connection on which an answer arrives, in pieces of a size.
type replayed struct {
	net.Conn
	data io.Reader
	size int
}

func (r *replayed) Read(p []byte) (int, error) { return r.data.Read(p[:min(len(p), r.size)]) }
func (r *replayed) Close() error               { return nil }

// replay reads data as the answer to a request.
func replay(data []byte, size int, method string) (*http.Response, *exchange, error) {
	c := newConn(&replayed{data: bytes.NewReader(data), size: size}, &host{transport: new(Transport)})
	x := &exchange{conn: c, ctx: context.Background(), head: method == http.MethodHead, limit: 64 << 10}
	x.parts.Store(1)
	x.stop = func() bool { return true }
	return &x.res, x, x.receive(0)
}

// readIn reads a body by so many bytes at a time.
func readIn(body io.Reader, size int) ([]byte, error) {
	var all []byte
	p := make([]byte, size)
	for {
		n, err := body.Read(p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// FuzzResponse compares with net/http: what both take for an answer is the same
// answer, however it arrives and is read.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		ok + "Content-Length: 2\r\n\r\nok",
		ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nokmore",
		ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
		ok + "Connection: keep-alive, close\r\nX-a_B:  b \r\nx-A_b:\r\n\r\nuntil the end",
		"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n",
		"HTTP/1.1 529 \r\nContent-Length: 9\r\n\r\ncut",
		ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		ok + "X: y\r\n z\r\n\r\n",
	} {
		f.Add([]byte(seed), uint16(1), uint16(1), false)
		f.Add([]byte(seed), uint16(4096), uint16(4096), false)
		f.Add([]byte(seed), uint16(7), uint16(600), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, arrive, read uint16, head bool) {
		if len(data) > 32<<10 {
			return
		}
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		ours, x, err := replay(data, int(arrive)+1, method)
		if err != nil {
			return // it is stricter on purpose
		}
		body, bodyErr := readIn(ours.Body, int(read)+1)
		br := bufio.NewReader(bytes.NewReader(data))
		for {
			theirs, err := http.ReadResponse(br, &http.Request{Method: method})
			if err != nil {
				// It wants trailers and the like to be announced and well formed.
				t.Skipf("net/http: %v", err)
			}
			if theirs.StatusCode < 200 && theirs.StatusCode != 101 {
				continue
			}
			compare(t, ours, theirs, body, bodyErr, x)
			return
		}
	})
}

func compare(t *testing.T, ours, theirs *http.Response, body []byte, bodyErr error, x *exchange) {
	t.Helper()
	type said struct {
		Status, Proto string
		Code, Minor   int
		Header        http.Header
		Length        int64
		Coding        []string
		Close         bool
	}
	of := func(r *http.Response) said {
		h := r.Header.Clone()
		delete(h, "Trailer")    // is theirs to announce
		delete(h, "Connection") // which they do when it says close
		for name, values := range h {
			for i := range values {
				values[i] = strings.TrimRight(values[i], " \t")
			}
			if name == "Content-Length" && len(values) > 1 {
				h[name] = values[:1] // the same, once
			}
		}
		// A connection on which a 204 announces a body is closed by us alone.
		closes := r.Close && r.StatusCode != http.StatusNoContent
		return said{r.Status, r.Proto, r.StatusCode, r.ProtoMinor, h, r.ContentLength, r.TransferEncoding, closes}
	}
	if diff := cmp.Diff(of(theirs), of(ours)); diff != "" {
		t.Errorf("net/http's and ours: %s", diff)
	}
	want, wantErr := readIn(theirs.Body, 4096)
	if wantErr == nil && bodyErr == nil && !bytes.Equal(body, want) {
		t.Errorf("body %q, net/http's %q", body, want)
	}
	// What is cut is cut for both; ours may have refused a body before.
	if wantErr != nil && bodyErr == nil && !strings.Contains(wantErr.Error(), "trailer") && !strings.Contains(wantErr.Error(), "malformed MIME") {
		t.Errorf("net/http: %v, ours took it for whole: %q", wantErr, body)
	}
	if x.in != nil && bodyErr == nil {
		t.Error("a buffer was kept")
	}
}
