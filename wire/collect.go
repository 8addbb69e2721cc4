package wire

import (
	"bytes"
	"fmt"
	"io"
)

// Collector puts the events of a streamed answer together, as the whole answer
// would have been. It checks the rules that Event states. The zero value is
// ready; it belongs to one answer and is not safe for concurrent use.
type Collector struct {
	res     Response
	choices []*collected
	count   int
	started bool
	ended   bool
	err     error
}

// collected is a choice that is being put together.
type collected struct {
	Choice
	open     bool
	text     bytes.Buffer
	logprobs [][]byte
}

// Add takes the next event. It keeps no reference to its bytes.
func (c *Collector) Add(ev *Event) {
	c.count++
	switch {
	case c.ended || c.res.Failure != nil:
		c.fault("%d after the end", ev.Kind)
		return
	case (ev.Kind == EventStart) == c.started:
		c.fault("%d with started=%v", ev.Kind, c.started)
		return
	}
	switch ev.Kind {
	case EventStart:
		c.started = true
		c.res.ID, c.res.Model, c.res.Created = ev.ID, ev.Model, ev.Created
	case EventUsage:
		c.res.Usage = *ev.Usage
		c.res.Usage.Reported = true
	case EventFail:
		c.res.Failure = ev.Failure
	case EventEnd:
		c.ended = true
		for _, ch := range c.choices {
			if ch.open {
				c.fault("the end with an open block in choice %d", ch.Index)
			}
		}
	default:
		c.choose(ev)
	}
}

// Err is nil for a complete answer, or one that failed. It names the first rule
// that an event broke, else it is io.ErrUnexpectedEOF as long as the end is
// missing.
func (c *Collector) Err() error {
	if c.err == nil && c.res.Failure == nil && !c.ended {
		return io.ErrUnexpectedEOF
	}
	return c.err
}

// Response is the answer so far. The collector takes no events after it.
func (c *Collector) Response() *Response {
	res := c.res
	for _, ch := range c.choices {
		if ch.open {
			ch.settle()
		}
		ch.LogProbs = string(joinLogProbs(ch.logprobs))
		res.Choices = append(res.Choices, ch.Choice)
	}
	return &res
}

func (c *Collector) fault(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("event %d: "+format, append([]any{c.count}, args...)...)
	}
}

func (c *Collector) choice(index int) *collected {
	for _, ch := range c.choices {
		if ch.Index == index {
			return ch
		}
	}
	ch := &collected{Choice: Choice{Index: index}}
	c.choices = append(c.choices, ch)
	return ch
}

func (c *Collector) choose(ev *Event) {
	ch := c.choice(ev.Choice)
	if ch.Finish != FinishNone {
		c.fault("%d after the finish of choice %d", ev.Kind, ev.Choice)
		return
	}
	switch ev.Kind {
	case EventBlock:
		if ch.open || ev.Index != len(ch.Blocks) {
			c.fault("block %d opened with open=%v after %d blocks", ev.Index, ch.open, len(ch.Blocks))
		}
		ch.open = true
		ch.text.Reset()
		b := Block{Type: ev.Block, Raw: ev.Raw}
		if ev.Block == RawBlock {
			b.Vendor = ev.Vendor
		}
		if ev.Block == CallBlock {
			b.Call = &Call{ID: ev.ID, Name: ev.Name, Custom: ev.Custom}
		}
		ch.Blocks = append(ch.Blocks, b)
	case EventFinish:
		if ch.open {
			c.fault("finish with an open block")
		}
		if ev.Finish == FinishNone {
			c.fault("a finish without a reason")
		}
		ch.Finish, ch.Native, ch.StopString, ch.Explanation = ev.Finish, ev.Native, ev.StopString, ev.Explanation
	default:
		if !ch.open || ev.Index != len(ch.Blocks)-1 {
			c.fault("%d for block %d, open=%v, %d blocks", ev.Kind, ev.Index, ch.open, len(ch.Blocks))
			return
		}
		ch.inBlock(&ch.Blocks[len(ch.Blocks)-1], ev)
	}
}

func (ch *collected) inBlock(b *Block, ev *Event) {
	switch ev.Kind {
	case EventDelta:
		ch.text.Write(ev.Text)
		if len(ev.LogProbs) > 0 {
			ch.logprobs = append(ch.logprobs, bytes.Clone(ev.LogProbs))
		}
	case EventSignature:
		b.Signature, b.Vendor, b.ID = ev.Signature, ev.Vendor, ev.ID
	case EventCitation:
		b.Citations = append(b.Citations, *ev.Citation)
	case EventBlockEnd:
		ch.open = false
		ch.settle()
	}
}

// settle gives the last block its text.
func (ch *collected) settle() {
	if last := &ch.Blocks[len(ch.Blocks)-1]; last.Type == CallBlock {
		last.Call.Arguments = ch.text.String()
	} else {
		last.Text = ch.text.String()
	}
}
