package mock

import (
	"time"

	"github.com/weirproxy/weir/bench/mark"
)

// stream answers with an event stream. One that takes time is written by a
// goroutine of its own while this one waits for the reader to hang up: a write
// alone would show that only when the next piece is due.
func (s *Server) stream(c *conn, sc *scene, d *dialect, id uint32) error {
	s.open.Add(1)
	defer s.open.Add(-1)
	w := writer{s: s, c: c, sc: sc, d: d, id: id, over: make(chan struct{})}
	if sc.Gap == 0 && sc.TTFT == 0 {
		return w.run()
	}
	done := make(chan error, 1)
	go func() { done <- w.run() }()
	_, err := c.r.Peek(1)
	if err == nil { // the next request: the stream has ended, or the client does not wait
		return <-done
	}
	s.lastGone.Store(time.Now().UnixNano())
	s.gone.Add(1)
	close(w.over)
	_ = c.SetWriteDeadline(time.Now())
	<-done
	return err
}

type writer struct {
	s    *Server
	c    *conn
	sc   *scene
	d    *dialect
	id   uint32
	over chan struct{} // closed when the reader has hung up
}

// burst is how many bytes are written at once where there is no gap.
const burst = 16 << 10

// run writes the stream. Pieces have due times of their own, so that a late one
// does not make the others late.
func (w *writer) run() error {
	sc, out := w.sc, w.c.out[:0]
	defer func() { w.c.out = out }()
	start := time.Now()
	out = append(out, streamHead(chunked(w.d.open))...)
	if sc.TTFT > 0 || sc.Gap > 0 {
		if _, err := w.c.Write(out); err != nil {
			return err
		}
		out = out[:0]
	}
	piece := sc.piece[w.d.suffix]
	due := time.NewTimer(0)
	defer due.Stop()
	for i := range sc.Tokens {
		if sc.CutAfter > 0 && i == sc.CutAfter {
			if _, err := w.c.Write(out); err != nil {
				return err
			}
			return w.c.Close()
		}
		if wait := time.Until(start.Add(sc.TTFT + time.Duration(i)*sc.Gap)); wait > 0 {
			due.Reset(wait)
			select {
			case <-due.C:
			case <-w.over:
				return nil
			}
		}
		w.s.chunks.Add(1)
		out = piece.with(out, mark.Mark{ID: w.id, Number: i, At: time.Now().UnixNano()})
		if sc.Gap > 0 || len(out) > burst {
			if _, err := w.c.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	out = append(append(out, chunked(w.d.close)...), "0\r\n\r\n"...)
	_, err := w.c.Write(out)
	return err
}
