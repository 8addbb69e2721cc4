package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/scripttest"
)

const ok = "HTTP/1.1 200 OK\r\n"

// TestAnswers reads answers that come whole, and byte by byte.
func TestAnswers(t *testing.T) {
	big := strings.Repeat("x", 9000)
	for _, tt := range []struct {
		name, answer string
		method       string // GET
		status       int    // 200
		header       http.Header
		length       int64
		body         string
		err          error // of the body
		kept         bool
	}{
		{"length", ok + "Content-Length: 2\r\n\r\nok", "", 0, http.Header{"Content-Length": {"2"}}, 2, "ok", nil, true},
		{"long", ok + "Content-Length: 9000\r\n\r\n" + big, "", 0, http.Header{"Content-Length": {"9000"}}, 9000, big, nil, true},
		{"nothing", ok + "Content-Length: 0\r\n\r\n", "", 0, http.Header{"Content-Length": {"0"}}, 0, "", nil, true},
		{
			"names and values", ok + "content-length:2\r\nX-a_B:  a b\t \r\nX-A_b: \r\nx-none:\r\nX-Bytes: \xc3\xa9\t\xff\r\n\r\nok",
			"", 0,
			http.Header{"Content-Length": {"2"}, "X-A_b": {"a b", ""}, "X-None": {""}, "X-Bytes": {"\xc3\xa9\t\xff"}},
			2, "ok", nil, true,
		},
		{"no CR", "HTTP/1.1 200\nContent-Length: 2\n\nok", "", 0, http.Header{"Content-Length": {"2"}}, 2, "ok", nil, true},
		{"same length twice", ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", "", 0, http.Header{"Content-Length": {"2", "2"}}, 2, "ok", nil, true},
		{"chunks", ok + "Transfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n", "", 0, http.Header{}, -1, "ab0123456789", nil, true},
		{"long chunks", ok + "Transfer-Encoding: chunked\r\n\r\n2328\r\n" + big + "\r\n2328 \r\n" + big + "\r\n0\r\n\r\n", "", 0, http.Header{}, -1, big + big, nil, true},
		{"trailers", ok + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nab\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n", "", 0, http.Header{"Trailer": {"X-T"}}, -1, "ab", nil, true},
		{"no chunks", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", 0, http.Header{}, -1, "", nil, true},
		{"until the end", ok + "\r\nabc", "", 0, http.Header{}, -1, "abc", nil, false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nabc", "", 0, http.Header{}, -1, "abc", nil, false},
		{"HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "", 0, http.Header{"Content-Length": {"2"}}, 2, "ok", nil, false},
		{
			"HTTP/1.0 that is kept", "HTTP/1.0 200 OK\r\nConnection: x, Keep-Alive\r\nContent-Length: 2\r\n\r\nok", "", 0,
			http.Header{"Content-Length": {"2"}, "Connection": {"x, Keep-Alive"}},
			2, "ok", nil, true,
		},
		{"closing", ok + "Connection: Close\r\nContent-Length: 2\r\n\r\nok", "", 0, http.Header{"Content-Length": {"2"}, "Connection": {"Close"}}, 2, "ok", nil, false},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, http.Header{}, 0, "", nil, true},
		{"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 304, http.Header{"Content-Length": {"5"}}, 0, "", nil, true},
		{"HEAD", ok + "Content-Length: 5\r\n\r\n", "HEAD", 0, http.Header{"Content-Length": {"5"}}, 5, "", nil, true},
		{"HEAD of chunks", ok + "Transfer-Encoding: chunked\r\n\r\n", "HEAD", 0, http.Header{}, -1, "", nil, true},
		{"1xx", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok", "", 0, http.Header{"Content-Length": {"2"}}, 2, "ok", nil, true},
		{"an error", "HTTP/1.1 529 \r\nContent-Length: 2\r\n\r\nno", "", 529, http.Header{"Content-Length": {"2"}}, 2, "no", nil, true},

		{"more than the length", ok + "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", "", 0, http.Header{"Content-Length": {"2"}}, 2, "ok", nil, false},
		{"more than the chunks", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "", 0, http.Header{}, -1, "ok", nil, false},
		{"more announced than nothing", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "", 204, http.Header{"Content-Length": {"5"}}, 0, "", nil, false},
		{"more announced than nothing, in chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "", 204, http.Header{}, 0, "", nil, false},
		{"more announced than was changed", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "", 304, http.Header{}, 0, "", nil, true},
		{"more than nothing", "HTTP/1.1 204 No Content\r\n\r\nx", "", 204, http.Header{}, 0, "", nil, false},

		{"cut", ok + "Content-Length: 5\r\n\r\nabc", "", 0, http.Header{"Content-Length": {"5"}}, 5, "abc", io.ErrUnexpectedEOF, false},
		{"cut in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "", 0, http.Header{}, -1, "abc", io.ErrUnexpectedEOF, false},
		{"cut behind a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "", 0, http.Header{}, -1, "abc", io.ErrUnexpectedEOF, false},
		{"cut before the last line", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "", 0, http.Header{}, -1, "abc", io.ErrUnexpectedEOF, false},
		{"no size", ok + "Transfer-Encoding: chunked\r\n\r\n;x\r\n\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"bad size", ok + "Transfer-Encoding: chunked\r\n\r\n1x\r\na\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"negative size", ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"size that overflows", ok + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"size without CR", ok + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"extension without CR", ok + "Transfer-Encoding: chunked\r\n\r\n1;x\na\r\n0\r\n\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"chunk that is too long", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "", 0, http.Header{}, -1, "a", errChunk, false},
		{"endless extension", ok + "Transfer-Encoding: chunked\r\n\r\n1;" + big + "\r\na\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"endless size", ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 9000) + "1\r\na\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
		{"endless trailers", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X: "+big+"\r\n", 10), "", 0, http.Header{}, -1, "", errChunk, false},
		{"trailer without CR", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", "", 0, http.Header{}, -1, "", errChunk, false},
	} {
		for _, size := range []int{1 << 20, 1} {
			t.Run(fmt.Sprint(tt.name, " by ", size), func(t *testing.T) {
				s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
					for take(br) != nil {
						for p := tt.answer; p != ""; {
							n := min(size, len(p))
							if _, err := io.WriteString(c, p[:n]); err != nil {
								break
							}
							p = p[n:]
						}
						if !tt.kept && !strings.HasPrefix(tt.name, "more") {
							return
						}
					}
				})
				tr := client(t)
				if tt.method == "" {
					tt.method = http.MethodGet
				}
				if tt.status == 0 {
					tt.status = http.StatusOK
				}
				for range 2 {
					res, err := tr.RoundTrip(request(t, tt.method, s.URL(), nil))
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(res.Body)
					if res.StatusCode != tt.status || res.ContentLength != tt.length || !errors.Is(err, tt.err) {
						t.Errorf("status %d, length %d, %v", res.StatusCode, res.ContentLength, err)
					}
					if tt.err == nil && err != nil {
						t.Error(err)
					}
					if diff := cmp.Diff(tt.header, res.Header); diff != "" {
						t.Error(diff)
					}
					if string(body) != tt.body {
						t.Errorf("body %.100q", body)
					}
					_ = res.Body.Close()
					if _, err := res.Body.Read(make([]byte, 1)); err == nil {
						t.Error("the body can be read after its end")
					}
					if size == 1 && strings.HasPrefix(tt.name, "more") {
						return // whether the rest is there when it is looked for is chance
					}
				}
				if got := s.Accepted.Load(); tt.kept && got != 1 || !tt.kept && got != 2 {
					t.Errorf("%d connections", got)
				}
			})
		}
	}
}

// TestRefusedAnswers holds what is no answer.
func TestRefusedAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		err          error
	}{
		{"another protocol", "SSH-2.0-x\r\n", errStatusLine}, // and waits
		{"another version", "HTTP/2.0 200 OK\r\n\r\n", errStatusLine},
		{"no digit", "HTTP/1.x 200 OK\r\n\r\n", errStatusLine},
		{"no status", "HTTP/1.1\r\n\r\n", errStatusLine},
		{"short status", "HTTP/1.1 20 OK\r\n\r\n", errStatusLine},
		{"long status", "HTTP/1.1 2000 OK\r\n\r\n", errStatusLine},
		{"status 0", "HTTP/1.1 099 OK\r\n\r\n", errStatusLine},
		{"control in the reason", "HTTP/1.1 200 O\x00K\r\n\r\n", errStatusLine},
		{"blank line before", "\r\nHTTP/1.1 200 OK\r\n\r\n", errStatusLine},
		{"switch", "HTTP/1.1 101 Switching Protocols\r\n\r\n", errSwitch},
		{"no colon", ok + "X\r\n\r\n", errHeader},
		{"no name", ok + ": x\r\n\r\n", errHeader},
		{"space before the colon", ok + "Content-Length : 2\r\n\r\n", errHeader},
		{"continued line", ok + "X: y\r\n z\r\n\r\n", errHeader},
		{"continued first line", ok + " X: y\r\n\r\n", errHeader},
		{"control", ok + "X: y\x00\r\n\r\n", errHeader},
		{"CR", ok + "X: y\rZ: a\r\n\r\n", errHeader},
		{"lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", errFraming},
		{"list of lengths", ok + "Content-Length: 2, 2\r\n\r\nab", errFraming},
		{"signed length", ok + "Content-Length: +2\r\n\r\nab", errFraming},
		{"empty length", ok + "Content-Length: \r\n\r\n", errFraming},
		{"length that overflows", ok + "Content-Length: 9223372036854775808\r\n\r\n", errFraming},
		{"length and chunks", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", errFraming},
		{"chunks and length", ok + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nab\r\n0\r\n\r\n", errFraming},
		{"chunks twice", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", errFraming},
		{"another coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", errFraming},
		{"chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errFraming},
		{"nothing", "", io.EOF},
		{"cut", ok + "Content-Le", io.ErrUnexpectedEOF},
		{"cut behind 1xx", "HTTP/1.1 100 Continue\r\n\r\n", io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
				take(br)
				_, _ = io.WriteString(c, tt.answer)
				if tt.err == errStatusLine {
					_, _ = br.ReadByte() // until the client has seen enough
				}
			})
			_, err := client(t).RoundTrip(request(t, http.MethodGet, s.URL(), nil))
			e := failure(t, err)
			if !errors.Is(err, tt.err) || !e.Connected || e.Reused || e.Unsent {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestSizeOfHeads bounds what an upstream makes the gateway keep, and no less.
func TestSizeOfHeads(t *testing.T) {
	field := "X: " + strings.Repeat("x", 1000) + "\r\n"
	end := "Content-Length: 2\r\n\r\nok"
	for name, tt := range map[string]struct {
		answer string
		fits   bool
	}{
		"fits":            {ok + strings.Repeat(field, 60) + end, true},
		"head":            {ok + strings.Repeat(field, 66) + end, false},
		"endless":         {ok + strings.Repeat(field, 1000), false},
		"line":            {ok + "X: " + strings.Repeat("x", 1<<20), false},
		"many 1xx":        {strings.Repeat("HTTP/1.1 100 Continue\r\n"+field+"\r\n", 66) + ok + end, false},
		"1xx":             {strings.Repeat("HTTP/1.1 100 Continue\r\n"+field+"\r\n", 50) + ok + end, true},
		"body is no head": {ok + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
				take(br)
				_, _ = io.WriteString(c, tt.answer)
				_, _ = br.ReadByte()
			})
			res, err := client(t).RoundTrip(request(t, http.MethodGet, s.URL(), nil))
			if err == nil {
				_, _ = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if tt.fits != (err == nil) || err != nil && err.Error() != "response headers exceeded 65536 bytes" {
				t.Error(err)
			}
		})
	}
}

// TestChunksThatArriveTogether holds that they are read together, whatever
// their number, and that a stream which waits holds no buffer.
func TestChunksThatArriveTogether(t *testing.T) {
	next := make(chan struct{})
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		take(br)
		_, _ = io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n")
		<-next
		_, _ = io.WriteString(c, strings.Repeat("2\r\nab\r\n", 50)+"3\r\nx")
		<-next
		_, _ = io.WriteString(c, "yz\r\n0\r\n\r\n")
	})
	res, err := client(t).RoundTrip(request(t, http.MethodGet, s.URL(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	p := make([]byte, 4096)
	for i, want := range []string{"1", strings.Repeat("ab", 50) + "x", "yz"} {
		n, err := res.Body.Read(p)
		if string(p[:n]) != want || err != nil && (i < 2 || err != io.EOF) {
			t.Errorf("%q, %v, want %q", p[:n], err, want)
		}
		if x := res.Body.(*exchange); x.in != nil {
			t.Error("a buffer is held for nothing")
		}
		if i < 2 {
			next <- struct{}{}
		}
	}
}

// TestSmallReads holds that who reads little at a time gets all.
func TestSmallReads(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for name, answer := range map[string]string{
		"length": ok + "Content-Length: 10000\r\n\r\n" + text,
		"chunks": ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("A\r\n0123456789\r\n", 1000) + "0\r\n\r\n",
	} {
		s := scripttest.Serve(t, again(answer))
		tr := client(t)
		for _, size := range []int{1, 3, 511, 512, 600} {
			res, err := tr.RoundTrip(request(t, http.MethodGet, s.URL(), nil))
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for p := make([]byte, size); err == nil; {
				var n int
				n, err = res.Body.Read(p)
				got = append(got, p[:n]...)
			}
			if string(got) != text || err != io.EOF {
				t.Errorf("%s by %d: %d bytes, %v", name, size, len(got), err)
			}
			_ = res.Body.Close()
		}
		if s.Accepted.Load() != 1 {
			t.Errorf("%s: %d connections", name, s.Accepted.Load())
		}
	}
}
