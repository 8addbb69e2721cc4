// Package wiretest checks decoders and encoders of streams against the rules
// that wire.Event states, for the tests of the dialects.
package wiretest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Collect decodes a stream of server-sent events that arrives chunk bytes at a
// time (0: at once) and puts its events together again. The error is the
// decoder's, or says which rule of wire.Event an event broke. A stream that
// ends without EventEnd gives a response and io.ErrUnexpectedEOF.
func Collect(decoder wire.StreamDecoder, stream []byte, chunk int) (*wire.Response, []wire.Event, error) {
	c := &collector{choices: make(map[int]*choice)}
	err := Feed(decoder, stream, chunk, c.add)
	switch {
	case err != nil:
	case c.err != nil:
		err = c.err
	case c.failed == nil && !c.ended:
		err = io.ErrUnexpectedEOF
	}
	return c.response(), c.events, err
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
	c := &collector{choices: make(map[int]*choice)}
	for i := range events {
		c.add(&events[i])
	}
	return c.response(), c.err
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

type choice struct {
	wire.Choice
	open     bool
	text     bytes.Buffer
	logprobs bytes.Buffer
}

type collector struct {
	events  []wire.Event
	res     wire.Response
	choices map[int]*choice
	order   []*choice
	started bool
	ended   bool
	failed  *wire.Failure
	err     error
}

func (c *collector) fault(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("event %d: "+format, append([]any{len(c.events)}, args...)...)
	}
}

func (c *collector) add(ev *wire.Event) {
	kept := *ev
	kept.Text = append([]byte(nil), ev.Text...)
	kept.LogProbs = append([]byte(nil), ev.LogProbs...)
	if ev.Usage != nil {
		usage := *ev.Usage
		kept.Usage = &usage
	}
	c.events = append(c.events, kept)
	switch {
	case c.ended || c.failed != nil:
		c.fault("%d after the end", ev.Kind)
		return
	case (ev.Kind == wire.EventStart) == c.started:
		c.fault("%d with started=%v", ev.Kind, c.started)
		return
	}
	switch ev.Kind {
	case wire.EventStart:
		c.started = true
		c.res.ID, c.res.Model, c.res.Created = ev.ID, ev.Model, ev.Created
	case wire.EventUsage:
		c.res.Usage = *ev.Usage
		c.res.Usage.Reported = true
	case wire.EventFail:
		c.failed = ev.Failure
		c.res.Failure = ev.Failure
	case wire.EventEnd:
		c.ended = true
		for _, ch := range c.order {
			if ch.open {
				c.fault("the end with an open block in choice %d", ch.Index)
			}
		}
	default:
		c.choose(ev)
	}
}

func (c *collector) choose(ev *wire.Event) {
	ch := c.choices[ev.Choice]
	if ch == nil {
		ch = &choice{Choice: wire.Choice{Index: ev.Choice}}
		c.choices[ev.Choice] = ch
		c.order = append(c.order, ch)
	}
	if ch.Finish != wire.FinishNone {
		c.fault("%d after the finish of choice %d", ev.Kind, ev.Choice)
		return
	}
	switch ev.Kind {
	case wire.EventBlock:
		if ch.open || ev.Index != len(ch.Blocks) {
			c.fault("block %d opened with open=%v after %d blocks", ev.Index, ch.open, len(ch.Blocks))
		}
		ch.open = true
		ch.text.Reset()
		b := wire.Block{Type: ev.Block, Raw: ev.Raw}
		if ev.Block == wire.RawBlock {
			b.Vendor = ev.Vendor
		}
		if ev.Block == wire.CallBlock {
			b.Call = &wire.Call{ID: ev.ID, Name: ev.Name, Custom: ev.Custom}
		}
		ch.Blocks = append(ch.Blocks, b)
	case wire.EventFinish:
		if ch.open {
			c.fault("finish with an open block")
		}
		if ev.Finish == wire.FinishNone {
			c.fault("a finish without a reason")
		}
		ch.Finish, ch.Native, ch.StopString, ch.Explanation = ev.Finish, ev.Native, ev.StopString, ev.Explanation
	default:
		if !ch.open || ev.Index != len(ch.Blocks)-1 {
			c.fault("%d for block %d, open=%v, %d blocks", ev.Kind, ev.Index, ch.open, len(ch.Blocks))
			return
		}
		c.inBlock(ch, &ch.Blocks[len(ch.Blocks)-1], ev)
	}
}

func (c *collector) inBlock(ch *choice, b *wire.Block, ev *wire.Event) {
	switch ev.Kind {
	case wire.EventDelta:
		ch.text.Write(ev.Text)
		ch.logprobs.Write(ev.LogProbs)
	case wire.EventSignature:
		b.Signature, b.Vendor, b.ID = ev.Signature, ev.Vendor, ev.ID
	case wire.EventCitation:
		b.Citations = append(b.Citations, *ev.Citation)
	case wire.EventBlockEnd:
		ch.open = false
		if b.Type == wire.CallBlock {
			b.Call.Arguments = ch.text.String()
		} else {
			b.Text = ch.text.String()
		}
	}
}

func (c *collector) response() *wire.Response {
	res := c.res
	for _, ch := range c.order {
		if ch.open {
			last := &ch.Blocks[len(ch.Blocks)-1]
			if last.Type == wire.CallBlock {
				last.Call.Arguments = ch.text.String()
			} else {
				last.Text = ch.text.String()
			}
		}
		res.Choices = append(res.Choices, ch.Choice)
	}
	return &res
}
