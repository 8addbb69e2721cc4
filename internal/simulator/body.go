package simulator

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// segment is a run of events of a stream.
type segment struct {
	n int

	// div is the number of events that make one token; 0: the events are not
	// tokens and come without a wait.
	div int

	// emit appends event i. It is called once for each, in order.
	emit func(dst []byte, i int) []byte
}

// once is a segment of one event that is no token.
func once(emit func(dst []byte) []byte) segment {
	return segment{n: 1, emit: func(dst []byte, _ int) []byte { return emit(dst) }}
}

// stream is a body that makes its bytes as they are read, each token when it
// is due, so that an open stream costs no goroutine.
type stream struct {
	ctx   context.Context
	clock Clock
	start time.Time
	do    behaviour

	segments []segment
	next     int // event within segments[0]
	tokens   int // complete tokens emitted

	// failure appends the dialect's error event for err-stream-<n>.
	failure func(dst []byte) []byte

	named   bool // events have names, the malformed one too
	garbled bool

	buf  []byte
	off  int
	err  error // after buf
	done chan struct{}
	once sync.Once
}

func (b *stream) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

// Read returns the events that are due, waiting for the next if none is.
func (b *stream) Read(p []byte) (int, error) {
	if err := b.gone(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.off == len(b.buf) {
		b.buf, b.off = b.buf[:0], 0
		b.fill(len(p))
	}
	if b.off == len(b.buf) {
		return 0, b.err
	}
	n := copy(p, b.buf[b.off:])
	b.off += n
	return n, nil
}

func (b *stream) gone() error {
	select {
	case <-b.done:
		return http.ErrBodyReadAfterClose
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	default:
		return nil
	}
}

// fill appends events until there are size bytes or the next has to wait; it
// waits only while the buffer is empty.
func (b *stream) fill(size int) {
	for b.err == nil && len(b.buf) < size {
		for len(b.segments) > 0 && b.next >= b.segments[0].n {
			b.segments, b.next = b.segments[1:], 0
		}
		if len(b.segments) == 0 {
			b.err = io.EOF
			return
		}
		seg := &b.segments[0]
		begins := seg.div > 0 && b.next%seg.div == 0
		if (begins || seg.div == 0) && !b.step(begins) {
			return
		}
		b.buf = seg.emit(b.buf, b.next)
		b.next++
		if seg.div > 0 && b.next%seg.div == 0 {
			b.tokens++
		}
	}
}

// step applies the faults and the pace before an event; false: not now.
func (b *stream) step(token bool) bool {
	if b.tokens > 0 || token {
		switch b.tokens {
		case b.do.cut:
			b.err = io.ErrUnexpectedEOF
			return false
		case b.do.errAt:
			b.buf = b.failure(b.buf)
			b.err = io.EOF
			return false
		case b.do.stall:
			if len(b.buf) == 0 {
				b.err = b.wait(nil)
			}
			return false
		}
	}
	if b.do.garbage && b.tokens == 1 && !b.garbled {
		b.garbled = true
		if b.named {
			b.buf = append(b.buf, "event: content_block_delta\n"...)
		}
		b.buf = append(b.buf, "data: {\"id\":\"garbage\",\"choi\n\n"...)
	}
	if !token {
		return true
	}
	d := b.start.Add(b.do.due(b.tokens)).Sub(b.clock.Now())
	if d <= 0 {
		return true
	}
	if len(b.buf) > 0 {
		return false
	}
	b.err = b.wait(b.clock.After(d))
	return b.err == nil
}

// wait returns nil when due, or why nobody waits any more.
func (b *stream) wait(due <-chan time.Time) error {
	select {
	case <-due:
		return nil
	case <-b.done:
		return http.ErrBodyReadAfterClose
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
}

// whole is a complete body that may break off.
type whole struct {
	ctx  context.Context
	data []byte
	end  error
}

func (b *whole) Close() error { return nil }

func (b *whole) Read(p []byte) (int, error) {
	if err := context.Cause(b.ctx); err != nil {
		return 0, err
	}
	if len(b.data) == 0 {
		return 0, b.end
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}
