// Package wiretest checks decoders and encoders of streams against the rules
// that wire.Event states, for the tests of the dialects.
package wiretest

import (
	"errors"
	"io"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Collect decodes a stream of server-sent events that arrives chunk bytes at a
// time (0: at once) and puts its events together again. The error is the
// decoder's, or says which rule of wire.Event an event broke. A stream that
// ends without EventEnd gives a response and io.ErrUnexpectedEOF.
func Collect(decoder wire.StreamDecoder, stream []byte, chunk int) (*wire.Response, []wire.Event, error) {
	var (
		c      wire.Collector
		events []wire.Event
	)
	err := Feed(decoder, stream, chunk, func(ev *wire.Event) {
		events = append(events, keep(ev))
		c.Add(ev)
	})
	if err == nil {
		err = c.Err()
	}
	return c.Response(), events, err
}

// keep is ev with bytes of its own.
func keep(ev *wire.Event) wire.Event {
	kept := *ev
	kept.Text = append([]byte(nil), ev.Text...)
	kept.LogProbs = append([]byte(nil), ev.LogProbs...)
	if ev.Usage != nil {
		usage := *ev.Usage
		kept.Usage = &usage
	}
	return kept
}

// Feed hands a stream to decoder, chunk bytes at a time, and then its end.
func Feed(decoder wire.StreamDecoder, stream []byte, chunk int, emit func(*wire.Event)) error {
	if chunk <= 0 {
		chunk = len(stream)
	}
	reader := sse.NewReader(&chunks{data: stream, size: max(chunk, 1)}, 0)
	var ev sse.Event
	for {
		err := reader.Next(&ev)
		if err != nil && (!errors.Is(err, io.ErrUnexpectedEOF) || len(ev.Raw) == 0) {
			break
		}
		if !ev.HasData {
			continue
		}
		if err := decoder.Decode(&ev, emit); err != nil {
			return err
		}
	}
	decoder.End(emit)
	return nil
}

// Gather puts events together that were made otherwise.
func Gather(events []wire.Event) (*wire.Response, error) {
	var c wire.Collector
	for i := range events {
		c.Add(&events[i])
	}
	if err := c.Err(); !errors.Is(err, io.ErrUnexpectedEOF) {
		return c.Response(), err
	}
	return c.Response(), nil
}

type chunks struct {
	data []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.data)
	c.data = c.data[n:]
	return n, nil
}
