package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// outgoing is a request as it goes out.
type outgoing struct {
	buf *buffer

	// out is what is to be written of what is in memory: the head, and the body
	// if it is there.
	out [][]byte // of buf.parts

	// src is a body that is not in memory, of length bytes; -1 when that is
	// not known, and the body is sent in chunks.
	src    io.Reader
	length int64

	closer io.Closer // of either body
}

// release lets go of the request when no more of it is to be sent.
func (o *outgoing) release() {
	if o.buf != nil {
		o.buf.free()
		o.buf = nil
	}
	if o.closer != nil {
		_ = o.closer.Close()
		o.closer = nil
	}
	o.out, o.src = nil, nil
}

// newOutgoing writes the head of req, the last on its connection or not. On an error nothing is to be released.
func newOutgoing(req *http.Request, last bool) (outgoing, error) {
	var o outgoing
	buf := newBuffer()
	buf.parts = append(buf.parts, nil) // where the head will be
	if req.Body != nil && req.Body != http.NoBody {
		o.closer = req.Body
		if m, ok := req.Body.(Memory); ok {
			buf.parts = m.Parts(buf.parts)
			for _, p := range buf.parts {
				o.length += int64(len(p))
			}
			if req.ContentLength > 0 && req.ContentLength != o.length {
				buf.free()
				return o, fmt.Errorf("sending: the body has %d bytes, not %d", o.length, req.ContentLength)
			}
		} else {
			o.src, o.length = req.Body, req.ContentLength
			if o.length == 0 {
				o.length = -1 // as net/http takes it
			}
		}
	}
	head, err := appendHead(buf.bytes, req, &o, last)
	if err != nil {
		buf.free()
		return o, err
	}
	o.buf, o.out = buf, buf.lead(head)
	return o, nil
}

// lead puts the head before the other parts, and those of them that are short
// into its memory. It returns what is to be written, no part of it empty.
func (b *buffer) lead(head []byte) [][]byte {
	parts := b.parts
	for len(parts) > 1 && len(parts[1]) <= min(short, cap(head)-len(head)) {
		head = append(head, parts[1]...)
		parts = parts[1:]
	}
	b.bytes, parts[0] = head, head
	return slices.DeleteFunc(parts, func(p []byte) bool { return len(p) == 0 })
}

var errField = errors.New("sending: a name or value of the request's header is not valid")

func appendHead(b []byte, req *http.Request, o *outgoing, last bool) ([]byte, error) {
	method, target, host := req.Method, req.URL.RequestURI(), req.Host
	if method == "" {
		method = http.MethodGet
	}
	if host == "" {
		host = req.URL.Host
	}
	if !isToken(method) || !visible(target) || !visible(host) {
		return b, errField
	}
	b = append(append(append(append(b, method...), ' '), target...), " HTTP/1.1\r\n"...)
	b = appendField(b, "Host", host)
	for name, values := range req.Header {
		if ours(name) {
			continue
		}
		if !isToken(name) {
			return b, errField
		}
		for _, v := range values {
			v = trim(v)
			if !isValue(v) {
				return b, errField
			}
			b = appendField(b, name, v)
		}
	}
	if last {
		b = appendField(b, "Connection", "close")
	}
	switch {
	case o.length < 0:
		b = appendField(b, "Transfer-Encoding", "chunked")
	case o.length > 0 || o.closer != nil || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, o.length, 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

func appendField(b []byte, name, value string) []byte {
	return append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
}

// ours reports whether a field is written from what else is known of the
// request, as net/http does.
func ours(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

// buffer is what a head is made in or read into.
type buffer struct {
	bytes []byte // empty, but for its capacity, when it is new
	parts [][]byte
	pool  *sync.Pool
}

const (
	outSize = 32 << 10 // of a head, or of what is read to be written
	inSize  = 4 << 10  // of a head and what comes with it
	short   = 4 << 10  // the most of a part that is copied
)

var (
	outBuffers = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, outSize)} }}
	inBuffers  = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, inSize)} }}
)

func newBuffer() *buffer {
	b := outBuffers.Get().(*buffer)
	b.pool = &outBuffers
	return b
}

func newInBuffer() *buffer {
	b := inBuffers.Get().(*buffer)
	b.pool = &inBuffers
	return b
}

// free gives the buffer back, unless it had to grow.
func (b *buffer) free() {
	if cap(b.bytes) <= outSize && b.pool != nil {
		clear(b.parts)
		b.bytes, b.parts = b.bytes[:0], b.parts[:0]
		b.pool.Put(b)
	}
}
