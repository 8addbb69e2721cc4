// Package load sends requests and measures what becomes of them: HTTP/1.1 by
// hand, so that the load costs little beside what is measured.
package load

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/weirproxy/weir/bench/mark"
)

// timeout bounds one request, and the silence of a stream.
const timeout = 30 * time.Second

var errFraming = errors.New("malformed answer")

// Answer is what came of one request.
type Answer struct {
	Status  int
	Sent    time.Time
	First   int64 // when the first mark arrived, in Unix nanoseconds; 0: none
	Ended   int64 // when the answer ended
	Chunks  int   // marks
	Bytes   int64
	Faults  mark.Faults
	Done    bool // a stream's own end was seen
	closing bool
}

// failure is what is wrong with an answer that should have the status want, 0
// being 200, and as a stream so many chunks; empty when nothing is.
func (a *Answer) failure(err error, want, chunks int) string {
	want = cmp.Or(want, 200)
	switch {
	case err != nil:
		return err.Error()
	case a.Status != want:
		return fmt.Sprintf("status %d", a.Status)
	case want == 200 && a.Chunks == 0:
		return "an answer without the upstream's text"
	case chunks > 0 && !a.Done:
		return "a stream without its end"
	}
	return ""
}

// conn is one connection to a target.
type conn struct {
	addr string
	nc   net.Conn
	r    *bufio.Reader

	arrived int64 // when the last read returned, in Unix nanoseconds
	marks   mark.Reader
	check   mark.Check
	tail    [32]byte // the last bytes of the body
	delay   func(nanoseconds int64)
}

// Read notes when bytes came: the time that counts for all that a read brings.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.nc.Read(b)
	c.arrived = time.Now().UnixNano()
	return n, err
}

func (c *conn) dial() error {
	nc, err := net.DialTimeout("tcp", c.addr, timeout)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	c.nc = nc
	if c.r == nil {
		c.r = bufio.NewReaderSize(c, 4096)
	} else {
		c.r.Reset(c)
	}
	return nil
}

func (c *conn) close() {
	if c.nc != nil {
		_ = c.nc.Close()
		c.nc = nil
	}
}

// do sends a request and reads its answer. chunks is how many marks a stream
// has; 0 for whole answers. The connection is closed after an error.
func (c *conn) do(request []byte, chunks int) (a Answer, err error) {
	if c.nc == nil {
		if err := c.dial(); err != nil {
			return a, err
		}
	}
	defer func() {
		if err != nil || a.closing {
			c.close()
		}
	}()
	a.Sent = time.Now()
	_ = c.nc.SetDeadline(a.Sent.Add(timeout))
	if _, err := c.nc.Write(request); err != nil {
		return a, fmt.Errorf("sending: %w", err)
	}
	c.check.Begin()
	c.marks.Reset()
	clear(c.tail[:])
	if err := c.read(&a); err != nil {
		return a, err
	}
	a.Ended, a.Chunks = c.arrived, c.check.Count()
	if chunks > 0 && a.Status == 200 {
		a.Faults = c.check.End(chunks)
	}
	a.Done = bytes.Contains(c.tail[:], []byte("[DONE]")) || bytes.Contains(c.tail[:], []byte("message_stop"))
	return a, nil
}

func (c *conn) read(a *Answer) error {
	length, chunked, err := c.head(a)
	switch {
	case err != nil:
		return err
	case chunked:
		return c.chunked(a)
	case length >= 0:
		return c.take(a, length)
	default:
		a.closing = true
		for {
			if _, err := c.r.Peek(1); err != nil {
				return nil
			}
			if err := c.take(a, int64(c.r.Buffered())); err != nil {
				return err
			}
		}
	}
}

// head reads the status and the fields that frame the body.
func (c *conn) head(a *Answer) (length int64, chunked bool, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, false, fmt.Errorf("reading the answer: %w", err)
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, false, errFraming
	}
	if a.Status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, errFraming
	}
	length = -1
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, false, fmt.Errorf("reading the answer: %w", err)
		}
		if len(line) <= 2 {
			return length, chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return 0, false, errFraming
			}
		case len(name) == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case len(name) == 10 && bytes.EqualFold(name, []byte("Connection")):
			a.closing = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
}

func (c *conn) chunked(a *Answer) error {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading a chunk: %w", err)
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return errFraming
		}
		if err := c.take(a, size); err != nil {
			return err
		}
		if _, err := c.r.Discard(2); err != nil {
			return fmt.Errorf("reading a chunk: %w", err)
		}
		if size == 0 {
			return nil
		}
	}
}

// take reads n bytes of the body and looks at each piece when it comes.
func (c *conn) take(a *Answer, n int64) error {
	for n > 0 {
		if c.r.Buffered() == 0 {
			if _, err := c.r.Peek(1); err != nil {
				return fmt.Errorf("reading the body: %w", err)
			}
		}
		piece, err := c.r.Peek(int(min(int64(c.r.Buffered()), n)))
		if err != nil {
			return fmt.Errorf("reading the body: %w", err)
		}
		c.marks.Feed(piece, func(m mark.Mark) {
			if a.First == 0 {
				a.First = c.arrived
			}
			c.check.Note(m)
			if c.delay != nil {
				c.delay(c.arrived - m.At)
			}
		})
		c.keep(piece)
		a.Bytes += int64(len(piece))
		n -= int64(len(piece))
		if _, err := c.r.Discard(len(piece)); err != nil {
			return fmt.Errorf("reading the body: %w", err)
		}
	}
	return nil
}

// keep keeps the end of what has come.
func (c *conn) keep(piece []byte) {
	if len(piece) >= len(c.tail) {
		copy(c.tail[:], piece[len(piece)-len(c.tail):])
		return
	}
	copy(c.tail[:], c.tail[len(piece):])
	copy(c.tail[len(c.tail)-len(piece):], piece)
}
