package http1

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/scripttest"
)

// TestMemoryInParts holds that a body in parts arrives as one, whatever its
// parts are, also when the connection takes little of it at once.
func TestMemoryInParts(t *testing.T) {
	for name, tt := range map[string]struct {
		size int
		cuts []int
	}{
		"all short":                {3000, []int{10, 20, 2000}},
		"short ones first":         {300 << 10, []int{10, 20}},
		"short ones last":          {300 << 10, []int{200 << 10, 300<<10 - 10}},
		"empty ones":               {300 << 10, []int{0, 0, 5000, 5000, 300 << 10}},
		"short at the edge":        {300 << 10, []int{short, 2*short + 1, 3*short + 1, 4*short + 2}},
		"more than memory":         {64 << 10, []int{short, 2 * short, 3 * short, 4 * short, 5 * short, 6 * short, 7 * short, 8 * short, 9 * short}},
		"many long":                {300 << 10, []int{10e3, 20e3, 30e3, 40e3, 50e3, 60e3, 70e3, 80e3, 90e3, 100e3, 110e3}},
		"more than a socket takes": {32 << 20, []int{20 << 20, 20<<20 + 9, 24 << 20, 24<<20 + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
				for req := take(br); req != nil; req = take(br) {
					sum := sha256.New()
					n, _ := io.Copy(sum, req.Body)
					_, _ = fmt.Fprintf(c, "%sContent-Length: 100\r\n\r\n%-100s", ok, fmt.Sprintf("%d %x", n, sum.Sum(nil)))
				}
			})
			text := make([]byte, tt.size)
			for i := range text {
				text[i] = byte(i>>16 ^ i>>8 ^ i)
			}
			want := fmt.Sprintf("%-100s", fmt.Sprintf("%d %x", tt.size, sha256.Sum256(text)))
			tr := client(t)
			for range 3 {
				req := request(t, http.MethodPost, s.URL(), nil)
				req.Body, req.ContentLength = hold(string(text), tt.cuts...), int64(tt.size)
				if got := whole(t, tr, req); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// TestOutgoingForgets holds that nothing of a body is kept with its buffer, and
// that long parts of it are not copied.
func TestOutgoingForgets(t *testing.T) {
	body := hold(strings.Repeat("x", 3*short), 10)
	parts := body.Parts(nil)
	req := request(t, http.MethodPost, "http://a/", nil)
	req.Body = &same{held: body, parts: parts}
	o, err := newOutgoing(req, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.out) != 2 || &o.out[1][0] != &parts[1][0] || !bytes.HasSuffix(o.out[0], []byte("\r\n\r\nxxxxxxxxxx")) {
		t.Errorf("%d parts, the first %.300q", len(o.out), o.out[0])
	}
	all := o.buf.parts
	o.release()
	for i, p := range all {
		if p != nil {
			t.Errorf("part %d is kept", i)
		}
	}
	if body.closed.Load() != 1 {
		t.Error("the body is open")
	}
}

// same has the same parts whenever it is asked.
type same struct {
	*held
	parts [][]byte
}

func (s *same) Parts(dst [][]byte) [][]byte { return append(dst, s.parts...) }

// TestMemoryIsNotRead holds that a body in memory is sent as it lies.
func TestMemoryIsNotRead(t *testing.T) {
	s := scripttest.Serve(t, func(_ int64, c net.Conn, br *bufio.Reader) {
		req := take(br)
		body, _ := io.ReadAll(req.Body)
		_, _ = io.WriteString(c, ok+"\r\n"+string(body))
	})
	body := hold("xyabc")
	_, _ = io.CopyN(io.Discard, body, 2)
	req := request(t, http.MethodPost, s.URL(), body)
	req.ContentLength = 3
	if got := whole(t, client(t), req); got != "abc" || body.Len() != 3 {
		t.Errorf("%q was sent, %d bytes are left", got, body.Len())
	}
	if !bytes.Equal(body.Parts(nil)[0], []byte("abc")) {
		t.Error("the body has changed")
	}
}
